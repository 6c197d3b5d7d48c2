/**
 * The numbers that programs give to calls: checked here, before anything is done with them.
 *
 * Used by slow-path.ts and the debug layer. Pure arithmetic.
 */

import { isPowerOfTwo, KIB, rangeError, show, typeError } from '../base/index.js';

/** The largest alignment that can be asked for. */
export const ALIGNMENT_MAX = 64 * KIB;

/** @throws TypeError, RangeError ERR_SHMALLOC_INVALID_SIZE */
export function requireSize(call: string, size: unknown): void {
  if (!Number.isInteger(size) || (size as number) < 0) throw sizeError(call, size);
}

function sizeError(call: string, size: unknown): Error {
  if (typeof size !== 'number') {
    return typeError('ERR_SHMALLOC_INVALID_SIZE', `${call}: a size is a number, got ${show(size)}`);
  }
  return rangeError(
    'ERR_SHMALLOC_INVALID_SIZE',
    `${call}: a size is a whole number of bytes from 0, got ${show(size)}`,
  );
}

/** @throws RangeError ERR_SHMALLOC_INVALID_ALIGNMENT */
export function requireAlignment(alignment: unknown): void {
  const fits = typeof alignment === 'number' && isPowerOfTwo(alignment);
  if (fits && alignment <= ALIGNMENT_MAX) return;
  throw rangeError(
    'ERR_SHMALLOC_INVALID_ALIGNMENT',
    `alignedAlloc: the alignment must be a power of two up to ${ALIGNMENT_MAX}, ` +
      `got ${show(alignment)}`,
  );
}
