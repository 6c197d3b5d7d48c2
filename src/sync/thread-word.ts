/**
 * Thread words: the number by which locks and slots name their owner.
 *
 * Used by sync/ alone. Computed once per thread and heap.
 *
 *     bits 0..21   OS thread id       bits 22..29   low bits of the thread's start time
 *     bit 30       set: bits 0..29 are the thread's number in worker_threads instead, see below
 *
 * A slot number would not do: after the slot is reused two threads would own one lock. A thread id
 * alone comes round again (ids wrap at 32,768 on small machines), so its start time in clock ticks
 * (field 22 of /proc/thread-self/stat) is part of the name. Where there is no /proc the threadId of
 * worker_threads names it: never given twice in a process, and known to whoever started the thread,
 * who can report its end (threads.ts). A count of attachments, the other choice, would say nothing
 * to the starter, and nothing of a thread that dies before it has a slot.
 *
 * I1  A thread word is never 0 and never has bit 31, which marks waiters in a lock word.
 */

/** Names a thread of this process; 0 is nobody. */
export type ThreadWord = number & { readonly thread: 'ThreadWord' };

const ID_BITS = 22;
const ID_MASK = (1 << ID_BITS) - 1;
const START_MASK = (1 << (30 - ID_BITS)) - 1;
/** Marks a word that is a threadId: /proc knows no thread of that number. */
const NUMBERED = 1 << 30;
/** Fields 9 and 22 of a stat line, counted behind the command name, which is field 2. */
const FLAGS_FIELD = 9 - 3;
const START_FIELD = 22 - 3;
/** PF_EXITING of Linux: the thread runs no program any more, though /proc still shows it. */
const EXITING = 4;

/** Bit 31 of a lock word: somebody waits. As the signed view has it. */
export const WAITERS = 0x80000000 | 0;

const NOBODY = 0 as ThreadWord;

// Not a static import: without /proc, as in a browser, there may be no such module either.
const fileSystem = globalThis.process?.getBuiltinModule?.('node:fs');

/** Read as the module loads: half a millisecond that no attach has to wait for. */
const own = wordFromProc();

/** The calling thread's word. `threadId` is its number in worker_threads. */
export function currentThreadWord(threadId: number): ThreadWord {
  return own !== NOBODY ? own : numberedWord(threadId);
}

/** How a thread is named where there is no /proc. */
export function numberedWord(threadId: number): ThreadWord {
  return (NUMBERED | (threadId & (NUMBERED - 1))) as ThreadWord;
}

/**
 * Does the thread with this word still run? Reads /proc, with no help of the event loop; undefined
 * where that cannot tell: then it must be taken for alive. A thread that was joined stands in /proc
 * for a moment more, marked exiting.
 */
export function isAlive(word: ThreadWord): boolean | undefined {
  if (own === NOBODY || (word & NUMBERED) !== 0) return undefined;
  const id = word & ID_MASK;
  try {
    const stat = readStat(`/proc/self/task/${id}/stat`);
    return wordOf(id, stat) === word && (Number(stat[FLAGS_FIELD]) & EXITING) === 0;
  } catch (error) {
    // Any other error (too many open files, say) is no news of the thread.
    const { code } = error as { code?: string };
    return code === 'ENOENT' || code === 'ESRCH' ? false : undefined;
  }
}

function wordFromProc(): ThreadWord {
  try {
    const path = fileSystem?.readlinkSync('/proc/thread-self') ?? '';
    const id = Number(path.slice(path.lastIndexOf('/') + 1));
    if (!(id > 0 && id <= ID_MASK)) return NOBODY;
    return wordOf(id, readStat('/proc/thread-self/stat'));
  } catch {
    return NOBODY;
  }
}

function wordOf(id: number, stat: readonly string[]): ThreadWord {
  const start = Number(BigInt(stat[START_FIELD] ?? '0') & BigInt(START_MASK));
  return (id | (start << ID_BITS)) as ThreadWord;
}

/** The fields of a stat file behind the command name. */
function readStat(path: string): string[] {
  const stat = fileSystem?.readFileSync(path, 'latin1') ?? '';
  return stat.slice(stat.lastIndexOf(')') + 2).split(' ');
}
