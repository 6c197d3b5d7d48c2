import { together } from './together.js';

together('pool');
