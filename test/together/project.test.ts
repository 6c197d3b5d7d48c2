import { together } from './together.js';

together('.', 'bench', 'cli', 'docs', 'model', 'types');
