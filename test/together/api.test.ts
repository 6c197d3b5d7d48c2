import { together } from './together.js';

together('api');
