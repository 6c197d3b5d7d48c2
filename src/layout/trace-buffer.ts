/**
 * Trace buffers: what each thread slot has traced and not yet written to a file. In shared memory,
 * so that nothing is lost when its thread is killed. Only heaps with `trace` have them.
 *
 * Written by the slot's owner only, plain stores; read by others when its thread is dead, or when the
 * trace is put together.
 *
 *     words   field      meaning
 *     0       count      events in the buffer
 *     1..15   -
 *     16..    events     TRACE_EVENTS times:
 *       0      sequence   place in the order of all events of the heap, from 1
 *       1      operation  as in trace files
 *       2      threadId
 *       3      address
 *       4      from       realloc: the block's address before
 *       5      -
 *       6,7    bytes      Float64: requested
 *
 * I1  An event is whole before it is counted.
 * I2  Events are written to the file before they are taken out of the buffer: who is killed in
 *     between leaves them in both, and their sequence tells.
 */

import { LINE_WORDS, WORD_BYTES, type WordIndex } from '../base/index.js';

/** One traced call. */
export interface TraceEvent {
  readonly sequence: number;
  readonly operation: number;
  readonly threadId: number;
  readonly address: number;
  readonly from: number;
  readonly bytes: number;
}

export const TRACE_EVENTS = 1024;
export const TRACE_EVENT_WORDS = 8;

const COUNT = 0;
const EVENTS = LINE_WORDS;

const SEQUENCE = 0;
const OPERATION = SEQUENCE + 1;
const THREAD = OPERATION + 1;
const ADDRESS = THREAD + 1;
const FROM = ADDRESS + 1;
const SIZE = FROM + 2;

if (SIZE % 2 !== 0) throw new Error('trace buffer: not 8-byte aligned');

export const TRACE_BUFFER_BYTES = (EVENTS + TRACE_EVENTS * TRACE_EVENT_WORDS) * WORD_BYTES;

export const traceBuffer = (buffers: WordIndex, slot: number): WordIndex =>
  (buffers + (slot * TRACE_BUFFER_BYTES) / WORD_BYTES) as WordIndex;

export const getTraceCount = (i32: Int32Array, b: WordIndex): number => i32[b + COUNT];
export const setTraceCount = (i32: Int32Array, b: WordIndex, count: number): void => {
  i32[b + COUNT] = count;
};

/** Where the events stand, by word: for writing them out as they are. */
export const traceEventsWord = (b: WordIndex): number => b + EVENTS;

/** Appends an event to a buffer that is not full. */
export function appendTrace(
  u32: Uint32Array,
  f64: Float64Array,
  b: WordIndex,
  event: TraceEvent,
): void {
  const e = b + EVENTS + u32[b + COUNT] * TRACE_EVENT_WORDS;
  u32[e + SEQUENCE] = event.sequence;
  u32[e + OPERATION] = event.operation;
  u32[e + THREAD] = event.threadId;
  u32[e + ADDRESS] = event.address;
  u32[e + FROM] = event.from;
  f64[(e + SIZE) >>> 1] = event.bytes;
  u32[b + COUNT] += 1;
}

/** The `n`-th event of some that were copied out: `u32` and `f64` lie over the same bytes. */
export function traceEventAt(u32: Uint32Array, f64: Float64Array, n: number): TraceEvent {
  const e = n * TRACE_EVENT_WORDS;
  return {
    sequence: u32[e + SEQUENCE],
    operation: u32[e + OPERATION],
    threadId: u32[e + THREAD],
    address: u32[e + ADDRESS],
    from: u32[e + FROM],
    bytes: f64[(e + SIZE) >>> 1],
  };
}
