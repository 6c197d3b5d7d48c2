/**
 * Kinds of options: their valid values in code, and as text in the environment.
 *
 * Used by debug-options.ts and heap-options.ts. Pure functions.
 */

import { FLAG, GIB, type OptionValue } from '../base/index.js';
import * as DebugRecord from '../layout/debug-record.js';
import { parseBytes } from './parse-bytes.js';

/** The valid values of an option, in code and as text. Empty text means `off` for all kinds. */
export interface OptionKind<Value> extends OptionValue<Value> {
  /** The value as the help shows it: `1`, `bytes`. */
  readonly sample: string;
  /** The maximum as the help states it; empty = none. */
  readonly limit: string;
  readonly off: Value;
  /** The value of a text; undefined if the text is not valid. */
  fromText(text: string): Value | undefined;
}

/** Call stacks: number of frames, and one event in how many. */
export interface StackChoice {
  readonly depth: number;
  readonly every: number;
}

const WORD_MAX = 2 ** 32 - 1;
const STACK_DEPTH_MAX = 64;

const YES = ['1', 'true', 'on', 'yes'];
const NO = ['0', 'false', 'off', 'no'];

export const YES_OR_NO: OptionKind<boolean> = {
  ...FLAG,
  allowed: 'true or false (1 or 0, on or off, yes or no in the environment)',
  sample: '1',
  limit: '',
  off: false,
  fromText(text) {
    const word = text.toLowerCase();
    if (YES.includes(word)) return true;
    return NO.includes(word) ? false : undefined;
  },
};

/** A whole number up to `max`. */
export function wholeNumber(sample: string, max = WORD_MAX): OptionKind<number> {
  const fromCode = (given: unknown): number | undefined =>
    isWhole(given, 0, max) ? given : undefined;
  return {
    allowed: `a whole number from 0 to ${inFigures(max)}`,
    types: ['number'],
    sample,
    limit: max < WORD_MAX ? `at most ${inFigures(max)}` : '',
    off: 0,
    fromCode,
    fromText: (text) => (/^\d+$/.test(text) ? fromCode(Number(text)) : undefined),
  };
}

/** A size below 4 GiB: bytes as a number, or a text with a unit. */
export const SIZE: OptionKind<number> = {
  allowed: "a size below 4 GiB: a number of bytes, or a text like '16MiB'",
  types: ['number', 'string'],
  sample: 'bytes',
  limit: 'below 4 GiB',
  off: 0,
  fromCode: (given) => bytesOf(given, 4 * GIB - 1),
  fromText: (text) => bytesOf(text, 4 * GIB - 1),
};

/** A size of at most a few KiB, in whole bytes. */
export function smallSize(max: number): OptionKind<number> {
  return {
    allowed: `a size from 0 to ${inFigures(max)} bytes: a whole number, or a text like '1KiB'`,
    types: ['number', 'string'],
    sample: 'bytes',
    limit: `at most ${inFigures(max)} bytes`,
    off: 0,
    fromCode: (given) =>
      typeof given !== 'number' || isWhole(given, 0, max) ? bytesOf(given, max) : undefined,
    fromText: (text) => bytesOf(text, max),
  };
}

function bytesOf(given: unknown, max: number): number | undefined {
  try {
    const bytes = parseBytes(given as number | string);
    return bytes <= max ? bytes : undefined;
  } catch {
    return undefined;
  }
}

/** Not toLocaleString: each worker would load tables of locales for it when it imports this. */
const inFigures = (count: number): string => String(count).replace(/\B(?=(?:\d{3})+$)/g, ',');

const isWhole = (n: unknown, from: number, to: number): n is number =>
  Number.isInteger(n) && (n as number) >= from && (n as number) <= to;

type OnError = (typeof DebugRecord.ON_ERROR)[number];

export const ERROR_MODE: OptionKind<OnError> = {
  allowed: 'throw, warn or ignore',
  types: ['string'],
  sample: DebugRecord.ON_ERROR.join('|'),
  limit: '',
  off: 'throw',
  fromCode: (given) => DebugRecord.ON_ERROR.find((mode) => mode === given),
  fromText: (text) => ERROR_MODE.fromCode(text.toLowerCase()),
};

export const STACKS: OptionKind<StackChoice> = {
  allowed:
    `0 to ${STACK_DEPTH_MAX} frames; for every n-th event only: { depth, every } in code, ` +
    "as in '16,100' in the environment",
  types: ['number'],
  sample: 'frames[,every]',
  limit: `at most ${STACK_DEPTH_MAX} frames`,
  off: { depth: 0, every: 1 },
  fromCode(given) {
    if (typeof given !== 'object' || given === null) return stackChoice(given, 1);
    const { depth, every = 1, ...others } = given as { depth?: unknown; every?: unknown };
    return Object.keys(others).length === 0 ? stackChoice(depth, every) : undefined;
  },
  fromText(text) {
    const match = /^(\d+)\s*(?:,\s*(\d+))?$/.exec(text);
    return match === null ? undefined : stackChoice(Number(match[1]), Number(match[2] ?? 1));
  },
};

function stackChoice(depth: unknown, every: unknown): StackChoice | undefined {
  const fits = isWhole(depth, 0, STACK_DEPTH_MAX) && isWhole(every, 1, WORD_MAX);
  return fits ? { depth, every } : undefined;
}

export const FILE: OptionKind<string> = {
  allowed: `a path of at most ${DebugRecord.TRACE_PATH_BYTES_MAX} bytes`,
  types: ['string'],
  sample: 'file',
  limit: '',
  off: '',
  fromCode(given) {
    const fits =
      typeof given === 'string' && Buffer.byteLength(given) <= DebugRecord.TRACE_PATH_BYTES_MAX;
    return fits ? given : undefined;
  },
  fromText: (text) => FILE.fromCode(text),
};
