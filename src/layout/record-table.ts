/**
 * Record tables: records of one length that threads take and return without a lock. The common part
 * of context-record.ts and chunk-record.ts.
 *
 *     record 0   is not a record: its word 1 is the table's frontier (atomic), the rest stays 0
 *     record n   word 0 (atomic) names its owner; 0 = free
 *
 * I1  A record is taken by a compare-and-swap of its word 0 from 0, and returned by a store of 0,
 *     the last one. No list of free records exists that could break: each thread remembers where to
 *     look.
 * I2  No record behind the frontier was ever taken. The frontier never falls.
 */

import type { WordIndex } from '../base/index.js';
import { atomics } from './atomics.js';

/** The place of a table, and the shape of its records. */
export interface RecordTable {
  readonly start: WordIndex;
  readonly recordWords: number;
  /** Number of records; the first one is 1. */
  readonly count: number;
}

const OWNER = 0;
const FRONTIER = 1;

/** Words of a table with this many records. */
export const words = (count: number, recordWords: number): number => (count + 1) * recordWords;

/** The n-th record. */
export const at = ({ start, recordWords }: RecordTable, index: number): WordIndex =>
  (start + index * recordWords) as WordIndex;

/** Word 0 of a record: its owner. */
export const load = (i32: Int32Array, record: WordIndex): number =>
  atomics.load(i32, record + OWNER);
/** False if another thread has the record. No ABA: the word always names the current owner. */
export const cas = (i32: Int32Array, record: WordIndex, from: number, to: number): boolean =>
  atomics.compareExchange(i32, record + OWNER, from, to) === from;
export const store = (i32: Int32Array, record: WordIndex, owner: number): void => {
  atomics.store(i32, record + OWNER, owner);
};

/** The highest record that was ever taken. */
export const loadFrontier = (i32: Int32Array, { start }: RecordTable): number =>
  atomics.load(i32, start + FRONTIER);
/** The highest record to scan: a broken frontier counts as the table's end. */
export const last = (i32: Int32Array, table: RecordTable): number =>
  Math.max(0, Math.min(loadFrontier(i32, table), table.count));
/** False if another thread has moved the frontier. */
export const casFrontier = (
  i32: Int32Array,
  { start }: RecordTable,
  from: number,
  to: number,
): boolean => atomics.compareExchange(i32, start + FRONTIER, from, to) === from;
