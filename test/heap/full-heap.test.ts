/**
 * Proves that a heap that is full says so at once, and goes on to say so only as long as nothing came
 * back: whatever frees a block or a run, by whichever thread, the next call finds it.
 */

import { Worker } from 'node:worker_threads';
import test from 'ava';
import { type Address, type HeapHandle, SharedHeap } from 'shmalloc';
import { SIZE_CLASS_COUNT, type SizeClass } from '../../src/base/index.js';
import type { ThreadHeap } from '../../src/heap/index.js';
import * as Header from '../../src/layout/header.js';
import * as LockTable from '../../src/layout/lock-table.js';
import { assertIdentity, memoryOf, Random, seedOf } from '../helpers.js';
import { attachTo } from '../sync/object-lock.parts.js';
import { ended, nextMessage } from '../workers.js';

const MIB = 1024 * 1024;
const NONE = 0 as Address;

type Malloc = (size: number) => Address;

function fill(malloc: Malloc, size: number): Address[] {
  const blocks: Address[] = [];
  for (let block = malloc(size); block !== 0; block = malloc(size)) blocks.push(block);
  return blocks;
}

/** Fills a heap with blocks of a size, and then with smaller ones, so that nothing is left. */
function fillWhole({ malloc_ts }: SharedHeap, size: number): Address[] {
  const blocks = fill(malloc_ts, size);
  for (const smaller of [65536, 8192, 512, 16]) fill(malloc_ts, smaller);
  return blocks;
}

/** How often the locks of classes and pages were taken. */
function locksTaken(heap: SharedHeap): number {
  const { f64, geometry } = memoryOf(heap);
  const locks = [LockTable.PAGE];
  for (let c = 1 as SizeClass; c <= SIZE_CLASS_COUNT; c++) locks.push(LockTable.ofClass(c));
  return locks.reduce(
    (sum, lock) =>
      sum + LockTable.getCounter(f64, LockTable.at(geometry.locks, lock), LockTable.ACQUISITIONS),
    0,
  );
}

const CALLS: Record<string, (heap: SharedHeap) => number> = {
  malloc_ts: (heap) => heap.malloc_ts(1000),
  'malloc_ts of a large block': (heap) => heap.malloc_ts(200_000),
  calloc_ts: (heap) => heap.calloc_ts(10, 100),
  'calloc_ts of a large block': (heap) => heap.calloc_ts(10, 10_000),
  alignedAlloc_ts: (heap) => heap.alignedAlloc_ts(256, 1000),
  'alignedAlloc_ts of a large block': (heap) => heap.alignedAlloc_ts(65536, 1000),
};

for (const [name, call] of Object.entries(CALLS)) {
  test(`${name}: in a full heap takes no lock, but for a look at the dead now and then`, (t) => {
    using heap = SharedHeap.create({ size: 4 * MIB, threads: 4 });
    fillWhole(heap, 1000);
    for (let n = 0; n < 3; n++) t.true(call(heap) === 0);
    const before = locksTaken(heap);
    const ASKED = 10_000;
    for (let n = 0; n < ASKED; n++) if (call(heap) !== 0) t.fail();
    t.true(locksTaken(heap) - before < ASKED / 10, `${locksTaken(heap) - before}`);
  });
}

test('realloc_ts: in a full heap takes no lock but for its own block, which stays', (t) => {
  using heap = SharedHeap.create({ size: 4 * MIB, threads: 4 });
  const [block] = fillWhole(heap, 1000);
  for (let n = 0; n < 3; n++) t.is(heap.realloc_ts(block, 5000), NONE);
  const before = locksTaken(heap);
  const ASKED = 10_000;
  for (let n = 0; n < ASKED; n++) if (heap.realloc_ts(block, 5000) !== 0) t.fail();
  t.true(locksTaken(heap) - before < ASKED / 10, `${locksTaken(heap) - before}`);
  t.true(heap.usableSize(block) >= 1000);
});

test('malloc_ts: where it evicts until it succeeds, neither a call that fails nor one that succeeds takes a lock', (t) => {
  using heap = SharedHeap.create({ size: 4 * MIB, threads: 4 });
  const blocks = fillWhole(heap, 1000);
  for (let n = 0; n < 3; n++) t.is(heap.malloc_ts(1000), NONE);
  const before = locksTaken(heap);
  const EVICTED = 5000;
  for (let n = 0; n < EVICTED; n++) {
    const at = n % blocks.length;
    heap.free_ts(blocks[at]);
    blocks[at] = heap.malloc_ts(1000);
    if (blocks[at] === 0 || heap.malloc_ts(1000) !== 0) t.fail();
  }
  t.true(locksTaken(heap) - before < EVICTED / 10, `${locksTaken(heap) - before}`);
});

