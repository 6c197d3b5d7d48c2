/**
 * Proves that threads take records of a table without a lock: each record once, all records, and
 * again after they were given back, whatever a thread's hints say.
 */

import test from 'ava';
import type { RecordTable } from '../../src/layout/index.js';
import * as Records from '../../src/layout/record-table.js';
import { createRecordPool } from '../../src/pages/index.js';
import { Random, seedOf } from '../helpers.js';

const WORDS = 8;

function makeTable(count: number): { i32: Int32Array; table: RecordTable } {
  const start = 16;
  const i32 = new Int32Array(new SharedArrayBuffer((start + Records.words(count, WORDS)) * 4));
  return { i32, table: { start: start as RecordTable['start'], recordWords: WORDS, count } };
}

const ownerOf = (i32: Int32Array, table: RecordTable, index: number): number =>
  Records.load(i32, Records.at(table, index));

/** A pool that gives records back as contexts do. */
function makePool(i32: Int32Array, table: RecordTable) {
  const { take, remember } = createRecordPool(i32, table);
  const give = (index: number): void => {
    Records.store(i32, Records.at(table, index), 0);
    remember(index);
  };
  return { take, give, remember };
}

test('RecordPool.take: gives every record once, 0 when all are taken, and each again when given back', (t) => {
  const { i32, table } = makeTable(50);
  const pool = makePool(i32, table);
  for (let round = 0; round < 3; round++) {
    const taken = Array.from({ length: 50 }, (_, n) => pool.take(100 + n));
    t.deepEqual(
      taken.toSorted((a, b) => a - b),
      Array.from({ length: 50 }, (_, n) => n + 1),
    );
    for (const [n, index] of taken.entries()) t.is(ownerOf(i32, table, index), 100 + n);
    t.is(pool.take(1), 0);
    t.is(pool.take(1), 0);
    const one = taken[round * 7] as number;
    pool.give(one);
    t.is(ownerOf(i32, table, one), 0);
    t.is(pool.take(7), one);
    t.is(pool.take(7), 0);
    for (const index of taken) pool.give(index);
    t.is(Records.loadFrontier(i32, table), 50);
  }
});

test('RecordPool.take: gives no record of an empty table', (t) => {
  const { i32, table } = makeTable(0);
  t.is(makePool(i32, table).take(1), 0);
  t.is(Records.loadFrontier(i32, table), 0);
});

test('RecordPool: taking and giving back in turn stays at the start of the table', (t) => {
  const { i32, table } = makeTable(1000);
  const pool = makePool(i32, table);
  for (let n = 0; n < 5000; n++) {
    const some = [pool.take(1), pool.take(2), pool.take(3)];
    for (const index of some) pool.give(index);
  }
  t.true(Records.loadFrontier(i32, table) <= 3);
});

test('RecordPool: wrong hints never give a record twice', (t) => {
  const { i32, table } = makeTable(4);
  const mine = makePool(i32, table);
  const other = makePool(i32, table);
  const all = [1, 2, 3, 4].map((n) => mine.take(n));
  for (const index of all) mine.give(index);
  // Another thread has taken them meanwhile.
  t.true([5, 6, 7].every((owner) => other.take(owner) !== 0));
  const last = mine.take(8);
  t.true(last !== 0);
  t.is(mine.take(9), 0);
  t.deepEqual(
    [1, 2, 3, 4].map((index) => ownerOf(i32, table, index)).toSorted((a, b) => a - b),
    [5, 6, 7, 8],
  );
  // Given back by recovery, which tells no pool.
  Records.store(i32, Records.at(table, 2), 0);
  t.is(mine.take(9), 2);
  // Given back while it was remembered twice.
  Records.store(i32, Records.at(table, 2), 0);
  mine.remember(2);
  mine.remember(2);
  t.is(mine.take(10), 2);
  t.is(mine.take(11), 0);
});

test('RecordPool: three threads that take and give back at random never share a record', (t) => {
  const random = new Random(seedOf(t));
  const { i32, table } = makeTable(40);
  const pools = [1, 2, 3].map((owner) => ({
    owner,
    pool: makePool(i32, table),
    has: [] as number[],
  }));
  let full = 0;
  for (let n = 0; n < 30_000; n++) {
    const { owner, pool, has } = random.pick(pools);
    if (random.below(5) < (n % 2000 < 1200 ? 3 : 2)) {
      const index = pool.take(owner);
      if (index === 0) {
        full++;
        t.is(
          pools.reduce((sum, one) => sum + one.has.length, 0),
          40,
          'none is free',
        );
      } else has.push(index);
    } else if (has.length > 0) {
      const [index] = has.splice(random.below(has.length), 1) as [number];
      // Sometimes a thread gives back a record that it did not take.
      random.pick(pools).pool.give(index);
    }
    if (n % 500 !== 0) continue;
    for (const one of pools) {
      t.true(one.has.every((index) => ownerOf(i32, table, index) === one.owner));
    }
  }
  t.true(full > 0);
});

test('RecordPool: a thread that only gives back keeps a limited number of hints', (t) => {
  const { i32, table } = makeTable(8);
  const taker = makePool(i32, table);
  const giver = makePool(i32, table);
  const before = process.memoryUsage().heapUsed;
  const rounds = 4_000_000;
  for (let n = 0; n < rounds; n++) {
    const record = Records.at(table, 1 + (n & 7));
    if (!Records.cas(i32, record, 0, 1)) t.fail('it is free');
    giver.give(1 + (n & 7));
  }
  // A hint takes at least 4 bytes.
  const grown = process.memoryUsage().heapUsed - before;
  t.true(grown < rounds * 3, `${grown} bytes`);
  t.true(taker.take(1) > 0);
  t.is([1, 2, 3, 4, 5, 6, 7].filter((owner) => giver.take(owner) !== 0).length, 7);
  t.is(giver.take(9), 0);
});
