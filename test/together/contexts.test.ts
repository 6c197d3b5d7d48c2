import { together } from './together.js';

together('contexts', 'collections');
