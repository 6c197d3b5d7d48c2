import { together } from './together.js';

together('trace', 'inspect', 'render');
