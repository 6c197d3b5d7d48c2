/**
 * Thread words: the number by which locks and slots name their owner.
 *
 * Used by sync/ alone. Computed once per thread and heap.
 *
 *     bits 0..21   OS thread id            bits 22..30   low bits of the thread's start time
 *
 * A slot number would not do: after the slot is reused two threads would own one lock. A thread id
 * alone comes round again (ids wrap at 32,768 on small machines), so its start time in clock ticks
 * (field 22 of /proc/thread-self/stat) is part of the name. Where there is no /proc, a counter in
 * the heap names its threads.
 *
 * I1  A thread word is never 0 and never has bit 31, which marks waiters in a lock word.
 */

import type { WordIndex } from '../base/index.js';
import { addAttachment } from '../layout/index.js';

/** Names a thread of this process; 0 is nobody. */
export type ThreadWord = number & { readonly thread: 'ThreadWord' };

const ID_BITS = 22;
const ID_MASK = (1 << ID_BITS) - 1;
const START_MASK = (1 << (31 - ID_BITS)) - 1;
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

/** The calling thread's word for the heap with this header. */
export function currentThreadWord(i32: Int32Array, header: WordIndex): ThreadWord {
  return own !== 0 ? own : wordFromCounter(i32, header);
}

/**
 * Does the thread with this word still run? Reads /proc, with no help of the event loop; undefined
 * where there is no /proc to ask. A joined thread stands in /proc for a moment more, marked exiting.
 */
export function isAlive(word: ThreadWord): boolean | undefined {
  if (own === 0) return undefined;
  const id = word & ID_MASK;
  return wordFromStat(id, `/proc/self/task/${id}/stat`) === word;
}

function wordFromProc(): ThreadWord {
  try {
    const path = fileSystem?.readlinkSync('/proc/thread-self') ?? '';
    const id = Number(path.slice(path.lastIndexOf('/') + 1));
    return id > 0 && id <= ID_MASK ? wordFromStat(id, '/proc/thread-self/stat') : NOBODY;
  } catch {
    return NOBODY;
  }
}

/** The word of the thread that a stat file tells of; 0 where there is none, or it is at its end. */
function wordFromStat(id: number, path: string): ThreadWord {
  try {
    const stat = fileSystem?.readFileSync(path, 'latin1') ?? '';
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    const start = fields[START_FIELD];
    if (start === undefined || (Number(fields[FLAGS_FIELD]) & EXITING) !== 0) return NOBODY;
    return (id | (Number(BigInt(start) & BigInt(START_MASK)) << ID_BITS)) as ThreadWord;
  } catch {
    return NOBODY;
  }
}

function wordFromCounter(i32: Int32Array, header: WordIndex): ThreadWord {
  return (addAttachment(i32, header) & 0x7fffffff || 1) as ThreadWord;
}
