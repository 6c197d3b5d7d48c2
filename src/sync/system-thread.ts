/**
 * Threads as the operating system knows them: the calling thread's identity, and whether another
 * thread still runs.
 *
 * Used by names.ts. Any thread; does not need the event loop.
 *
 * I1  Only the system's own facts about the thread count. Any other failure of a look (no /proc, no
 *     permission, no file descriptor left, a file system that a test has put in place of the real
 *     one) means neither death nor life, and is reported as what it is.
 */

import { closeSync, openSync, readlinkSync, readSync } from '../base/index.js';
import * as Names from '../layout/names.js';

/** The result of one look at a thread. */
export interface Look {
  /** undefined = not known. */
  readonly isAlive: boolean | undefined;
  /** The reason why it is not known, as the end of a sentence. */
  readonly why: string;
}

/** A thread of this process, as the system identifies it. */
export interface SystemThread {
  /** 0 = not known. */
  readonly id: number;
  /** Clock ticks from the system's start to the thread's start; 0 = not known. */
  readonly start: number;
}

export const ALIVE: Look = { isAlive: true, why: '' };
export const DEAD: Look = { isAlive: false, why: '' };
const unknown = (why: string): Look => ({ isAlive: undefined, why });

/** Maximum id that an entry of the table of names can hold. */
const ID_MAX = 2 ** 30 - 1;
/** Indexes of fields 9 and 22 of a stat line, counted after the command name, which is field 2. */
const FLAGS_FIELD = 9 - 3;
const START_FIELD = 22 - 3;
/** PF_EXITING of Linux: the thread runs no program code any more, though /proc still shows it. */
const EXITING = 4;
const [SPACE, ZERO, NINE, CLOSING] = [0x20, 0x30, 0x39, 0x29];

/** Maximum bytes of a stat line: 52 numbers and a name of 16 characters are shorter. */
const STAT_BYTES_MAX = 2048;

let ownFault = '';
/** Read when the module is loaded, so that no attach has to wait half a millisecond for it. */
const own = readOwn();

/** The calling thread. */
export const ownSystemThread = (): SystemThread => own;

/**
 * Checks whether a thread of this process still runs. /proc shows a joined thread for a moment,
 * exiting.
 */
export function lookAt({ id, start }: SystemThread): Look {
  if (own.id === 0) return unknown(`this thread cannot look: ${ownFault}`);
  if (id === 0) return unknown('it could not read its own id in /proc when it attached');
  const path = statPath(id);
  let stat: Uint8Array;
  try {
    stat = readStat(path);
  } catch (error) {
    if (!isGone(error)) return unknown(`${path} cannot be read (${codeOf(error)})`);
    // The entry is missing. If /proc is out of reach by now, every entry is missing, also our own.
    return canSeeItself() ? DEAD : unknown(`this thread does not find itself in /proc any more`);
  }
  const started = fieldOf(stat, START_FIELD);
  if (started < 0) return unknown(`${path} has no start time`);
  if (start !== 0 && !Names.isSameStart(start, started)) return DEAD;
  return (fieldOf(stat, FLAGS_FIELD) & EXITING) === 0 ? ALIVE : DEAD;
}

function statPath(id: number): string {
  return `/proc/self/task/${id}/stat`;
}

function canSeeItself(): boolean {
  try {
    return fieldOf(readStat(statPath(own.id)), START_FIELD) === own.start;
  } catch {
    return false;
  }
}

function readOwn(): SystemThread {
  const nobody = { id: 0, start: 0 };
  if (readlinkSync === undefined) {
    ownFault = 'there is no file system to read /proc from';
    return nobody;
  }
  try {
    // "1234/task/1240"
    const link = readlinkSync('/proc/thread-self');
    let id = 0;
    for (let at = 0; at < link.length; at++) {
      const digit = Number(link[at]);
      id = link[at] === '/' ? 0 : id * 10 + (digit >= 0 ? digit : 0);
    }
    if (id === 0 || id > ID_MAX) throw new Error(link);
    const start = fieldOf(readStat(statPath(id)), START_FIELD);
    if (start < 0) throw new Error('no start time');
    return { id, start };
  } catch (error) {
    ownFault = isGone(error) ? 'there is no /proc' : `/proc cannot be read (${codeOf(error)})`;
    return nobody;
  }
}

function isGone(error: unknown): boolean {
  const { code } = error as { code?: unknown };
  return code === 'ENOENT' || code === 'ESRCH';
}

function codeOf(error: unknown): string {
  const { code, message } = error as { code?: unknown; message?: unknown };
  return `${code ?? message}`;
}

function readStat(path: string): Uint8Array {
  if (openSync === undefined || readSync === undefined || closeSync === undefined) {
    throw new Error('no file system');
  }
  const stat = new Uint8Array(STAT_BYTES_MAX);
  const file = openSync(path, 'r');
  try {
    return new Uint8Array(stat.buffer, 0, readSync(file, stat, 0, STAT_BYTES_MAX, null));
  } finally {
    closeSync(file);
  }
}

/**
 * A field of a stat line, counted after the command name, which may contain any character; -1 =
 * none. Reads bytes, since a program may have replaced the methods of strings.
 */
function fieldOf(stat: Uint8Array, field: number): number {
  let at = stat.length - 1;
  while (at >= 0 && stat[at] !== CLOSING) at--;
  if (at < 0) return -1;
  // One space precedes the first field.
  for (let spaces = 0; spaces <= field; at++) {
    if (at >= stat.length) return -1;
    if (stat[at] === SPACE) spaces++;
  }
  let value = -1;
  for (; at < stat.length; at++) {
    const byte = stat[at] as number;
    if (byte < ZERO || byte > NINE) break;
    value = (value < 0 ? 0 : value * 10) + byte - ZERO;
  }
  return value;
}
