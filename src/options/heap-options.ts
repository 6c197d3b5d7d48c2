/**
 * What a heap can be made with, checked.
 *
 * Used by SharedHeap.create. Every mistake is an error that says what was given and what is allowed.
 */

import {
  ANYTHING,
  badOption,
  FLAG,
  lookAt,
  type OptionValue,
  type OptionValues,
  PAGE_BYTES,
  readOptions,
  roundDown,
  roundUp,
  wholeFrom,
} from '../base/index.js';
import {
  CONTEXTS_MAX,
  type DebugSettings,
  defaultContexts,
  defaultThreads,
  HEAP_BYTES_MAX,
  HEAP_BYTES_MIN,
  HEAP_END_MAX,
  THREADS_MAX,
} from '../layout/index.js';
import { type DebugOptions, resolveDebug } from './debug-options.js';
import { requireFixedBuffer } from './fixed-buffer.js';
import { parseBytes } from './parse-bytes.js';

const BYTES_DEFAULT = '1GiB';
const LOCK_TIMEOUT_MS_DEFAULT = 10_000;
const LOCK_TIMEOUT_MS_MAX = 2 ** 31 - 1;

/** What `SharedHeap.create` can be told. */
export interface HeapOptions {
  /**
   * Bytes to reserve: a number, or a text like `'256MiB'`. From 2 MiB to 4 GiB, default 1 GiB (or
   * what `buffer` has from `byteOffset` on). A heap ends 64 KiB below 4 GiB at the latest: one of
   * `'4GiB'` is so much shorter. Memory is committed as it is first touched.
   */
  size?: number | string;
  /** How many threads can be attached at a time: 1 to 255, default 64 (fewer in small heaps). */
  threads?: number;
  /**
   * How many memory contexts there can be at a time: up to 1,048,576, default one for every 64 KiB of
   * the heap, 64 at least. Each takes 256 bytes of it, committed when first used; 0 = none.
   */
  contexts?: number;
  /** Lay the heap into this buffer, say that of a shared WebAssembly.Memory. Not a growable one. */
  buffer?: SharedArrayBuffer;
  /** Where in `buffer` the heap begins: a multiple of 8192. Default 0. */
  byteOffset?: number;
  /**
   * Make the heap also where it lies over a heap of `buffer` that threads are attached to. This
   * thread is detached from that one first. No thread may use that one any more, or it damages the
   * new one. Default false: refused with ERR_SHMALLOC_BUFFER_IN_USE, for heaps at this place, at
   * the buffer's beginning, that this thread is attached to, or that begin at a multiple of
   * 8 KiB (up to 8 MiB of buffer; twice that for each doubling, 4 MiB of 4 GiB).
   */
  overwrite?: boolean;
  /**
   * Where there is no /proc (anywhere but on Linux), how many milliseconds a main thread waits for a
   * lock before it gives up with ERR_SHMALLOC_LOCK_TIMEOUT: nobody can tell there whether the thread
   * that has it still lives, unless the heap watches its workers. Default 10,000.
   */
  lockTimeoutMs?: number;
  /** Debug options. Variables of this thread's environment (SHMALLOC_GUARD ...) have the last word. */
  debug?: DebugOptions;
}

/** The options with all that they leave open decided. */
export interface ResolvedOptions {
  /** The caller's buffer, if there is one. */
  readonly buffer: SharedArrayBuffer | undefined;
  readonly base: number;
  readonly overwrite: boolean;
  readonly bytes: number;
  readonly threads: number;
  readonly contexts: number;
  readonly lockTimeoutMs: number;
  readonly debug: DebugSettings;
}

const CALL = 'SharedHeap.create';

