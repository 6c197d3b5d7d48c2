import { together } from './together.js';

together('debug', 'options', 'stats');
