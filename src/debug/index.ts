/** debug: what instrumented heaps do at each call. Imports heap and those above it. */
export { createTracer, type Tracer } from './tracer.js';
