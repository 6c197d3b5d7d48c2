/** options: what a program or the environment sets, checked and named. */
export type { DebugOptions } from './debug-options.js';
export { requireFixedBuffer } from './fixed-buffer.js';
export { type HeapOptions, type ResolvedOptions, resolveOptions } from './heap-options.js';
export { readFilter } from './history-filter.js';
export { parseBytes } from './parse-bytes.js';
export { type PrintOptions, writerOf, writeToStderr, writeToStdout } from './sync-output.js';
