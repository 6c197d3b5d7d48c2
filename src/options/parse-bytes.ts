/**
 * Sizes in the notation of people: `'256MiB'`, `'1GiB'`, `65536`.
 *
 * Used by options/ and the command line. Pure text.
 */

import { GIB, KIB, MIB, rangeError, show, typeError } from '../base/index.js';

const UNITS = new Map([
  ['', 1],
  ['b', 1],
  ['kib', KIB],
  ['mib', MIB],
  ['gib', GIB],
]);

/**
 * The bytes of a size.
 * @param what the beginning of an error message: the call and its option
 * @throws TypeError, RangeError ERR_SHMALLOC_INVALID_OPTION
 */
export function parseBytes(size: number | string, what = 'a size'): number {
  if (typeof size === 'number') {
    if (Number.isFinite(size) && size >= 0) return Math.floor(size);
    throw rangeError(
      'ERR_SHMALLOC_INVALID_OPTION',
      `${what} is a number of bytes, got ${show(size)}`,
    );
  }
  if (typeof size !== 'string') {
    throw typeError(
      'ERR_SHMALLOC_INVALID_OPTION',
      `${what} is a number of bytes or a text like '256MiB', got ${show(size)}`,
    );
  }
  const match = /^\s*(\d+(?:\.\d+)?)\s*([a-z]*)\s*$/i.exec(size);
  const unit = UNITS.get(match?.[2]?.toLowerCase() ?? '-');
  if (match === null || unit === undefined) {
    throw rangeError(
      'ERR_SHMALLOC_INVALID_OPTION',
      `${what} is a number and B, KiB, MiB or GiB, as in '256MiB', got ${show(size)}`,
    );
  }
  return Math.floor(Number(match[1]) * unit);
}
