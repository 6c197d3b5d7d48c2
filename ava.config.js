// `npm test`: what runs between two edits.
import full from './ava.full.config.js';

export default {
  ...full,
  // The others are storms, deaths at every kill point, long models, and commands as processes.
  files: [...full.files, '!dist/test/**/*.long.test.js'],
};
