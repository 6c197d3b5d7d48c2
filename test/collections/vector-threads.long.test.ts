/**
 * Proves shared vectors between threads: nothing that was pushed is lost, whoever pushes at the same
 * time or dies in the middle, and readers see no half of anything.
 */

import { Worker } from 'node:worker_threads';
import test, { type ExecutionContext } from 'ava';
import { SharedHeap, type VectorHandle } from 'shmalloc';
import { assertIdentity, heldIn, Random, seedOf } from '../helpers.js';
import { ended } from '../workers.js';
import {
  DONE,
  GO,
  READY,
  REMOVED,
  REMOVED_LOG,
  taggedValue,
  type VectorTask,
} from './vector.worker.js';

const start = (heap: SharedHeap, task: VectorTask): Worker =>
  new Worker(new URL('./vector.worker.js', import.meta.url), {
    workerData: { heap: heap.handle, task },
  });

const newWords = (count: number): Int32Array<SharedArrayBuffer> =>
  new Int32Array(new SharedArrayBuffer(count * 4));

const isTorn = (record: Uint8Array): boolean => record.some((byte) => byte !== record[0]);

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

async function allReady(words: Int32Array, threads: number): Promise<void> {
  while (Atomics.load(words, READY) < threads) await sleep(1);
}

function assertEmpty(t: ExecutionContext, heap: SharedHeap): void {
  t.deepEqual(heap.verify({ quiet: true }).problems, []);
  t.is(assertIdentity(t, heap).inUseBytes, 0);
  t.deepEqual(heldIn(heap), []);
}

test.serial(
  'shared Vector: two threads push 1,000,000 elements each, and none is lost',
  async (t) => {
    using heap = SharedHeap.create({ size: '256MiB' });
    const count = 1_000_000;
    const vector = heap.vectors.create(Float64Array, { shared: true });
    const words = newWords(8);
    const workers = [1, 2].map((seed) =>
      start(heap, { act: 'push', seed, count, words, vector: vector.handle }),
    );
    await allReady(words, 2);
    const started = performance.now();
    Atomics.store(words, GO, 1);
    Atomics.notify(words, GO);
    // This thread reads meanwhile: what is there stays there.
    let reads = 0;
    let wrong = 0;
    const ends = Promise.all(workers.map(ended));
    let isOver = false;
    void ends.then(() => {
      isOver = true;
    });
    while (!isOver) {
      for (let n = 0; n < 2000; n++) {
        const { length } = vector;
        if (length === 0) continue;
        const value = vector.get(length - 1);
        if (value !== taggedValue(1, value % 2 ** 24) && value !== taggedValue(2, value % 2 ** 24))
          wrong++;
        reads++;
      }
      await sleep(1);
    }
    const ms = performance.now() - started;
    t.log(
      `${(ms / 1000).toFixed(2)} s, ${((ms * 1e6) / (2 * count)).toFixed(0)} ns a push, ${reads} reads`,
    );
    t.is(wrong, 0);
    t.is(vector.length, 2 * count);
    const next = [0, 0, 0];
    let disorder = 0;
    for (const value of vector.view()) {
      const seed = Math.floor(value / 2 ** 24);
      if (value % 2 ** 24 !== next[seed]++) disorder++;
    }
    t.is(disorder, 0, "each thread's elements are in their order");
    t.deepEqual(next, [0, count, count]);
    vector.delete();
    assertEmpty(t, heap);
  },
);

test.serial('shared Vector: readers never see half a record', async (t) => {
  using heap = SharedHeap.create({ size: '64MiB' });
  const vector = heap.vectors.create({ bytes: 40 }, { shared: true });
  for (let n = 0; n < 8; n++) vector.push(new Uint8Array(40).fill(n));
  const words = newWords(8);
  const seed = seedOf(t);
  const workers = [0, 1].map((n) =>
    start(heap, { act: 'records', seed: seed + n, words, vector: vector.handle }),
  );
  const ends = Promise.all(workers.map(ended));
  await allReady(words, 2);
  const random = new Random(seed);
  let torn = 0;
  let reads = 0;
  for (const until = performance.now() + 1500; performance.now() < until; ) {
    for (let n = 0; n < 1000; n++) {
      if (isTorn(vector.get(random.below(6)))) torn++;
      reads++;
    }
    if (vector.toArray().some(isTorn)) torn++;
    await sleep(0);
  }
  Atomics.store(words, GO, 1);
  await ends;
  t.log(`${reads} reads`);
  t.is(torn, 0);
  t.false(vector.toArray().some(isTorn));
  vector.delete();
  assertEmpty(t, heap);
});

