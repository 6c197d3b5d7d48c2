/**
 * The debug options of a heap: what the program asked for, and what the environment says.
 *
 * Used by heap-options.ts. OPTIONS is the one table: values in code, variables, the help text and
 * the table in docs/debugging.md are all made from it.
 *
 * I1  The environment of the thread that makes the heap has the last word: an option can be put on
 *     and off without changing the program.
 * I2  What is wrong in code throws; what is wrong in the environment warns, and counts as not given.
 */

import { resolve } from 'node:path';
import { type OptionValues, readOptions } from '../base/index.js';
import type { DebugSettings, ON_ERROR } from '../layout/index.js';
import { printHelp } from './debug-help.js';
import { type Environment, readEnvironment } from './environment.js';
import {
  ERROR_MODE,
  FILE,
  type OptionKind,
  SIZE,
  STACKS,
  type StackChoice,
  smallSize,
  wholeNumber,
  YES_OR_NO,
} from './option-kinds.js';

/**
 * What `SharedHeap.create({ debug })` can be told. Each option has a variable of the environment,
 * which has the last word: `guard` and `SHMALLOC_GUARD`, `onError` and `SHMALLOC_ON_ERROR`.
 */
export interface DebugOptions {
  /** Fill freed blocks with 0x55. */
  scribble?: boolean;
  /** Fill new blocks with 0xAA. */
  preScribble?: boolean;
  /**
   * Bytes of red zone before and after each block: 0 to 4096, or a text like `'1KiB'`; rounded up to
   * a multiple of 16.
   */
  guard?: number | string;
  /** Bytes of freed blocks that each thread holds back before they are used again: below 4 GiB. */
  quarantine?: number | string;
  /** Verify the heap after so many calls of a thread. */
  checkStart?: number;
  /** Then after every so many. Without `checkStart` the first check comes after so many, too. */
  checkEach?: number;
  /** A free claims its block atomically: two threads that free one block at once are caught. */
  strict?: boolean;
  /** What a bad free does. */
  onError?: (typeof ON_ERROR)[number];
  /** How many events of each thread are kept: up to 1,000,000. */
  history?: number;
  /** Call stacks: how many frames, up to 64; and for every n-th event only. */
  stacks?: number | { depth: number; every?: number };
  /** Write a trace of all calls to this file. */
  trace?: string;
  /** Report live blocks when the thread that made the heap detaches or ends. */
  leaks?: boolean;
  /** Print statistics then. */
  stats?: boolean;
  /** Every block is a run of its own. */
  direct?: boolean;
  /** Print all debug options, once. */
  help?: boolean;
}

/** The same, parsed. */
interface Choices {
  scribble: boolean;
  preScribble: boolean;
  guard: number;
  quarantine: number;
  checkStart: number;
  checkEach: number;
  strict: boolean;
  onError: (typeof ON_ERROR)[number];
  history: number;
  stacks: StackChoice;
  trace: string;
  leaks: boolean;
  stats: boolean;
  direct: boolean;
  help: boolean;
}

/** An option: its kind, variable, name in older systems, meaning. */
export interface DebugOption<Value = unknown> {
  readonly kind: OptionKind<Value>;
  readonly variable: string;
  /** What does the like elsewhere; empty = nothing known. */
  readonly older: string;
  readonly meaning: string;
}

const GUARD_BYTES_MAX = 4096;
const HISTORY_EVENTS_MAX = 1_000_000;

function option<Value>(
  kind: OptionKind<Value>,
  variable: string,
  older: string,
  meaning: string,
): DebugOption<Value> {
  return { kind, variable: `SHMALLOC_${variable}`, older, meaning };
}

