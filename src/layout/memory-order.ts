/**
 * Memory order: keeps plain accesses in order where two threads share memory without a lock.
 *
 * Used by all code that reads or writes such words; docs/memory-model.md lists them. Any thread.
 *
 * JavaScript has no memory fence. On ARM64, in all versions of Node, an atomic load is LDAR, an
 * atomic store is STLR, and an atomic change (add, exchange, compareExchange ...) is a loop of
 * LDAXR and STLXR without a barrier: an access after the change may become visible before it. The
 * processor completes every access before an STLR or STLXR first, starts every access after an LDAR
 * later, and keeps an LDAR behind an earlier STLR or STLXR. So one atomic access of a private word
 * works as the missing fence. x64 needs no fence.
 */

import { atomics } from './atomics.js';

const own = new Int32Array(1);
const isOrdered = globalThis.process?.arch === 'x64';

/** Called before an atomic load: completes all earlier reads before the load. */
export function orderReads(): void {
  if (!isOrdered) atomics.store(own, 0, 0);
}

/** Called after an atomic store or change: makes later writes visible after it. */
export function orderWrites(): void {
  if (!isOrdered) atomics.load(own, 0);
}

/**
 * Writes a word that others read without a lock: a thread that sees it sees all earlier writes,
 * too.
 */
export function publish(u32: Uint32Array, word: number, value: number): void {
  atomics.store(u32, word, value);
}
