import { together } from './together.js';

together('base', 'layout', 'verify', 'points');
