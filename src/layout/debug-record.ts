/**
 * The debug record: the heap's debug options, for all its threads. It follows the header directly,
 * so that it can be found before the rest of the layout is known.
 *
 * Written once by creation, read at attach. The two counters are written by the threads of a heap
 * that has the option.
 *
 *     word   field        access   meaning
 *     0      flags        plain    the options that are on or off, one bit each: see FLAGS
 *     1      onError      plain    the reaction to a bad free: index into ON_ERROR
 *     2      guard        plain    bytes of red zone before and after each block; 0 = none
 *     3      quarantine   plain    bytes of freed blocks that each thread holds back; 0 = none
 *     4      checkStart   plain    calls of a thread before its first check; 0 = no checks
 *     5      checkEach    plain    calls between its checks; 0 = only the first check
 *     6      history      plain    events in each thread's ring; 0 = no history
 *     7      stackDepth   plain    frames of a recorded call stack; 0 = no call stacks
 *     8      stackEvery   plain    events per recorded call stack
 *     9,10   secret       plain    random: keys the red zones
 *     11     sequence     atomic   events traced so far
 *     12     pathBytes    plain    length of the trace file's path
 *     16..   path         plain    UTF-8
 */

import { LINE_WORDS, rangeError, WORD_BYTES, type WordIndex } from '../base/index.js';
import { atomics } from './atomics.js';

/** The reactions to a bad free. */
export const ON_ERROR = ['throw', 'warn', 'ignore'] as const;

/** The debug options of a heap, all of them set. */
export interface DebugSettings {
  /** Free fills blocks. */
  readonly scribble: boolean;
  /** Malloc fills blocks. */
  readonly preScribble: boolean;
  /** Free claims its block atomically. */
  readonly strict: boolean;
  /** Every block is a run of its own. */
  readonly direct: boolean;
  /** The thread that created the heap reports the live blocks when it ends. */
  readonly leaks: boolean;
  /** The thread that created the heap prints the statistics when it ends. */
  readonly stats: boolean;
  readonly onError: (typeof ON_ERROR)[number];
  /** Bytes of red zone before and after each block. */
  readonly guardBytes: number;
  /** Bytes of freed blocks that each thread holds back. */
  readonly quarantineBytes: number;
  readonly checkStart: number;
  readonly checkEach: number;
  /** Events in each thread's ring. */
  readonly historyEvents: number;
  /** Frames of a recorded call stack; 0 = none. */
  readonly stackDepth: number;
  readonly stackEvery: number;
  /** Path of the trace file; empty = no trace. */
  readonly tracePath: string;
}

/** The settings of a heap without debug options. */
export const NONE: DebugSettings = {
  scribble: false,
  preScribble: false,
  strict: false,
  direct: false,
  leaks: false,
  stats: false,
  onError: 'throw',
  guardBytes: 0,
  quarantineBytes: 0,
  checkStart: 0,
  checkEach: 0,
  historyEvents: 0,
  stackDepth: 0,
  stackEvery: 1,
  tracePath: '',
};

/** Options that are on or off, by their bit. */
const FLAGS = ['scribble', 'preScribble', 'strict', 'direct', 'leaks', 'stats'] as const;

/** Options that are numbers, by their word. */
const NUMBERS = [
  'guardBytes',
  'quarantineBytes',
  'checkStart',
  'checkEach',
  'historyEvents',
  'stackDepth',
  'stackEvery',
] as const;

const FLAG_BITS = 0;
const ON_ERROR_INDEX = FLAG_BITS + 1;
const FIRST_NUMBER = ON_ERROR_INDEX + 1;
const SECRET = FIRST_NUMBER + NUMBERS.length;
const SEQUENCE = SECRET + 2;
const PATH_LENGTH = SEQUENCE + 1;
const PATH = LINE_WORDS;
const PATH_LINES = 16;