export const OPTIONS: { readonly [Name in keyof Choices]: DebugOption<Choices[Name]> } = {
  scribble: option(YES_OR_NO, 'SCRIBBLE', 'MallocScribble', 'fill freed blocks with 0x55'),
  preScribble: option(YES_OR_NO, 'PRESCRIBBLE', 'MallocPreScribble', 'fill new blocks with 0xAA'),
  guard: option(
    smallSize(GUARD_BYTES_MAX),
    'GUARD',
    'MallocGuardEdges',
    'red zones before and after each block',
  ),
  quarantine: option(
    SIZE,
    'QUARANTINE',
    'ASan quarantine',
    'hold back so many bytes of freed blocks in each thread',
  ),
  checkStart: option(
    wholeNumber('n'),
    'CHECK_START',
    'MallocCheckHeapStart',
    'verify the heap after n calls of a thread',
  ),
  checkEach: option(
    wholeNumber('m'),
    'CHECK_EACH',
    'MallocCheckHeapEach',
    'then after every m calls',
  ),
  strict: option(
    YES_OR_NO,
    'STRICT',
    '',
    'catch two threads that free one block at the same moment',
  ),
  onError: option(
    ERROR_MODE,
    'ON_ERROR',
    'MALLOC_CHECK_',
    'what a bad free does: throw an error, warn, or ignore it',
  ),
  history: option(
    wholeNumber('events', HISTORY_EVENTS_MAX),
    'HISTORY',
    'MallocStackLogging',
    'keep so many last events of each thread',
  ),
  stacks: option(
    STACKS,
    'STACKS',
    'MallocStackLogging',
    'call stacks of so many frames; of every n-th event only, as in 16,100',
  ),
  trace: option(FILE, 'TRACE', 'mtrace, MALLOC_TRACE', 'write all calls to a trace file'),
  leaks: option(
    YES_OR_NO,
    'LEAKS',
    'leaks --atExit, valgrind',
    'report live blocks at the end of the thread that made the heap',
  ),
  stats: option(YES_OR_NO, 'STATS', 'MALLOC_CONF=stats_print', 'print statistics at its end'),
  direct: option(
    YES_OR_NO,
    'DIRECT',
    'MALLOC_FORCE_MMAP',
    'make every allocation a run of pages of its own',
  ),
  help: option(YES_OR_NO, 'HELP', 'MallocHelp', 'print this table'),
};

/** Read elsewhere, and no option of a heap: its variable must be neither unknown nor wrong. */
export const OTHER_VARIABLES: readonly DebugOption[] = [
  option(
    {
      ...YES_OR_NO,
      allowed: '1 or 0',
      // sync/mutex.ts knows no other way to say yes.
      fromText: (text) => (text === '1' ? true : text === '0' ? false : undefined),
    },
    'CHECKED',
    '',
    'check the order of locks at every acquisition (for work on shmalloc itself)',
  ),
];

const IN_CODE = Object.fromEntries(
  Object.entries(OPTIONS).map(([name, { kind }]) => [name, kind]),
) as unknown as OptionValues<Choices>;

/**
 * The settings of a new heap.
 * @throws TypeError, RangeError ERR_SHMALLOC_INVALID_OPTION for what code got wrong
 */
export function resolveDebug(
  given: DebugOptions = {},
  environment: Environment = process.env,
): DebugSettings {
  const inCode = readOptions('SharedHeap.create', given, IN_CODE, 'debug');
  const named = Object.entries(OPTIONS) as [keyof Choices, DebugOption][];
  const said = readEnvironment(environment, [...Object.values(OPTIONS), ...OTHER_VARIABLES]);
  const choices = Object.fromEntries(
    named.map(([name, { kind, variable }]) => [
      name,
      said.get(variable) ?? inCode[name] ?? kind.off,
    ]),
  ) as unknown as Choices;
  if (choices.help) printHelp(Object.entries(OPTIONS), OTHER_VARIABLES);
  return settingsOf(choices);
}

function settingsOf(choices: Choices): DebugSettings {
  const { guard, quarantine, history, stacks, trace, checkStart, checkEach } = choices;
  return {
    scribble: choices.scribble,
    preScribble: choices.preScribble,
    strict: choices.strict,
    direct: choices.direct,
    leaks: choices.leaks,
    stats: choices.stats,
    onError: choices.onError,
    guardBytes: guard,
    quarantineBytes: quarantine,
    checkStart: checkStart === 0 ? checkEach : checkStart,
    checkEach,
    historyEvents: history,
    stackDepth: stacks.depth,
    stackEvery: stacks.every,
    // Other threads may be anywhere else when they open it.
    tracePath: trace === '' ? '' : resolve(trace),
  };
}