test('malloc_ts: what others evict and take again costs a call that fails no lock', (t) => {
  using heap = SharedHeap.create({ size: 4 * MIB, threads: 4 });
  const other = attachTo(heap.handle);
  const { u32, geometry } = memoryOf(heap);
  const blocks = fillWhole(heap, 1000);
  const failing = () => {
    // No look at the dead meanwhile, where the machine is not held up: it is due in 90 ms.
    const time = performance.timeOrigin + performance.now() + 90;
    Header.setNextLook(u32, geometry.header, Math.floor(time * 8) >>> 0);
    const before = locksTaken(heap);
    t.is(heap.malloc_ts(1000), NONE);
    return locksTaken(heap) - before;
  };
  for (let n = 0; n < 3; n++) failing();
  let locks = 0;
  const EVICTED = 500;
  for (let n = 0; n < EVICTED; n++) {
    // Of a span owned by the first thread, or by now with the other one.
    const at = (n * 7) % blocks.length;
    other.shared.free(blocks[at]);
    blocks[at] = other.shared.malloc(1000);
    t.not(blocks[at], NONE);
    locks += failing();
  }
  t.true(locks < EVICTED / 50, `${locks}`);
  other.detach();
});

// ---- what comes back is found

/** Something that makes room, for a heap that has said three times that it is full. */
const EVICTIONS: Record<string, (heap: SharedHeap, blocks: Address[], other: ThreadHeap) => void> =
  {
    'a block of the same class, freed by this thread': (heap, blocks) => heap.free_ts(blocks[7]),
    'blocks of another class, freed by this thread': (heap, blocks) => {
      for (const block of blocks.slice(0, 200)) heap.free_ts(block);
    },
    'blocks freed by another thread that has detached': (_, blocks, other) => {
      for (const block of blocks.slice(0, 200)) other.shared.free(block);
      other.detach();
    },
    'spans that another thread keeps as retired spans': (_, blocks, other) => {
      // More than its magazine holds: the first of them go back to their spans.
      for (const block of blocks) other.shared.free(block);
    },
  };

for (const [what, evict] of Object.entries(EVICTIONS)) {
  const sizes = what.includes('the same class') ? [1000] : [1000, 3000, 100_000];
  for (const asked of sizes) {
    test(`malloc_ts: in a heap known to be full finds ${what}: ${asked} bytes`, (t) => {
      using heap = SharedHeap.create({ size: 4 * MIB, threads: 4 });
      const other = attachTo(heap.handle);
      const blocks = fillWhole(heap, 1000);
      for (let n = 0; n < 3; n++) t.is(heap.malloc_ts(asked), NONE);
      evict(heap, blocks, other);
      t.not(heap.malloc_ts(asked), NONE);
      t.true(heap.verify().ok);
      other.detach();
    });
  }
}

test('malloc_ts: in a heap known to be full finds a large block that was freed, or cut short', (t) => {
  using heap = SharedHeap.create({ size: 4 * MIB, threads: 4 });
  const other = attachTo(heap.handle);
  const [first, second, third] = fillWhole(heap, 300_000);
  for (const makeRoom of [
    () => heap.free_ts(first),
    () => other.shared.free(second),
    () => t.is(other.shared.realloc(third, 70_000), third),
  ]) {
    for (let n = 0; n < 3; n++) t.is(heap.malloc_ts(200_000), NONE);
    makeRoom();
    t.not(heap.malloc_ts(200_000), NONE);
    for (const smaller of [65536, 8192, 512]) fill(heap.malloc_ts, smaller);
  }
  other.detach();
});

test('malloc_ts: a shorter block is looked for where a longer one is known not to fit', (t) => {
  using heap = SharedHeap.create({ size: 4 * MIB, threads: 4 });
  fill(heap.malloc_ts, 500_000);
  for (let n = 0; n < 3; n++) t.is(heap.malloc_ts(500_000), NONE);
  t.not(heap.malloc_ts(80_000), NONE);
  fill(heap.alignedAlloc_ts.bind(null, 65536) as Malloc, 80_000);
  for (let n = 0; n < 3; n++) t.is(heap.alignedAlloc_ts(65536, 80_000), NONE);
  t.not(heap.malloc_ts(100), NONE);
});

