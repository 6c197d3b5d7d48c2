/**
 * Record tables: records of one length that threads take and give back without a lock. What
 * context-record.ts and chunk-record.ts have in common.
 *
 *     record 0   is none: its word 1 is the table's frontier (atomic), the rest stays 0
 *     record n   word 0 (atomic) says whose it is; 0 = free
 *
 * I1  A record is taken by a compare-and-swap of its word 0 from 0, and given back by a store of 0,
 *     its last. There is no list of free ones to be broken: threads keep to themselves where to look.
 * I2  Behind the frontier no record was ever taken. It never falls.
 */

import type { WordIndex } from '../base/index.js';
import { atomics } from './atomics.js';

/** Where a table stands, and how its records are cut. */
export interface RecordTable {
  readonly start: WordIndex;
  readonly recordWords: number;
  /** How many records there are, from 1 on. */
  readonly count: number;
}

const OWNER = 0;
const FRONTIER = 1;

/** Words of a table with this many records. */
export const tableWords = (count: number, recordWords: number): number => (count + 1) * recordWords;

/** The n-th record. */
export const recordAt = ({ start, recordWords }: RecordTable, index: number): WordIndex =>
  (start + index * recordWords) as WordIndex;

/** Word 0 of a record: whose it is. */
export const loadRecord = (i32: Int32Array, record: WordIndex): number =>
  atomics.load(i32, record + OWNER);
/** Failure: another thread has it. No ABA: the word says whose a record is, now. */
export const casRecord = (i32: Int32Array, record: WordIndex, from: number, to: number): boolean =>
  atomics.compareExchange(i32, record + OWNER, from, to) === from;
export const storeRecord = (i32: Int32Array, record: WordIndex, owner: number): void => {
  atomics.store(i32, record + OWNER, owner);
};

/** The last record that was ever taken. */
export const loadFrontier = (i32: Int32Array, { start }: RecordTable): number =>
  atomics.load(i32, start + FRONTIER);
/** The same for who scans the table: within it, whatever stands there. */
export const lastRecord = (i32: Int32Array, table: RecordTable): number =>
  Math.max(0, Math.min(loadFrontier(i32, table), table.count));
/** Failure: another thread has moved it. */
export const casFrontier = (
  i32: Int32Array,
  { start }: RecordTable,
  from: number,
  to: number,
): boolean => atomics.compareExchange(i32, start + FRONTIER, from, to) === from;
