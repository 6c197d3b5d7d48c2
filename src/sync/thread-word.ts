/**
 * Thread words: the number by which locks and slots name a thread.
 *
 * Used by sync/ and heap/thread-heap.ts. Computed once per thread and heap.
 *
 *     bits 0..29   the thread's number in worker_threads      bit 30   always set
 *
 * A process never uses a number of worker_threads twice, so that a word names one thread for good.
 * Slots and the system's thread ids are used again (ids wrap around at 32,768 on small machines,
 * and a few bits of the start time do not make them unique). The number is also known to the
 * thread's parent, which can report its end; every system has it; and two copies of this library in
 * one thread get the same one. A table of the heap (names.ts) says which thread of the system it
 * is.
 *
 * I1  A thread word has bit 30 set, and never bit 31, which marks waiters in a lock word.
 */

/** Names a thread of this process; 0 = no thread. */
export type ThreadWord = number & { readonly thread: 'ThreadWord' };

const NAMED = 1 << 30;
const NUMBER_MASK = NAMED - 1;

/** Bit 31 of a lock word: threads wait. Signed, as the 32-bit view stores it. */
export const WAITERS = 0x80000000 | 0;

/**
 * The owner of a lock that was taken over from a dead thread and not repaired: it counts as dead.
 * No thread has so high a number.
 */
export const ABANDONED = (NAMED | NUMBER_MASK) as ThreadWord;

/** The word of the thread with this number in worker_threads. */
export function numberedWord(threadId: number): ThreadWord {
  return (NAMED | (threadId & NUMBER_MASK)) as ThreadWord;
}

/** True for the word of a possible thread. */
export const isThreadWord = (word: number): boolean => (word & NAMED) !== 0;

/** The thread's number in worker_threads. */
export const threadNumber = (word: ThreadWord): number => word & NUMBER_MASK;
