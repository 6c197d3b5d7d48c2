/** face: the public class and the default heap. */
export { workerDataWith } from './default-heap.js';
export { parseBytes } from './parse-bytes.js';
export * from './shared-heap.js';
