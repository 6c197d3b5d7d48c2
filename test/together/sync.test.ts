import { together } from './together.js';

together('sync', 'recovery');
