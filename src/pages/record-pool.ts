/**
 * Record pools: a thread takes records of a table (layout/record-table.ts) without a lock.
 *
 * Made by contexts/ for contexts and chunks. Owner thread only. A pool has only hints where a free
 * record may be; a compare-and-swap decides whether it is free. A thread that dies loses only its
 * hints.
 *
 * A pool tries the records that this thread gave back, then a few below the frontier, then the one
 * at the frontier, and at last all: in constant time on average until the table is nearly full.
 */

import { List } from '../base/index.js';
import type { RecordTable } from '../layout/index.js';
import * as Records from '../layout/record-table.js';

/** Records below the frontier to try before the frontier is moved. */
const LOOKS = 4;
/**
 * Maximum hints: a thread that ends objects of other threads gives back more records than it takes.
 */
const HINTS_MAX = 16 * 1024;

export interface RecordPool {
  /** Takes a free record for `owner`, not 0; returns its index, 0 = none is free. */
  take(owner: number): number;
  /** Remembers a record that this thread has given back: its word 0 is 0 already. */
  remember(index: number): void;
}

export function createRecordPool(i32: Int32Array, table: RecordTable): RecordPool {
  const given = new List<number>();
  let next = 1;

  const claim = (index: number, owner: number): boolean => {
    const record = Records.at(table, index);
    return Records.load(i32, record) === 0 && Records.cas(i32, record, 0, owner);
  };

  function take(owner: number): number {
    for (let index = given.pop(); index !== undefined; index = given.pop()) {
      if (claim(index, owner)) return index;
    }
    return look(owner, LOOKS) || advance(owner) || look(owner, table.count);
  }

  /** Tries the next `count` records below the frontier, in a circle. */
  function look(owner: number, count: number): number {
    const frontier = Records.loadFrontier(i32, table);
    for (let n = 0; n < Math.min(count, frontier); n++) {
      const index = next > frontier ? 1 : next;
      next = index + 1;
      if (claim(index, owner)) return index;
    }
    return 0;
  }

  /** Takes the record at the frontier; 0 = none is left. */
  function advance(owner: number): number {
    for (let index = Records.loadFrontier(i32, table) + 1; index <= table.count; ) {
      // On failure another thread has moved the frontier. Its new record may still be taken before
      // its own claim, by a thread that tries records below the frontier.
      if (Records.casFrontier(i32, table, index - 1, index) && claim(index, owner)) return index;
      index = Records.loadFrontier(i32, table) + 1;
    }
    return 0;
  }

  function remember(index: number): void {
    if (given.length < HINTS_MAX) given.push(index);
  }

  return { take, remember };
}
