/** trace: reads and writes trace files; makes the trace of a heap. Imports base and layout. */
export { finishTrace, type TraceLimits, type TraceSummary } from './merge-trace.js';
export { readTrace, type Trace } from './trace-file.js';
export { blockIdOf, CALLOC, FREE, kindOf, MALLOC, REALLOC, threadOf } from './trace-format.js';
export { createTraceWriter, type TraceWriter } from './trace-writer.js';
