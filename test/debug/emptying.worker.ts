/**
 * Thread of the tracer's tests: fills a trace buffer and empties it repeatedly until it is told to
 * end. All fields of an event are the event's number.
 */

import { workerData } from 'node:worker_threads';
import type { WordIndex } from '../../src/base/index.js';
import * as TraceBuffer from '../../src/layout/trace-buffer.js';

const buffer = workerData as SharedArrayBuffer;
const i32 = new Int32Array(buffer);
const u32 = new Uint32Array(buffer);
const f64 = new Float64Array(buffer);
const b = 0 as WordIndex;

let n = 0;
while (Atomics.load(i32, i32.length - 1) === 0) {
  for (let i = 0; i < TraceBuffer.EVENTS_MAX; i++) {
    n++;
    const event = { sequence: n, operation: n, threadId: n, address: n, from: n, bytes: n };
    TraceBuffer.append({ i32, u32, f64 }, b, event);
  }
  TraceBuffer.empty(i32, b);
}
