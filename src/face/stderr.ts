/** Where at-end.ts finds writeToStderr. */
export { writeToStderr } from './write-out.js';
