/**
 * The debug options of a heap: the program's choices combined with the environment's.
 *
 * Used by heap-options.ts. OPTIONS is the only table: values in code, variables, the help text and
 * the table in docs/debugging.md are all made from it.
 *
 * I1  The environment of the thread that creates the heap takes precedence: an option can be turned
 *     on and off without a change of the program.
 * I2  A mistake in code throws; a mistake in the environment causes a warning and is ignored.
 */

import { resolve } from 'node:path';
import { type OptionValues, readOptions } from '../base/index.js';
import type * as DebugRecord from '../layout/debug-record.js';
import type { DebugSettings } from '../layout/index.js';
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
 * Debug options of `SharedHeap.create({ debug })`. Each option has an environment variable, which
 * takes precedence: `guard` and `SHMALLOC_GUARD`, `onError` and `SHMALLOC_ON_ERROR`.
 */
export interface DebugOptions {
  /** Fill freed blocks with 0x55. */
  scribble?: boolean | undefined;
  /** Fill new blocks with 0xAA. */
  preScribble?: boolean | undefined;
  /**
   * Bytes of red zone before and after each block: 0 to 4096, or a text such as `'1KiB'`; rounded
   * up to a multiple of 16.
   */
  guard?: number | string | undefined;
  /** Bytes of freed blocks that each thread holds back before they can be reused: below 4 GiB. */
  quarantine?: number | string | undefined;
  /** Number of calls of a thread after which the heap is first verified. */
  checkStart?: number | undefined;
  /** Number of calls between later checks; without `checkStart`, also before the first check. */
  checkEach?: number | undefined;
  /**
   * A free claims its block atomically, so that two threads that free one block at once are caught.
   */
  strict?: boolean | undefined;
  /** What a bad free does: throw an error, warn, or nothing. */
  onError?: (typeof DebugRecord.ON_ERROR)[number] | undefined;
  /** Number of events kept of each thread: up to 1,000,000. */
  history?: number | undefined;
  /** Frames of call stacks, up to 64; with `every`, only each n-th event gets a stack. */
  stacks?: number | { depth: number; every?: number | undefined } | undefined;
  /** Write a trace of all calls to this file. */
  trace?: string | undefined;
  /** Report live blocks when the thread that created the heap detaches or ends. */
  leaks?: boolean | undefined;
  /** Print statistics when the thread that created the heap detaches or ends. */
  stats?: boolean | undefined;
  /** Every block is a run of its own. */
  direct?: boolean | undefined;
  /** Print all debug options, once. */
  help?: boolean | undefined;
}

/** The parsed options. */
interface Choices {
  scribble: boolean;
  preScribble: boolean;
  guard: number;
  quarantine: number;
  checkStart: number;
  checkEach: number;
  strict: boolean;
  onError: (typeof DebugRecord.ON_ERROR)[number];
  history: number;
  stacks: StackChoice;
  trace: string;
  leaks: boolean;
  stats: boolean;
  direct: boolean;
  help: boolean;
}

/** An option: its kind, its variable, its name in older systems, its meaning. */
export interface DebugOption<Value = unknown> {
  readonly kind: OptionKind<Value>;
  readonly variable: string;
  /** Name of a similar option elsewhere; empty = none known. */
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
    'hold back this many bytes of freed blocks in each thread',
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
    'keep the last events of each thread, this many',
  ),
  stacks: option(
    STACKS,
    'STACKS',
    'MallocStackLogging',
    'call stacks of this many frames; for every n-th event only, as in 16,100',
  ),
  trace: option(FILE, 'TRACE', 'mtrace, MALLOC_TRACE', 'write all calls to a trace file'),
  leaks: option(
    YES_OR_NO,
    'LEAKS',
    'leaks --atExit, valgrind',
    'report live blocks at the end of the thread that made the heap',
  ),
  stats: option(
    YES_OR_NO,
    'STATS',
    'MALLOC_CONF=stats_print',
    'print statistics at the end of that thread',
  ),
  direct: option(
    YES_OR_NO,
    'DIRECT',
    'MALLOC_FORCE_MMAP',
    'make every allocation a run of pages of its own',
  ),
  help: option(YES_OR_NO, 'HELP', 'MallocHelp', 'print this table'),
};

/**
 * Variables that are not options of a heap and are read elsewhere; listed so that they are known.
 */
export const OTHER_VARIABLES: readonly DebugOption[] = [
  option(
    {
      ...YES_OR_NO,
      allowed: '1 or 0',
      // sync/mutex.ts compares with '1' only.
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
 * @throws TypeError, RangeError ERR_SHMALLOC_INVALID_OPTION for a mistake in code
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
    // Absolute, since other threads may open the file from another working directory.
    tracePath: trace === '' ? '' : resolve(trace),
  };
}
