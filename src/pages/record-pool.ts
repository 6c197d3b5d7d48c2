/**
 * Record pools: a thread's way to the records of a table (layout/record-table.ts), without a lock.
 *
 * Made by contexts/ for contexts and chunks. Owner thread only. What is here are hints, of where a
 * free record may be: whether it is free is decided by a compare-and-swap, and with the thread no
 * more than its hints are lost.
 *
 * A record is looked for among those that this thread gave back, then in a few places below the
 * frontier, then at the frontier, at last everywhere: constant on average until the table is nearly
 * full.
 */

import { List } from '../base/index.js';
import {
  casFrontier,
  casRecord,
  loadFrontier,
  loadRecord,
  type RecordTable,
  recordAt,
} from '../layout/index.js';

/** So many records below the frontier are looked at before it is moved. */
const LOOKS = 4;
/**
 * So many hints are kept: a thread that ends what others have made gives back more than it ever takes.
 */
const HINTS_MAX = 16 * 1024;

export interface RecordPool {
  /** Takes a free record in the name of `owner`, not 0; its index, or 0 when none is free. */
  take(owner: number): number;
  /** A record that this thread has given back: its word 0 is 0 already. */
  remember(index: number): void;
}

export function createRecordPool(i32: Int32Array, table: RecordTable): RecordPool {
  const given = new List<number>();
  let next = 1;

  const claim = (index: number, owner: number): boolean => {
    const record = recordAt(table, index);
    return loadRecord(i32, record) === 0 && casRecord(i32, record, 0, owner);
  };

  function take(owner: number): number {
    for (let index = given.pop(); index !== undefined; index = given.pop()) {
      if (claim(index, owner)) return index;
    }
    return look(owner, LOOKS) || advance(owner) || look(owner, table.count);
  }

  /** Looks at the next `count` records below the frontier, around and around. */
  function look(owner: number, count: number): number {
    const frontier = loadFrontier(i32, table);
    for (let n = 0; n < Math.min(count, frontier); n++) {
      const index = next > frontier ? 1 : next;
      next = index + 1;
      if (claim(index, owner)) return index;
    }
    return 0;
  }

  /** Takes the record at the frontier; 0 when there is none left. */
  function advance(owner: number): number {
    for (let index = loadFrontier(i32, table) + 1; index <= table.count; ) {
      // Failure: another thread has moved it. Who has moved it may still find its record taken, by
      // one that looked below.
      if (casFrontier(i32, table, index - 1, index) && claim(index, owner)) return index;
      index = loadFrontier(i32, table) + 1;
    }
    return 0;
  }

  function remember(index: number): void {
    if (given.length < HINTS_MAX) given.push(index);
  }

  return { take, remember };
}