/** Values of the vector that nobody has put there, or twice; and those that are not there. */
function audit(
  values: readonly number[],
  lives: readonly { seed: number; words: Int32Array }[],
): { strange: number; lost: number } {
  const left = new Set(values);
  let strange = values.length - left.size;
  let lost = 0;
  const removed = new Set<number>();
  for (const { words } of lives) {
    for (let n = 0; n < words[REMOVED]; n++) removed.add(words[REMOVED_LOG + n]);
  }
  for (const { seed, words } of lives) {
    for (let n = 0; n < words[DONE]; n++) {
      const value = taggedValue(seed, n);
      const isThere = left.delete(value);
      if (isThere === removed.has(value)) {
        if (isThere) strange++;
        else lost++;
      }
    }
    // Its last one may be in, or already out again, without its word for it.
    left.delete(taggedValue(seed, words[DONE]));
  }
  return { strange: strange + left.size, lost };
}

test.serial(
  'shared Vector: threads die in the middle of everything, and nothing published is lost',
  async (t) => {
    using heap = SharedHeap.create({ size: '64MiB' });
    const seed = seedOf(t);
    const random = new Random(seed);
    let deaths = 0;
    let elements = 0;
    for (let round = 0; round < 5; round++) {
      const vector = heap.vectors.create(Int32Array, { shared: true });
      const lives: { seed: number; words: Int32Array<SharedArrayBuffer>; worker: Worker }[] = [];
      const begin = (life: number): void => {
        const words = newWords(100_000);
        const task = { act: 'churn', seed: life, words, vector: vector.handle } as const;
        lives.push({ seed: life, words, worker: start(heap, task) });
      };
      begin(1);
      begin(2);
      for (let life = 3; life <= 6; life++) {
        const { words, worker } = lives[life - 3] as (typeof lives)[number];
        while (Atomics.load(words, DONE) === 0) await sleep(1);
        await sleep(random.below(20));
        await worker.terminate();
        deaths++;
        begin(life);
      }
      for (const { words, worker } of lives.slice(-2)) {
        while (Atomics.load(words, DONE) === 0) await sleep(1);
        await worker.terminate();
        deaths++;
      }
      const values = vector.toArray();
      elements += values.length;
      const { strange, lost } = audit(values, lives);
      t.is(strange, 0, `round ${round}`);
      // A value that was taken out, by a thread that died before it could write down which.
      t.true(lost <= lives.length, `round ${round}: ${lost} lost`);
      vector.push(1);
      t.is(vector.pop(), 1);
      vector.delete();
      heap.recover();
      assertEmpty(t, heap);
    }
    t.log(`${deaths} deaths, ${elements} elements`);
  },
);

test.serial(
  'shared Vector: threads die in the middle of writing records, and none is half of two',
  async (t) => {
    using heap = SharedHeap.create({ size: '64MiB' });
    const seed = seedOf(t);
    const random = new Random(seed);
    for (let round = 0; round < 15; round++) {
      const vector = heap.vectors.create({ bytes: 20_000 }, { shared: true });
      for (let n = 0; n < 8; n++) vector.push(new Uint8Array(20_000).fill(n));
      const words = newWords(8);
      const task = { act: 'records', words, vector: vector.handle } as const;
      const worker = start(heap, { ...task, seed: seed + round });
      await allReady(words, 1);
      await sleep(random.below(15));
      await worker.terminate();
      t.false(vector.toArray().some(isTorn), `round ${round}`);
      // Under the lock: what the dead thread was at is finished by now.
      vector.push(new Uint8Array(20_000));
      t.false(vector.toArray().some(isTorn), `round ${round}, after a push`);
      t.true(vector.length > 8);
      vector.delete();
      heap.recover();
      assertEmpty(t, heap);
    }
  },
);

test.serial(
  'shared Vector: there is a last element while others push and pop behind it',
  async (t) => {
    using heap = SharedHeap.create({ size: '16MiB' });
    const vector = heap.vectors.create(Float64Array, { shared: true, capacity: 64 });
    vector.push(0);
    const words = newWords(8);
    const worker = start(heap, { act: 'push-and-pop', seed: 1, words, vector: vector.handle });
    const end = ended(worker);
    await allReady(words, 1);
    let wrong = 0;
    const until = performance.now() + 1000;
    while (performance.now() < until) if (vector.at(-1) > 1) wrong++;
    Atomics.store(words, GO, 1);
    await end;
    t.is(wrong, 0);
    t.is(vector.at(-1), 0);
    vector.delete();
    assertEmpty(t, heap);
  },
);

test.serial('Vector: one that is not shared goes from thread to thread', async (t) => {
  using heap = SharedHeap.create({ size: '64MiB' });
  const vector = heap.vectors.create(Float64Array);
  vector.push(5);
  const words = newWords(8);
  Atomics.store(words, GO, 1);
  const handle: VectorHandle = vector.handle;
  await ended(start(heap, { act: 'push', seed: 1, count: 10_000, words, vector: handle }));
  t.is(vector.length, 10_001);
  t.is(vector.at(-1), taggedValue(1, 9999));
  vector.delete();
  assertEmpty(t, heap);
});
