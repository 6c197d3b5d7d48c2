import { together } from './together.js';

together('contract');
