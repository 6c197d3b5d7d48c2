/**
 * Trace buffers: what each thread slot has traced and not yet written to a file. In shared memory,
 * so that nothing is lost when its thread is killed. Only heaps with `trace` have them.
 *
 * Filled and emptied by the slot's owner (debug/tracer.ts), one after the other; read by the thread
 * that puts the trace together (trace/merge-trace.ts), which ends tracing for all first.
 *
 *     words   field      access   meaning
 *     0       count      atomic   events in the buffer; written by the owner
 *     1       emptied    atomic   how often the buffer was emptied; written by the owner
 *     2       state      atomic   TRACE_RUNNING, TRACE_ENDED or TRACE_WRITTEN; of the whole heap,
 *                                 but each slot has one to look at; set by who ends tracing
 *     3       lost       plain    events that found no room, since no file could be written
 *     4..15   -
 *     16..    events     plain    TRACE_EVENTS times:
 *       0      sequence   place in the order of all events of the heap, from 1
 *       1      operation  TRACE_MALLOC ... TRACE_REALLOC
 *       2      threadId
 *       3      address    of the block that is there afterwards; free: of the one that was
 *       4      from       realloc: the block's address before
 *       5      -
 *       6,7    bytes      Float64: requested
 *
 * A full buffer goes to the slot's spool file, which is nothing but events as they stand here.
 *
 * I1  An event is whole before it is counted.
 * I2  Events are written to the file before they are taken out of the buffer: who is killed in
 *     between leaves them in both, and their sequence tells.
 * I3  The file, and then the buffer, hold a slot's events by ascending sequence, but for those that
 *     are there twice: a slot has one owner at a time.
 * I4  Emptied counts up after count became 0 and before the next event is written: whoever copies
 *     the buffer and finds it unchanged has copied whole events.
 */

import { LINE_WORDS, WORD_BYTES, type WordIndex } from '../base/index.js';
import { atomics } from './atomics.js';
import { orderReads, orderWrites } from './memory-order.js';

/** What was called, as trace files number it. alignedAlloc is a malloc to them. */
export const TRACE_MALLOC = 1;
export const TRACE_FREE = 2;
export const TRACE_CALLOC = 3;
export const TRACE_REALLOC = 4;

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
export const TRACE_EVENT_BYTES = TRACE_EVENT_WORDS * WORD_BYTES;

/** The trace of this heap is being recorded. */
export const TRACE_RUNNING = 0;
/** Nobody appends to a buffer any more; files and buffers are being read. */
export const TRACE_ENDED = 1;
/** The trace is written, the spool files are gone. */
export const TRACE_WRITTEN = 2;

const COUNT = 0;
const EMPTIED = COUNT + 1;
const STATE = EMPTIED + 1;
const LOST = STATE + 1;
const EVENTS = LINE_WORDS;

const SEQUENCE = 0;
const OPERATION = SEQUENCE + 1;
const THREAD = OPERATION + 1;
const ADDRESS = THREAD + 1;
const FROM = ADDRESS + 1;
const SIZE = FROM + 2;

if (SIZE % 2 !== 0) throw new Error('trace buffer: not 8-byte aligned');
if (LOST >= EVENTS || SIZE + 2 !== TRACE_EVENT_WORDS) throw new Error('trace buffer: wrong sizes');

export const TRACE_BUFFER_BYTES = (EVENTS + TRACE_EVENTS * TRACE_EVENT_WORDS) * WORD_BYTES;

/** How often a copy that another thread spoiled is made anew: it can do that once, having ended. */
const COPY_ATTEMPTS_MAX = 8;

export const traceBuffer = (buffers: WordIndex, slot: number): WordIndex =>
  (buffers + (slot * TRACE_BUFFER_BYTES) / WORD_BYTES) as WordIndex;

/** The file that a slot's full buffers go to. The heap's id keeps those of other runs out. */
export const spoolPath = (path: string, heapId: string, slot: number): string =>
  `${path}.${heapId}.slot${slot}.spool`;

// ---- the owner's

/** For the owner, who alone writes it. */
export const getTraceCount = (i32: Int32Array, b: WordIndex): number => i32[b + COUNT];

/** A plain load: late by an event at most. */
export const peekTraceState = (i32: Int32Array, b: WordIndex): number => i32[b + STATE];
export const loadTraceState = (i32: Int32Array, b: WordIndex): number =>
  atomics.load(i32, b + STATE);

export const getLost = (u32: Uint32Array, b: WordIndex): number => u32[b + LOST];
export const addLost = (u32: Uint32Array, b: WordIndex): void => {
  u32[b + LOST] += 1;
};

/** The first byte of the events: for writing them out as they are. */
export const traceEventsByte = (b: WordIndex): number => (b + EVENTS) * WORD_BYTES;

/** Appends an event to a buffer that is not full. */
export function appendTrace(
  i32: Int32Array,
  u32: Uint32Array,
  f64: Float64Array,
  b: WordIndex,
  event: TraceEvent,
): void {
  const count = i32[b + COUNT];
  const e = b + EVENTS + count * TRACE_EVENT_WORDS;
  u32[e + SEQUENCE] = event.sequence;
  u32[e + OPERATION] = event.operation;
  u32[e + THREAD] = event.threadId;
  u32[e + ADDRESS] = event.address;
  u32[e + FROM] = event.from;
  f64[(e + SIZE) >>> 1] = event.bytes;
  atomics.store(i32, b + COUNT, count + 1);
}

/** Takes out all events, which are in the file by now. */
export function emptyTrace(i32: Int32Array, b: WordIndex): void {
  atomics.store(i32, b + COUNT, 0);
  atomics.add(i32, b + EMPTIED, 1);
  orderWrites();
}

// ---- of who puts the trace together

/** Ends tracing for all slots; false when someone else has done so. */
export function endTrace(i32: Int32Array, buffers: WordIndex, slots: number): boolean {
  // Failure: another thread puts this trace together. The state never goes back.
  const first = buffers + STATE;
  if (atomics.compareExchange(i32, first, TRACE_RUNNING, TRACE_ENDED) !== TRACE_RUNNING) {
    return false;
  }
  setTraceState(i32, buffers, slots, TRACE_ENDED);
  return true;
}

export function setTraceState(
  i32: Int32Array,
  buffers: WordIndex,
  slots: number,
  state: number,
): void {
  for (let s = 0; s < slots; s++) atomics.store(i32, traceBuffer(buffers, s) + STATE, state);
}

/** Copies a buffer's events into `target`, whoever owns the slot; how many these were. */
export function copyTrace(
  i32: Int32Array,
  u32: Uint32Array,
  b: WordIndex,
  target: Uint32Array,
): number {
  for (let n = 0; n < COPY_ATTEMPTS_MAX; n++) {
    const emptied = atomics.load(i32, b + EMPTIED);
    const count = atomics.load(i32, b + COUNT);
    const first = b + EVENTS;
    target.set(u32.subarray(first, first + count * TRACE_EVENT_WORDS));
    orderReads();
    // Otherwise the owner wrote them to its file meanwhile, and began anew.
    if (atomics.load(i32, b + EMPTIED) === emptied) return count;
  }
  return 0;
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