test('context.tryMalloc, malloc_ts: a context that ends makes room for both', (t) => {
  using heap = SharedHeap.create({ size: 4 * MIB, threads: 4 });
  const ending = heap.contexts.create('c');
  while (ending.tryMalloc(1000) !== 0);
  fillWhole(heap, 1000);
  const context = heap.contexts.create('c');
  for (let n = 0; n < 3; n++) {
    t.is(context.tryMalloc(5000), NONE);
    t.is(heap.malloc_ts(5000), NONE);
  }
  ending.delete();
  t.not(heap.malloc_ts(5000), NONE);
  t.not(context.tryMalloc(5000), NONE);
  context.delete();
});

test('malloc_ts: answers 0 only where a thread that has just attached gets 0 as well', (t) => {
  const random = new Random(seedOf(t));
  using heap = SharedHeap.create({ size: 2 * MIB, threads: 4 });
  const threads = [attachTo(heap.handle), attachTo(heap.handle)];
  const live: Address[] = [];
  let refused = 0;
  let asked = 0;
  for (let n = 0; n < 60_000; n++) {
    const { shared } = random.pick(threads);
    if (live.length > 0 && random.below(100) < 30) {
      const at = random.below(live.length);
      shared.free(live[at]);
      live[at] = live[live.length - 1];
      live.pop();
      continue;
    }
    const size = random.pick([24, 200, 1000, 3000, 9000, 40_000, 70_000, 150_000]);
    const block = random.below(8) === 0 ? shared.calloc(1, size) : shared.malloc(size);
    if (block !== 0) {
      live.push(block);
      continue;
    }
    refused++;
    // What a thread that has just come gives back changes the answer for all: not after every refusal.
    if (random.below(10) > 0) continue;
    asked++;
    const fresh = attachTo(heap.handle);
    const got = fresh.shared.malloc(size);
    fresh.detach();
    if (got !== 0) {
      t.fail(`${size} bytes at ${got}, after ${n} calls`);
      return;
    }
  }
  t.true(refused > 1000 && asked > 100, `${refused} refused, ${asked} asked`);
  for (const thread of threads) thread.detach();
  for (const block of live) heap.free_ts(block);
  t.is(assertIdentity(t, heap).inUseBytes, 0);
});

// ---- the dead

/** A thread that has blocks cached, not watched, and dies. */
async function startGuest(handle: HeapHandle): Promise<Worker> {
  const guest = new URL('../api/guest.worker.js', import.meta.url);
  const worker = new Worker(guest, { workerData: { handle, blocks: 4, end: 'stay' } });
  await nextMessage(worker);
  return worker;
}

async function kill(worker: Worker): Promise<void> {
  const end = ended(worker);
  await worker.terminate();
  await end;
}

test('malloc_ts: in a heap known to be full gets what a thread had that died since, at the next look', async (t) => {
  using heap = SharedHeap.create({ size: 4 * MIB, threads: 4 });
  const { u32, geometry } = memoryOf(heap);
  const worker = await startGuest(heap.handle);
  for (const size of [65536, 8192, 64]) fill(heap.malloc_ts, size);
  for (let n = 0; n < 3; n++) t.is(heap.malloc_ts(64), NONE);
  await kill(worker);
  Header.setNextLook(u32, geometry.header, 0);
  t.not(heap.malloc_ts(64), NONE);
  t.is(heap.stats().recovery.recoveries, 1);
});

test('malloc_ts: a look at the dead comes by itself, also where the clock was set', async (t) => {
  for (const ahead of [0, 3_600_000, -3_600_000, 2 ** 31 / 8 - 1]) {
    using heap = SharedHeap.create({ size: 4 * MIB, threads: 4 });
    const { u32, geometry } = memoryOf(heap);
    const worker = await startGuest(heap.handle);
    for (const size of [65536, 8192, 64]) fill(heap.malloc_ts, size);
    t.is(heap.malloc_ts(64), NONE);
    await kill(worker);
    const time = performance.timeOrigin + performance.now() + ahead;
    Header.setNextLook(u32, geometry.header, Math.floor(time * 8) >>> 0);
    while (heap.malloc_ts(64) === 0);
    t.is(heap.stats().recovery.recoveries, 1, `${ahead}`);
  }
});

test('watch: what a watched thread had is found by the first call after its end', async (t) => {
  using heap = SharedHeap.create({ size: 4 * MIB, threads: 4 });
  const worker = await startGuest(heap.handle);
  heap.watch(worker);
  for (const size of [65536, 8192, 64]) fill(heap.malloc_ts, size);
  for (let n = 0; n < 3; n++) t.is(heap.malloc_ts(64), NONE);
  await kill(worker);
  t.not(heap.malloc_ts(64), NONE);
});
