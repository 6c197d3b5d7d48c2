/** face: the public class and the default heap. */
export { workerDataWith } from './default-heap.js';
export type { HeapHandle } from './heap-handle.js';
export type { HeapOptions } from './heap-options.js';
export { parseBytes } from './parse-bytes.js';
export * from './shared-heap.js';