const VALUES: OptionValues<HeapOptions> = {
  // What it may be depends on the buffer, and what the buffer may be on the heap's place in it.
  size: ANYTHING,
  buffer: ANYTHING,
  byteOffset: ANYTHING,
  overwrite: FLAG,
  threads: wholeFrom(`a whole number from 1 to ${THREADS_MAX}`, 1, THREADS_MAX),
  contexts: wholeFrom(`a whole number from 0 to ${CONTEXTS_MAX}`, 0, CONTEXTS_MAX),
  lockTimeoutMs: wholeFrom('a whole number of milliseconds from 1', 1, LOCK_TIMEOUT_MS_MAX),
  debug: {
    allowed: 'an object of options, as in { guard: 64 }',
    types: [],
    fromCode: (given) =>
      typeof given === 'object' && given !== null && !Array.isArray(given) ? given : undefined,
  },
};

/** @throws TypeError, RangeError ERR_SHMALLOC_INVALID_OPTION */
export function resolveOptions(given: HeapOptions | undefined): ResolvedOptions {
  const options = readOptions(CALL, given, VALUES);
  const { buffer, base } = checkBuffer(options);
  const bytes = checkSize(options.size, buffer, base);
  return {
    buffer,
    base,
    overwrite: checkOverwrite(options),
    bytes,
    threads: options.threads ?? defaultThreads(bytes),
    contexts: options.contexts ?? defaultContexts(bytes),
    lockTimeoutMs: options.lockTimeoutMs ?? LOCK_TIMEOUT_MS_DEFAULT,
    debug: resolveDebug(options.debug),
  };
}

function checkBuffer(options: HeapOptions): {
  buffer: SharedArrayBuffer | undefined;
  base: number;
} {
  const { buffer, byteOffset = 0 } = options;
  if (buffer === undefined) {
    if (byteOffset !== 0) throw bad('byteOffset', byteOffset, ['number'], '0 without a buffer');
    return { buffer, base: 0 };
  }
  lookAt(CALL, 'option buffer', () => requireFixedBuffer('create', buffer));
  const fits = Number.isInteger(byteOffset) && byteOffset >= 0 && byteOffset % PAGE_BYTES === 0;
  if (!fits || byteOffset > buffer.byteLength || byteOffset >= HEAP_END_MAX) {
    throw bad(
      'byteOffset',
      byteOffset,
      ['number'],
      `a multiple of ${PAGE_BYTES} inside the buffer of ${buffer.byteLength} bytes, below 4 GiB`,
    );
  }
  return { buffer, base: byteOffset };
}

function checkSize(
  size: number | string | undefined,
  buffer: SharedArrayBuffer | undefined,
  base: number,
): number {
  const room = Math.min(buffer?.byteLength ?? HEAP_BYTES_MAX, HEAP_BYTES_MAX) - base;
  const fallback = buffer === undefined ? BYTES_DEFAULT : room;
  // Not `??`: null is no size.
  const asked = size === undefined ? fallback : size;
  const bytes = parseBytes(asked, `${CALL}: size`);
  const rounded = buffer === undefined ? roundUp(bytes, PAGE_BYTES) : roundDown(bytes, PAGE_BYTES);
  const used = Math.min(rounded, HEAP_END_MAX - base);
  const types = ['number', 'string'];
  if (!(used >= HEAP_BYTES_MIN && rounded <= HEAP_BYTES_MAX)) {
    const all =
      `from ${HEAP_BYTES_MIN} (2 MiB) to ${HEAP_BYTES_MAX} bytes (4 GiB), and the heap ends below ` +
      `${HEAP_END_MAX} (4 GiB - 64 KiB)`;
    throw bad('size', asked, types, all);
  }
  if (rounded > room) {
    throw bad('size', asked, types, `at most ${room} bytes: what the buffer has from ${base} on`);
  }
  return used;
}

const bad = (
  name: keyof HeapOptions,
  got: unknown,
  types: OptionValue<unknown>['types'],
  allowed: string,
): Error => badOption(CALL, name, got, { allowed, types });

function checkOverwrite({ overwrite = false, buffer }: HeapOptions): boolean {
  if (!overwrite || buffer !== undefined) return overwrite;
  throw bad(
    'overwrite',
    overwrite,
    ['boolean'],
    'false without a buffer: there is nothing to overwrite',
  );
}
