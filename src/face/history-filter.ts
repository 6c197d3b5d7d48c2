/**
 * What a history can be asked for, checked: a filter that says nothing true would give an empty list
 * or a whole one, and look like an answer.
 *
 * Used by inspectable-heap.ts. Pure functions.
 */

import { checkOptions, rangeError, show, typeError } from '../base/index.js';
import type { HistoryFilter } from '../debug/index.js';

/** Each of them is a whole number from 0, and this. */
const MEANINGS: Readonly<Record<keyof HistoryFilter, string>> = {
  address: "a block's address",
  thread: 'a threadId of worker_threads',
  last: 'how many events',
};

/** @throws TypeError, RangeError ERR_SHMALLOC_INVALID_OPTION */
export function checkFilter(call: string, filter: HistoryFilter | undefined): void {
  checkOptions(call, filter, Object.keys(MEANINGS));
  for (const [name, value] of Object.entries(filter ?? {})) {
    if (value === undefined) continue;
    if (Number.isInteger(value) && value >= 0) continue;
    const fail = typeof value === 'number' ? rangeError : typeError;
    throw fail(
      'ERR_SHMALLOC_INVALID_OPTION',
      `${call}: ${name} is ${MEANINGS[name as keyof HistoryFilter]}, a whole number from 0, ` +
        `got ${show(value)}`,
    );
  }
}