/** Maximum bytes of a trace file's path. */
export const TRACE_PATH_BYTES_MAX = PATH_LINES * LINE_WORDS * WORD_BYTES;
export const BYTES = PATH * WORD_BYTES + TRACE_PATH_BYTES_MAX;

if (PATH_LENGTH >= LINE_WORDS) throw new Error('debug record: the first line is too long');

/**
 * True if the heap's calls go through the debug layer, with a record for each block. Reports at the
 * end and the reaction to errors do not need the layer.
 */
export const isInstrumented = (settings: DebugSettings): boolean =>
  settings.scribble ||
  settings.preScribble ||
  settings.strict ||
  settings.direct ||
  settings.tracePath !== '' ||
  settings.guardBytes +
    settings.quarantineBytes +
    settings.checkStart +
    settings.checkEach +
    settings.historyEvents +
    settings.stackDepth >
    0;

/** Writes the record. @throws RangeError when the path is too long */
export function write(
  u32: Uint32Array,
  r: WordIndex,
  settings: DebugSettings,
  secret: readonly [number, number],
): void {
  const path = new TextEncoder().encode(settings.tracePath);
  if (path.length > TRACE_PATH_BYTES_MAX) {
    throw rangeError(
      'ERR_SHMALLOC_INVALID_OPTION',
      `the path of a trace has at most ${TRACE_PATH_BYTES_MAX} bytes, got ${path.length}`,
    );
  }
  u32[r + FLAG_BITS] = FLAGS.reduce((bits, flag, n) => bits | (Number(settings[flag]) << n), 0);
  u32[r + ON_ERROR_INDEX] = ON_ERROR.indexOf(settings.onError);
  NUMBERS.forEach((name, n) => {
    u32[r + FIRST_NUMBER + n] = settings[name];
  });
  u32.set(secret, r + SECRET);
  u32[r + SEQUENCE] = 0;
  u32[r + PATH_LENGTH] = path.length;
  new Uint8Array(u32.buffer, u32.byteOffset).set(path, (r + PATH) * WORD_BYTES);
}

export function read(u32: Uint32Array, r: WordIndex): DebugSettings {
  const bits = u32[r + FLAG_BITS];
  const flags = Object.fromEntries(FLAGS.map((flag, n) => [flag, ((bits >>> n) & 1) === 1]));
  const numbers = Object.fromEntries(NUMBERS.map((name, n) => [name, u32[r + FIRST_NUMBER + n]]));
  return {
    ...(flags as Pick<DebugSettings, (typeof FLAGS)[number]>),
    ...(numbers as Pick<DebugSettings, (typeof NUMBERS)[number]>),
    onError: ON_ERROR[u32[r + ON_ERROR_INDEX]] ?? 'throw',
    tracePath: readPath(u32, r),
  };
}

function readPath(u32: Uint32Array, r: WordIndex): string {
  const bytes = Math.min(u32[r + PATH_LENGTH], TRACE_PATH_BYTES_MAX);
  // No decoder is made where there is nothing to decode: this runs at each attach.
  if (bytes === 0) return '';
  const start = (r + PATH) * WORD_BYTES;
  // Copied, since browsers refuse to decode shared memory.
  const path = new Uint8Array(u32.buffer, u32.byteOffset).slice(start, start + bytes);
  return new TextDecoder().decode(path);
}

/** The heap's random words, which key its red zones. */
export const getSecret = (u32: Uint32Array, r: WordIndex): readonly [number, number] => [
  u32[r + SECRET],
  u32[r + SECRET + 1],
];

/** The next number in the order of all traced events, from 1. */
export const nextSequence = (i32: Int32Array, r: WordIndex): number =>
  (atomics.add(i32, r + SEQUENCE, 1) + 1) >>> 0;

/** The sequence number of the latest event; 0 = no event yet. */
export const loadSequence = (i32: Int32Array, r: WordIndex): number =>
  atomics.load(i32, r + SEQUENCE) >>> 0;
