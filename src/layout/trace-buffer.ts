/**
 * Trace buffers: the events that each thread slot has traced and not yet written to a file. They
 * are in shared memory, so that nothing is lost when a thread is killed. Only heaps with the option
 * `trace` have them.
 *
 * The slot's owner fills and empties its buffer (debug/tracer.ts). The thread that puts the trace
 * together (trace/merge-trace.ts) reads all buffers, after it has ended tracing for all threads.
 *
 *     words   field      access   meaning
 *     0       count      atomic   events in the buffer; written by the owner
 *     1       emptied    atomic   number of times that the buffer was emptied; written by the owner
 *     2       state      atomic   RUNNING, ENDED or WRITTEN: the state of the
 *                                 whole heap, kept in each buffer; written by the thread that ends
 *                                 tracing
 *     3       lost       plain    number of events lost because no file could be written
 *     4..15   -
 *     16..    events     plain    EVENTS_MAX times:
 *       0      sequence   number of the event among all events of the heap, from 1
 *       1      operation  MALLOC ... REALLOC
 *       2      threadId
 *       3      address    of the block after the call; free: of the freed block
 *       4      from       realloc: the block's address before the call
 *       5      -
 *       6,7    bytes      Float64: requested
 *
 * A full buffer is appended to the slot's spool file, which holds events in the same form.
 *
 * I1  An event is complete before it is counted.
 * I2  Events are written to the file before they are removed from the buffer. If the owner is
 *     killed in between, both have them, and their sequence numbers show it.
 * I3  First the file and then the buffer hold a slot's events in ascending sequence, except for
 *     events that are in both: a slot has one owner at a time.
 * I4  `emptied` counts up after count became 0 and before the next event is written: a thread that
 *     copies the buffer and finds `emptied` unchanged has copied complete events.
 */

import { LINE_WORDS, WORD_BYTES, type WordIndex } from '../base/index.js';
import { atomics } from './atomics.js';
import type { HeapViews } from './memory.js';
import { orderReads, orderWrites } from './memory-order.js';

/** The traced calls, as numbered in trace files. alignedAlloc is traced as a malloc. */
export const MALLOC = 1;
export const FREE = 2;
export const CALLOC = 3;
export const REALLOC = 4;

/** One traced call. */
export interface TraceEvent {
  readonly sequence: number;
  readonly operation: number;
  readonly threadId: number;
  readonly address: number;
  readonly from: number;
  readonly bytes: number;
}

export const EVENTS_MAX = 1024;
export const EVENT_WORDS = 8;
export const EVENT_BYTES = EVENT_WORDS * WORD_BYTES;

/** The heap's trace is being recorded. */
export const RUNNING = 0;
/** No thread appends events any more; files and buffers are being read. */
export const ENDED = 1;
/** The trace is written, and the spool files are deleted. */
export const WRITTEN = 2;

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
if (LOST >= EVENTS || SIZE + 2 !== EVENT_WORDS) throw new Error('trace buffer: wrong sizes');

export const BYTES = (EVENTS + EVENTS_MAX * EVENT_WORDS) * WORD_BYTES;

/** Maximum copies of a buffer. Its owner can spoil only one, since tracing has ended. */
const COPY_ATTEMPTS_MAX = 8;

export const at = (buffers: WordIndex, slot: number): WordIndex =>
  (buffers + (slot * BYTES) / WORD_BYTES) as WordIndex;

/** The path of a slot's spool file. The heap's id keeps it apart from files of other runs. */
export const spoolPath = (path: string, heapId: string, slot: number): string =>
  `${path}.${heapId}.slot${slot}.spool`;

// ---- For the slot's owner

/** The number of events, read plainly: for the owner, the only thread that writes it. */
export const getCount = (i32: Int32Array, b: WordIndex): number => i32[b + COUNT];

/** The state, read plainly: late by one event at most. */
export const peekState = (i32: Int32Array, b: WordIndex): number => i32[b + STATE];
export const loadState = (i32: Int32Array, b: WordIndex): number => atomics.load(i32, b + STATE);

export const getLost = (u32: Uint32Array, b: WordIndex): number => u32[b + LOST];
export const addLost = (u32: Uint32Array, b: WordIndex): void => {
  u32[b + LOST] += 1;
};

/** Byte offset of the events, for writing them to a file in the same form. */
export const eventsByte = (b: WordIndex): number => (b + EVENTS) * WORD_BYTES;

/** Appends an event to a buffer that is not full. */
export function append(
  { i32, u32, f64 }: Pick<HeapViews, 'i32' | 'u32' | 'f64'>,
  b: WordIndex,
  event: TraceEvent,
): void {
  const count = i32[b + COUNT];
  const e = b + EVENTS + count * EVENT_WORDS;
  u32[e + SEQUENCE] = event.sequence;
  u32[e + OPERATION] = event.operation;
  u32[e + THREAD] = event.threadId;
  u32[e + ADDRESS] = event.address;
  u32[e + FROM] = event.from;
  f64[(e + SIZE) >>> 1] = event.bytes;
  atomics.store(i32, b + COUNT, count + 1);
}

/** Removes all events, after they are in the file. */
export function empty(i32: Int32Array, b: WordIndex): void {
  atomics.store(i32, b + COUNT, 0);
  atomics.add(i32, b + EMPTIED, 1);
  orderWrites();
}

// ---- For the thread that puts the trace together

/** Ends tracing for all slots; returns false if another thread has done so before. */
export function end(i32: Int32Array, buffers: WordIndex, slots: number): boolean {
  // On failure another thread puts this trace together. The state never goes back.
  const first = buffers + STATE;
  if (atomics.compareExchange(i32, first, RUNNING, ENDED) !== RUNNING) {
    return false;
  }
  setState(i32, buffers, slots, ENDED);
  return true;
}

export function setState(i32: Int32Array, buffers: WordIndex, slots: number, state: number): void {
  for (let s = 0; s < slots; s++) atomics.store(i32, at(buffers, s) + STATE, state);
}

/** Copies a buffer's events into `target`, also while its owner works; returns their number. */
export function copy(i32: Int32Array, u32: Uint32Array, b: WordIndex, target: Uint32Array): number {
  for (let n = 0; n < COPY_ATTEMPTS_MAX; n++) {
    const emptied = atomics.load(i32, b + EMPTIED);
    const count = atomics.load(i32, b + COUNT);
    const first = b + EVENTS;
    target.set(u32.subarray(first, first + count * EVENT_WORDS));
    orderReads();
    // Otherwise the owner wrote the events to its file meanwhile, and started again.
    if (atomics.load(i32, b + EMPTIED) === emptied) return count;
  }
  return 0;
}

/** The `n`-th of copied events; `u32` and `f64` are views of the same bytes. */
export function eventAt(u32: Uint32Array, f64: Float64Array, n: number): TraceEvent {
  const e = n * EVENT_WORDS;
  return {
    sequence: u32[e + SEQUENCE],
    operation: u32[e + OPERATION],
    threadId: u32[e + THREAD],
    address: u32[e + ADDRESS],
    from: u32[e + FROM],
    bytes: f64[(e + SIZE) >>> 1],
  };
}
