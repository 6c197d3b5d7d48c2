// `npm test`: what runs between two edits. All files but the long ones, of some folders in one process.
import all from './ava.config.js';

export default {
  ...all,
  files: ['dist/test/together/*.test.js', 'dist/test/**/*.alone.test.js'],
  // Files that share a process were written as if they were alone in it: one test at a time.
  serial: true,
};
