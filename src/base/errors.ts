/**
 * Errors: one class per kind of mistake, each with a stable `code`.
 *
 * Thrown by every layer above. A message says what was asked, what is wrong and what is there. A
 * full heap is no error here: malloc answers 0, as in C.
 */

import { printable } from './printable.js';
import { hex } from './units.js';

/** Every `code` that an error of this package can carry. */
export type ErrorCode =
  | 'ERR_SHMALLOC_INVALID_ADDRESS'
  | 'ERR_SHMALLOC_INVALID_SIZE'
  | 'ERR_SHMALLOC_INVALID_ALIGNMENT'
  | 'ERR_SHMALLOC_VECTOR'
  | 'ERR_SHMALLOC_INVALID_OPTION'
  | 'ERR_SHMALLOC_THREAD_SAFETY'
  | 'ERR_SHMALLOC_DETACHED'
  | 'ERR_SHMALLOC_NO_SLOT'
  | 'ERR_SHMALLOC_LOCK_TIMEOUT'
  | 'ERR_SHMALLOC_LOCK_HELD'
  | 'ERR_SHMALLOC_NOT_A_HEAP'
  | 'ERR_SHMALLOC_LAYOUT_VERSION'
  | 'ERR_SHMALLOC_TWO_VERSIONS'
  | 'ERR_SHMALLOC_BUFFER_IN_USE'
  | 'ERR_SHMALLOC_TRUNCATED'
  | 'ERR_SHMALLOC_CORRUPTION'
  | 'ERR_SHMALLOC_BLOCK_DAMAGED'
  | 'ERR_SHMALLOC_CHECK_FAILED'
  | 'ERR_SHMALLOC_OPTION_OFF'
  | 'ERR_SHMALLOC_HEAP_EXHAUSTED'
  | 'ERR_SHMALLOC_CONTEXT'
  | 'ERR_SHMALLOC_CONTEXT_ENDED'
  | 'ERR_SHMALLOC_TRACE'
  | 'ERR_SHMALLOC_NOT_CLONEABLE'
  | 'ERR_SHMALLOC_WORKER_MODULE'
  | 'ERR_SHMALLOC_WORKER_ENDED'
  | 'ERR_SHMALLOC_POOL_FULL'
  | 'ERR_SHMALLOC_POOL_ENDED';

/** What is wrong with an address that is not the start of a live block. */
export type InvalidAddressReason =
  | 'null'
  | 'not-a-number'
  | 'nan'
  | 'negative'
  | 'fractional'
  | 'out-of-range'
  | 'metadata'
  | 'misaligned'
  | 'untouched'
  | 'freed'
  | 'interior'
  | 'owned'
  | 'foreign';

/** An error as plain data: what JSON.stringify makes of it. */
export interface ErrorJson {
  name: string;
  code: string;
  message: string;
  /** What else the error tells: `address`, `reason`, `bytes`. */
  [more: string]: string | number | boolean | null;
}

/** An error with a code, as JSON shows it: an Error's own way leaves out the message. */
abstract class CodedError extends Error {
  abstract readonly code: ErrorCode;

  constructor(message: string) {
    super(textOf(message));
  }

  /** What JSON.stringify shows. */
  toJSON(): ErrorJson {
    return jsonOf(this);
  }
}

function coded<E extends Error>(error: E, code: ErrorCode): E & { readonly code: ErrorCode } {
  const toJSON = (): ErrorJson => jsonOf(known);
  const known = Object.assign(Object.defineProperty(error, 'toJSON', { value: toJSON }), { code });
  return known;
}

function jsonOf(error: Error & { readonly code: ErrorCode }): ErrorJson {
  const { name, code, message } = error;
  const json: ErrorJson = { name, code, message };
  for (const [key, value] of Object.entries(error)) {
    // An address is what somebody gave: anything.
    if (!Object.hasOwn(json, key)) json[key] = isPlain(value) ? value : show(value);
  }
  return json;
}

const isPlain = (value: unknown): value is string | number | boolean | null =>
  value === null || ['string', 'boolean'].includes(typeof value) || Number.isFinite(value);

/** A message, whatever was given for one. */
const textOf = (message: unknown): string =>
  typeof message === 'string' ? message : show(message);

/**
 * An address was given to free, realloc, usableSize, view or hexdump where no (live) block begins.
 * The heap is exactly as before.
 */
export class InvalidAddressError extends CodedError {
  override readonly name = 'InvalidAddressError';
  readonly code = 'ERR_SHMALLOC_INVALID_ADDRESS' satisfies ErrorCode;
  /** What was given, as it was given. */
  readonly address: unknown;
  readonly reason: InvalidAddressReason;

  constructor(asked: string, address: unknown, reason: InvalidAddressReason, finding: string) {
    super(`cannot ${textOf(asked)} ${showAddress(address)}: ${textOf(finding)}`);
    this.address = address;
    this.reason = reason;
  }
}

