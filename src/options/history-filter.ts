/**
 * The filter of a history, checked: a wrong filter would give an empty list or the whole history,
 * and look like a valid answer.
 *
 * Used by api/inspection.ts. Pure functions.
 */

import { type OptionValues, readOptions, wholeFrom } from '../base/index.js';
import type { HistoryFilter } from '../debug/index.js';

export const FILTER_VALUES: OptionValues<HistoryFilter> = {
  address: wholeFrom("a block's address, a whole number from 0", 0),
  thread: wholeFrom('a threadId of worker_threads, a whole number from 0', 0),
  last: wholeFrom('how many events, a whole number from 0', 0),
};

/**
 * The checked filter.
 * @throws TypeError, RangeError ERR_SHMALLOC_INVALID_OPTION
 */
export const readFilter = (call: string, filter: HistoryFilter | undefined): HistoryFilter =>
  readOptions(call, filter, FILTER_VALUES);
