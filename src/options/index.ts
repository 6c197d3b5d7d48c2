/** options: what a program or the environment sets, checked and named. */
export type { DebugOptions } from './debug-options.js';
export { requireFixedBuffer } from './fixed-buffer.js';
export { type HeapOptions, type ResolvedOptions, resolveOptions } from './heap-options.js';
export { FILTER_VALUES, readFilter } from './history-filter.js';
export { parseBytes } from './parse-bytes.js';
export { PRINT_VALUES, type PrintOptions, writeToStderr, writeToStdout } from './sync-output.js';