/** An unsafe call (one without `_ts`) found a second thread attached. Nothing was done. */
export class ThreadSafetyError extends CodedError {
  override readonly name = 'ThreadSafetyError';
  readonly code = 'ERR_SHMALLOC_THREAD_SAFETY' satisfies ErrorCode;

  // Written out: Node 20 takes the arguments of one that is left out through the iterator of arrays.
  constructor(message: string) {
    super(message);
  }
}

/**
 * The heap's own structures contradict each other. The message names the invariant. The heap is
 * poisoned from then on: every call in every thread throws this error.
 */
export class HeapCorruptionError extends CodedError {
  override readonly name = 'HeapCorruptionError';
  readonly code = 'ERR_SHMALLOC_CORRUPTION' satisfies ErrorCode;

  // Written out: Node 20 takes the arguments of one that is left out through the iterator of arrays.
  constructor(message: string) {
    super(message);
  }
}

/** How a program wrote where it must not. */
export type BlockDamage = 'overrun' | 'underrun' | 'write-after-free';

/**
 * Debug options found that the program wrote outside of a block, or into a freed one. The message
 * says how far, whose block it is, and what is known of who allocated and freed it. The heap itself
 * is whole. Each damage is reported once.
 */
export class BlockDamagedError extends CodedError {
  override readonly name = 'BlockDamagedError';
  readonly code = 'ERR_SHMALLOC_BLOCK_DAMAGED' satisfies ErrorCode;
  readonly damage: BlockDamage;
  /** The block, as the program knows it. */
  readonly address: number;
  /** From the block's address to the first and the last damaged byte; negative = before it. */
  readonly firstOffset: number;
  readonly lastOffset: number;

  constructor(message: string, damage: BlockDamage, address: number, first: number, last: number) {
    super(message);
    this.damage = damage;
    this.address = address;
    this.firstOffset = first;
    this.lastOffset = last;
  }
}

/** A heap cannot be made, attached or used here: see `code`. */
export class HeapError extends CodedError {
  override readonly name = 'HeapError';
  readonly code: ErrorCode;

  constructor(code: ErrorCode, message: string) {
    super(message);
    this.code = code;
  }
}

/** There is no room for an object. Nothing has changed. */
export class HeapExhaustedError extends CodedError {
  override readonly name = 'HeapExhaustedError';
  readonly code = 'ERR_SHMALLOC_HEAP_EXHAUSTED' satisfies ErrorCode;
  /** Bytes that were asked for. */
  readonly bytes: number;

  constructor(message: string, bytes: number) {
    super(message);
    this.bytes = bytes;
  }
}

/** Is it an error of this package, by whichever copy of it, with this code? */
export const hasCode = (thrown: unknown, code: ErrorCode): boolean =>
  (thrown as { code?: unknown } | null | undefined)?.code === code;

/** Was a heap found broken? */
export const isCorruption = (thrown: unknown): thrown is HeapCorruptionError =>
  hasCode(thrown, 'ERR_SHMALLOC_CORRUPTION');

/** Was a call refused, since no live block begins at its address? */
export const isInvalidAddress = (thrown: unknown): thrown is InvalidAddressError =>
  hasCode(thrown, 'ERR_SHMALLOC_INVALID_ADDRESS');

/** A number is outside what is allowed. */
export function rangeError(code: ErrorCode, message: string): RangeError {
  return coded(new RangeError(message), code);
}

/** A value is of the wrong type. */
export function typeError(code: ErrorCode, message: string): TypeError {
  return coded(new TypeError(message), code);
}

/** Maximum characters of a text that a message shows. */
const SHOWN_CHARS_MAX = 200;

/** A value as an error message shows it: `'12'`, `-1`, `NaN`, `an object`, `an object (Map)`. */
export function show(value: unknown): string {
  try {
    return describe(value);
  } catch {
    // A proxy, or a getter, that throws.
    return 'an object that cannot be looked at';
  }
}

function describe(value: unknown): string {
  if (typeof value === 'string') {
    const isLong = value.length > SHOWN_CHARS_MAX;
    const shown = printable(value.slice(0, SHOWN_CHARS_MAX));
    return isLong ? `'${shown}...'` : `'${shown}'`;
  }
  if (Array.isArray(value)) return `an array of ${value.length}`;
  if (typeof value === 'object' && value !== null) {
    const kind = value.constructor?.name ?? '';
    return kind === '' || kind === 'Object' ? 'an object' : `an object (${printable(kind)})`;
  }
  if (typeof value === 'function') return 'a function';
  return typeof value === 'bigint' ? `${value}n` : String(value);
}

function showAddress(address: unknown): string {
  return typeof address === 'number' && address >= 0 && Number.isInteger(address)
    ? hex(address)
    : show(address);
}
