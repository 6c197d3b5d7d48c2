/**
 * Event rings: the last events of each thread slot, for heap.inspect.history(). Only heaps with the option
 * `history` have them.
 *
 * Written by the slot's owner only. Read by any thread: a reader uses an event only if the event's
 * number is the same before and after reading it. The next owner of the slot continues the ring.
 *
 *     words   field        meaning
 *     0,1     written      Float64: events ever written to this ring
 *     2..15   -
 *     16..    events       `historyEvents` times:
 *       0      number      atomic: number of the event in this ring, from 1, modulo 2^32; 0 = being
 *                          written
 *       1      operation   index into OPERATIONS
 *       2      threadId
 *       3      stack       stack-store.ts; 0 = not recorded
 *       4      address
 *       5      from        realloc: the block's address before the call
 *       6,7    time        Float64: milliseconds since 1970
 *       8,9    requested   Float64: bytes
 *       10,11  usable      Float64: bytes
 *
 * I1  An event's number is cleared before the event is written and set after it, visibly in this
 *     order.
 */

import { indexIn, LINE_WORDS, WORD_BYTES, type WordIndex } from '../base/index.js';
import { atomics } from './atomics.js';
import type { HeapMemory } from './memory.js';
import { orderReads, orderWrites } from './memory-order.js';

/** The calls that are recorded. */
export const OPERATIONS = ['malloc', 'calloc', 'alignedAlloc', 'realloc', 'free'] as const;
export type Operation = (typeof OPERATIONS)[number];

/** One recorded call. */
export interface RingEvent {
  readonly operation: Operation;
  readonly threadId: number;
  /** The stack's number in the stack store; 0 = not recorded. */
  readonly stack: number;
  readonly address: number;
  readonly from: number;
  readonly time: number;
  readonly requested: number;
  readonly usable: number;
}

const WRITTEN = 0;
const EVENTS = LINE_WORDS;

const NUMBER = 0;
const OPERATION = NUMBER + 1;
const THREAD = OPERATION + 1;
const STACK = THREAD + 1;
const ADDRESS = STACK + 1;
const FROM = ADDRESS + 1;
const TIME = FROM + 1;
const REQUESTED = TIME + 2;
const USABLE = REQUESTED + 2;
const EVENT_WORDS = USABLE + 2;

if (TIME % 2 !== 0 || EVENT_WORDS % 2 !== 0) throw new Error('event ring: not 8-byte aligned');

/** Bytes of a ring: whole cache lines. */
export const bytes = (events: number): number =>
  Math.ceil((EVENTS + events * EVENT_WORDS) / LINE_WORDS) * LINE_WORDS * WORD_BYTES;

/** The ring of one slot. */
export interface Ring {
  readonly u32: Uint32Array;
  readonly f64: Float64Array;
  /** Its first word. */
  readonly start: WordIndex;
  /** Number of events that it holds. */
  readonly events: number;
}

/** @param events number of events that each ring of this heap holds */
export const ringOf = ({ u32, f64, geometry }: HeapMemory, slot: number, events: number): Ring => ({
  u32,
  f64,
  start: (geometry.eventRings + (slot * bytes(events)) / WORD_BYTES) as WordIndex,
  events,
});

export const getWritten = ({ f64, start }: Ring): number => f64[(start + WRITTEN) >>> 1];

const eventWord = ({ start, events }: Ring, n: number): number =>
  start + EVENTS + (n % events) * EVENT_WORDS;

/** Appends an event; a full ring loses its oldest one. Owner only. */
export function append(
  ring: Ring,
  event: Omit<RingEvent, 'threadId' | 'time'>,
  threadId: number,
  time: number,
): void {
  const { u32, f64, start } = ring;
  const n = getWritten(ring);
  const e = eventWord(ring, n);
  atomics.store(u32, e + NUMBER, 0);
  orderWrites();
  u32[e + OPERATION] = indexIn(OPERATIONS, event.operation);
  u32[e + THREAD] = threadId;
  u32[e + STACK] = event.stack;
  u32[e + ADDRESS] = event.address;
  u32[e + FROM] = event.from;
  f64[(e + TIME) >>> 1] = time;
  f64[(e + REQUESTED) >>> 1] = event.requested;
  f64[(e + USABLE) >>> 1] = event.usable;
  atomics.store(u32, e + NUMBER, n + 1);
  f64[(start + WRITTEN) >>> 1] = n + 1;
}

/** The `n`-th event ever written, from 0; null if it was overwritten before or during the read. */
export function read(ring: Ring, n: number): RingEvent | null {
  const { u32, f64 } = ring;
  const e = eventWord(ring, n);
  const number = (n + 1) >>> 0;
  if (atomics.load(u32, e + NUMBER) !== number) return null;
  const event: RingEvent = {
    operation: OPERATIONS[u32[e + OPERATION]] ?? 'malloc',
    threadId: u32[e + THREAD],
    stack: u32[e + STACK],
    address: u32[e + ADDRESS],
    from: u32[e + FROM],
    time: f64[(e + TIME) >>> 1],
    requested: f64[(e + REQUESTED) >>> 1],
    usable: f64[(e + USABLE) >>> 1],
  };
  orderReads();
  return atomics.load(u32, e + NUMBER) === number ? event : null;
}
