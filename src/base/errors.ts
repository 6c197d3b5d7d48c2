/**
 * Errors: one class per kind of mistake, each with a stable `code`.
 *
 * Thrown by every layer above. A message says what was asked, what is wrong and what is there. A
 * full heap is not an error here: malloc returns 0, as in C.
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

/** The reason why an address is not the start of a live block. */
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

/** An error as plain data, as JSON.stringify shows it. */
export interface ErrorJson {
  name: string;
  code: string;
  message: string;
  /** The error's other fields: `address`, `reason`, `bytes`. */
  [more: string]: string | number | boolean | null;
}

/** An error with a code. JSON shows its message, which JSON leaves out of an ordinary Error. */
abstract class CodedError extends Error {
  abstract readonly code: ErrorCode;

  constructor(message: string) {
    super(textOf(message));
  }

  /** The plain data that JSON.stringify shows. */
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
    // `address` may have any type: it is what the caller passed.
    if (!Object.hasOwn(json, key)) json[key] = isPlain(value) ? value : show(value);
  }
  return json;
}

const isPlain = (value: unknown): value is string | number | boolean | null =>
  value === null || ['string', 'boolean'].includes(typeof value) || Number.isFinite(value);

/** Turns a message into text: a caller in JavaScript may pass any value. */
const textOf = (message: unknown): string =>
  typeof message === 'string' ? message : show(message);

/**
 * An address was given to free, realloc, usableSize, view or hexdump where no (live) block begins.
 * The heap is exactly as before.
 */
export class InvalidAddressError extends CodedError {
  override readonly name = 'InvalidAddressError';
  readonly code = 'ERR_SHMALLOC_INVALID_ADDRESS' satisfies ErrorCode;
  /** The value that the caller passed, unchanged. */
  readonly address: unknown;
  readonly reason: InvalidAddressReason;

  constructor(asked: string, address: unknown, reason: InvalidAddressReason, finding: string) {
    super(`cannot ${textOf(asked)} ${showAddress(address)}: ${textOf(finding)}`);
    this.address = address;
    this.reason = reason;
  }
}

/**
 * The heap's own structures contradict each other. The message names the invariant. The heap is
 * poisoned from then on: every call in every thread throws this error.
 */
export class HeapCorruptionError extends CodedError {
  override readonly name = 'HeapCorruptionError';
  readonly code = 'ERR_SHMALLOC_CORRUPTION' satisfies ErrorCode;

  // Not left to the language: Node 20 passes the arguments of an implied constructor through the
  // iterator of arrays, which a program may have replaced.
  constructor(message: string) {
    super(message);
  }
}

/** The way in which a program wrote outside of its blocks. */
export type BlockDamage = 'overrun' | 'underrun' | 'write-after-free';

/**
 * Debug options found that the program wrote outside of a block, or into a freed one. The message
 * says how far outside, which block it is, and who allocated and freed the block, if that is known.
 * The heap's own structures are intact. Each damage is reported once.
 */
export class BlockDamagedError extends CodedError {
  override readonly name = 'BlockDamagedError';
  readonly code = 'ERR_SHMALLOC_BLOCK_DAMAGED' satisfies ErrorCode;
  readonly damage: BlockDamage;
  /** The block's address, as malloc returned it. */
  readonly address: number;
  /**
   * Bytes from the block's address to the first and the last damaged byte; negative = before the
   * block.
   */
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

/** A heap cannot be created, attached or used here; `code` says why. */
export class HeapError extends CodedError {
  override readonly name = 'HeapError';
  readonly code: ErrorCode;

  constructor(code: ErrorCode, message: string) {
    super(message);
    this.code = code;
  }
}

/** The heap has no room for an object. Nothing has changed. */
export class HeapExhaustedError extends CodedError {
  override readonly name = 'HeapExhaustedError';
  readonly code = 'ERR_SHMALLOC_HEAP_EXHAUSTED' satisfies ErrorCode;
  /** Bytes that the caller asked for. */
  readonly bytes: number;

  constructor(message: string, bytes: number) {
    super(message);
    this.bytes = bytes;
  }
}

/** True for an error with this code, from any copy of this package. */
export const hasCode = (thrown: unknown, code: ErrorCode): boolean =>
  (thrown as { code?: unknown } | null | undefined)?.code === code;

/** True for the error of a heap that was found broken. */
export const isCorruption = (thrown: unknown): thrown is HeapCorruptionError =>
  hasCode(thrown, 'ERR_SHMALLOC_CORRUPTION');

/** True for the error of a call whose address is not the start of a live block. */
export const isInvalidAddress = (thrown: unknown): thrown is InvalidAddressError =>
  hasCode(thrown, 'ERR_SHMALLOC_INVALID_ADDRESS');

/** A RangeError with a code: a number is outside of the allowed range. */
export function rangeError(code: ErrorCode, message: string): RangeError {
  return coded(new RangeError(message), code);
}

/** A TypeError with a code: a value has the wrong type. */
export function typeError(code: ErrorCode, message: string): TypeError {
  return coded(new TypeError(message), code);
}

/** Maximum characters of a text in a message. */
const SHOWN_CHARS_MAX = 200;

/** A value as an error message shows it: `'12'`, `-1`, `NaN`, `an object`, `an object (Map)`. */
export function show(value: unknown): string {
  try {
    return describe(value);
  } catch {
    // The value is a proxy, or has a getter, that throws.
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
