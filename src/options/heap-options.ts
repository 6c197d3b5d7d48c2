/**
 * The options of a new heap, checked.
 *
 * Used by SharedHeap.create. Every mistake is an error that names the given and the allowed values.
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
} from '../layout/index.js';
import * as Registry from '../layout/registry.js';
import { type DebugOptions, resolveDebug } from './debug-options.js';
import { requireFixedBuffer } from './fixed-buffer.js';
import { parseBytes } from './parse-bytes.js';

const BYTES_DEFAULT = '1GiB';
const LOCK_TIMEOUT_MS_DEFAULT = 10_000;
const LOCK_TIMEOUT_MS_MAX = 2 ** 31 - 1;

/** Options of `SharedHeap.create`. */
export interface HeapOptions {
  /**
   * Bytes to reserve: a number, or a text such as `'256MiB'`. From 2 MiB to 4 GiB; default 1 GiB,
   * or the rest of `buffer` from `byteOffset` on. A heap must end at least 64 KiB below 4 GiB: one
   * of `'4GiB'` is 64 KiB shorter. The system commits memory at its first use.
   */
  size?: number | string | undefined;
  /** Maximum threads attached at a time: 1 to 255, default 64 (fewer in small heaps). */
  threads?: number | undefined;
  /**
   * Maximum memory contexts at a time: up to 1,048,576; default one per 64 KiB of the heap, at
   * least 64. Each takes 256 bytes of the heap, committed at first use; 0 = no contexts.
   */
  contexts?: number | undefined;
  /** Buffer for the heap, such as that of a shared WebAssembly.Memory. It must not be growable. */
  buffer?: SharedArrayBuffer | undefined;
  /** Offset of the heap in `buffer`, in bytes: a multiple of 8192. Default 0. */
  byteOffset?: number | undefined;
  /**
   * Create the heap even if it overlaps a heap in `buffer` that threads are attached to. This
   * thread is detached from the old heap first. No thread may use the old heap any more: it would
   * damage the new one. Default false: refused with ERR_SHMALLOC_BUFFER_IN_USE if there is such a
   * heap at this offset, at the buffer's beginning, at a multiple of 8 KiB (up to 8 MiB of buffer;
   * the step doubles with each doubling of the buffer, up to 4 MiB for 4 GiB), or one that this
   * thread is attached to.
   */
  overwrite?: boolean | undefined;
  /**
   * Milliseconds that a main thread waits for a lock before it throws ERR_SHMALLOC_LOCK_TIMEOUT, on
   * systems without /proc (all but Linux): there the heap cannot tell whether the lock's owner is
   * alive, unless the heap watches its workers. Default 10,000.
   */
  lockTimeoutMs?: number | undefined;
  /** Debug options. Environment variables of this thread (SHMALLOC_GUARD ...) take precedence. */
  debug?: DebugOptions | undefined;
}

/** The options with every default filled in. */
export interface ResolvedOptions {
  /** The caller's buffer, if one was given. */
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
  // Checked later: the size depends on the buffer, and the buffer on the heap's offset in it.
  size: ANYTHING,
  buffer: ANYTHING,
  byteOffset: ANYTHING,
  overwrite: FLAG,
  threads: wholeFrom(`a whole number from 1 to ${Registry.THREADS_MAX}`, 1, Registry.THREADS_MAX),
  contexts: wholeFrom(`a whole number from 0 to ${CONTEXTS_MAX}`, 0, CONTEXTS_MAX),
  lockTimeoutMs: wholeFrom(
    `a whole number of milliseconds from 1 to ${LOCK_TIMEOUT_MS_MAX}`,
    1,
    LOCK_TIMEOUT_MS_MAX,
  ),
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
  // Not `??`: null is not a size.
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
