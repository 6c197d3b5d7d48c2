/** trace: trace files, read and written; a heap's trace. Imports base and layout. */
export { finishTrace, type TraceLimits, type TraceSummary } from './merge-trace.js';
export { readTrace, type Trace } from './trace-file.js';
export { blockIdOf, CALLOC, FREE, kindOf, MALLOC, REALLOC, threadOf } from './trace-format.js';
export { createTraceWriter, type TraceWriter } from './trace-writer.js';
