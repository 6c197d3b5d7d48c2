/**
 * Memory order: keeps plain accesses in order where two threads meet in shared memory without a lock.
 *
 * Used by whoever reads or writes such words; docs/memory-model.md has all of them. Any thread.
 *
 * JavaScript has no memory fence. On ARM64 an atomic load is LDAR, an atomic store STLR, and an atomic
 * change (add, exchange, compareExchange ...) a loop of LDAXR and STLXR without a barrier, in all
 * versions of Node: what stands behind a change may be seen before it. Every access before an STLR or
 * STLXR is done before it, every one behind an LDAR after it, and an LDAR that stands behind one of the
 * others after that. So an access of a word that nobody else has is what is missing. x64 needs none of it.
 */

import { atomics } from './atomics.js';

const own = new Int32Array(1);
const isOrdered = globalThis.process?.arch === 'x64';

/** Before an atomic load: what was read before is read before that. */
export function orderReads(): void {
  if (!isOrdered) atomics.store(own, 0, 0);
}

/** After an atomic store or change: what is written from now on is not seen before that. */
export function orderWrites(): void {
  if (!isOrdered) atomics.load(own, 0);
}

/** Writes a word that others read without a lock: who sees it sees all that was written before. */
export function publish(u32: Uint32Array, word: number, value: number): void {
  atomics.store(u32, word, value);
}
