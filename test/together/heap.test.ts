import { together } from './together.js';

together('heap', 'pages', 'blocks');
