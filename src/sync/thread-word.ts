/**
 * Thread words: the number by which locks, slots and the exclusive word name a thread.
 *
 * Used by sync/ and heap/thread-heap.ts. Computed once per thread and heap.
 *
 *     bits 0..29   the thread's number in worker_threads      bit 30   always set
 *
 * The number is never given twice in a process, so that a word names one thread for good. Neither a
 * slot nor the system's thread id does: both are reused, and with some bits of the start time beside
 * it the id still comes round (ids wrap at 32,768 on small machines). The number is also known to
 * whoever started the thread, who can report its end; it is there in every system; and two copies of
 * this library in one thread get the same. Which thread of the system it is stands in a table of the
 * heap (names.ts).
 *
 * I1  A thread word has bit 30, and never bit 31, which marks waiters in a lock word.
 */

/** Names a thread of this process; 0 is nobody. */
export type ThreadWord = number & { readonly thread: 'ThreadWord' };

const NAMED = 1 << 30;
const NUMBER_MASK = NAMED - 1;

/** Bit 31 of a lock word: somebody waits. As the signed view has it. */
export const WAITERS = 0x80000000 | 0;

/**
 * The owner of a lock that was taken over from a dead thread, and not repaired: dead, whoever it
 * was. No thread has so high a number.
 */
export const ABANDONED = (NAMED | NUMBER_MASK) as ThreadWord;

/** The word of the thread with this number in worker_threads. */
export function numberedWord(threadId: number): ThreadWord {
  return (NAMED | (threadId & NUMBER_MASK)) as ThreadWord;
}

/** Can a thread have this word? */
export const isThreadWord = (word: number): boolean => (word & NAMED) !== 0;

/** The thread's number in worker_threads. */
export const threadNumber = (word: ThreadWord): number => word & NUMBER_MASK;
