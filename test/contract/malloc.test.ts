/**
 * Proves the contract of malloc_ts: what it gives, what it refuses, and that a full heap loses nothing.
 */

import test from 'ava';
import { SharedHeap } from 'shmalloc';
import {
  assertEmpty,
  assertIdentity,
  assertSound,
  fillPattern,
  findDamage,
  findNonZero,
  GIB,
  HEAP,
  heapAbove,
  KIB,
  LARGEST_HEAP_BYTES,
  Random,
  SMALL_HEAP,
  seedOf,
} from './helpers.js';
import { testBadSizes, testMisuses } from './refusals.js';

test('malloc_ts: size 0 gives a smallest block, which can be freed', (t) => {
  using heap = SharedHeap.create(HEAP);
  const { malloc_ts, free_ts } = heap;
  const blocks = [malloc_ts(0), malloc_ts(0), malloc_ts(-0)];
  t.is(new Set(blocks).size, 3);
  for (const p of blocks) {
    t.true(p > 0);
    t.is(heap.usableSize(p), 16);
    free_ts(p);
  }
  assertEmpty(t, heap);
});

test('malloc_ts: addresses are multiples of 16, blocks hold what was asked', (t) => {
  using heap = SharedHeap.create(HEAP);
  const { malloc_ts, free_ts } = heap;
  const sizes = [1, 2, 8, 15, 16, 17, 24, 100, 128, 129, 1000, 4096, 5000, 8192, 40000];
  sizes.push(65535, 65536, 65537, 131071, 131072, 200000, 500000);
  const blocks = sizes.map((size, i) => {
    const p = malloc_ts(size);
    t.true(p > 0 && p % 16 === 0, `${size} bytes at ${p}`);
    t.true(heap.usableSize(p) >= size, `${size} bytes`);
    fillPattern(heap, p, heap.usableSize(p), i);
    return p;
  });
  blocks.forEach((p, i) => {
    t.is(findDamage(heap, p, heap.usableSize(p), i), -1, `${sizes[i]} bytes`);
    free_ts(p);
  });
  assertEmpty(t, heap);
});

test('malloc_ts: a full heap gives 0 and loses nothing', (t) => {
  using heap = SharedHeap.create(SMALL_HEAP);
  const { malloc_ts, free_ts, calloc_ts, realloc_ts, alignedAlloc_ts } = heap;
  const blocks: number[] = [];
  for (let p = malloc_ts(1000); p !== 0; p = malloc_ts(1000)) {
    fillPattern(heap, p, 1000, blocks.length);
    blocks.push(p);
  }
  t.true(blocks.length > 1500);
  const before = assertIdentity(t, heap);
  const last = blocks.at(-1) as number;
  for (const [what, got] of [
    ['malloc, same class', malloc_ts(1000)],
    ['malloc, large', malloc_ts(200000)],
    ['malloc, 64 KiB', malloc_ts(65536)],
    ['calloc', calloc_ts(10, 100)],
    ['calloc, large', calloc_ts(1000, 1000)],
    ['alignedAlloc', alignedAlloc_ts(64, 1000)],
    ['alignedAlloc, more than a page', alignedAlloc_ts(65536, 1)],
    ['realloc, small', realloc_ts(last, 60000)],
    ['realloc, large', realloc_ts(last, 300000)],
    ['realloc, longer than the heap', realloc_ts(last, 5e9)],
  ] as const) {
    t.is(got as number, 0, what);
  }
  const after = assertIdentity(t, heap);
  t.is(after.inUseBytes, before.inUseBytes);
  t.is(after.allocations, before.allocations);
  blocks.forEach((p, i) => {
    t.is(findDamage(heap, p, 1000, i), -1, `block ${i}`);
    free_ts(p);
  });
  assertEmpty(t, heap);
  t.true(malloc_ts(60000) > 0, 'what was freed can be had again');
});

test('malloc_ts: sizes past the heap give 0, however they wrap', (t) => {
  using heap = SharedHeap.create(HEAP);
  const { malloc_ts, alignedAlloc_ts, realloc_ts, free_ts } = heap;
  const p = malloc_ts(100);
  fillPattern(heap, p, 100, 1);
  // Free runs of many lengths, which a size that wrapped would find.
  const holes = [9, 10, 12, 16, 31, 32, 64, 100].map((pages) => {
    const hole = malloc_ts(pages * 8192);
    malloc_ts(70_000);
    return hole;
  });
  for (const hole of holes) free_ts(hole);
  const { inUseBytes } = heap.stats();
  for (const size of [
    8 * 2 ** 20,
    2 ** 31,
    2 ** 32,
    2 ** 32 + 16,
    2 ** 33,
    5e9,
    2 ** 40,
    Number.MAX_SAFE_INTEGER,
    2 ** 53,
    Number.MAX_VALUE,
  ]) {
    t.is(malloc_ts(size) as number, 0, `malloc ${size}`);
    t.is(realloc_ts(p, size) as number, 0, `realloc ${size}`);
    t.is(alignedAlloc_ts(4096, size) as number, 0, `alignedAlloc ${size}`);
    t.is(alignedAlloc_ts(65536, size) as number, 0, `alignedAlloc ${size}`);
  }
  t.is(findDamage(heap, p, 100, 1), -1);
  t.is(assertIdentity(t, heap).inUseBytes, inUseBytes);
});

testBadSizes('malloc_ts', ({ malloc_ts }, bad) => [() => malloc_ts(bad)]);

testMisuses('malloc_ts', {
  'impossibly_large_malloc: sizes below 0 are refused, sizes past the heap give 0': ({
    t,
    heap,
    size,
  }) => {
    const { malloc_ts, calloc_ts, realloc_ts, alignedAlloc_ts } = heap;
    const p = malloc_ts(size);
    const { inUseBytes } = heap.stats();
    for (const bad of [-2, -1, -size, -(2 ** 31), -(2 ** 32)]) {
      const refusal = { instanceOf: RangeError, code: 'ERR_SHMALLOC_INVALID_SIZE' };
      t.throws(() => malloc_ts(bad), refusal);
      t.throws(() => calloc_ts(1, bad), refusal);
      t.throws(() => calloc_ts(bad, bad), refusal);
      t.throws(() => realloc_ts(p, bad), refusal);
      t.throws(() => alignedAlloc_ts(16, bad), refusal);
    }
    for (const large of [2 ** 24, 2 ** 31, 2 ** 32 - 2, 2 ** 32 + size, 2 ** 53 - 2, 2 ** 64 - 2]) {
      t.is(malloc_ts(large) as number, 0);
      t.is(calloc_ts(1, large) as number, 0);
      t.is(calloc_ts(large, large) as number, 0);
      t.is(realloc_ts(p, large) as number, 0);
      t.is(alignedAlloc_ts(16, large) as number, 0);
    }
    assertSound(t, heap);
    t.is(heap.stats().inUseBytes, inUseBytes);
  },
  'read_zero_size, write_zero_size: a block of 0 bytes has 16 that can be used': ({
    t,
    heap,
    size,
  }) => {
    const { malloc_ts, free_ts, calloc_ts } = heap;
    const [p, q, r] = [malloc_ts(0), calloc_ts(0, size), calloc_ts(size, 0)];
    t.is(new Set([p, q, r]).size, 3);
    for (const block of [p, q, r]) {
      t.is(heap.usableSize(block), 16);
      heap.u8.fill(0xff, block, block + 16);
    }
    assertSound(t, heap);
    for (const block of [p, q, r]) {
      free_ts(block);
      heap.u8.fill(0xee, block, block + 16);
    }
    assertSound(t, heap);
    t.is(heap.stats().inUseBytes, 0);
  },
  'malloc_reuse, _reuse_downsize, realloc_reuse: a freed address is handed out again at once': ({
    heap,
    t,
    size,
  }) => {
    const { malloc_ts, realloc_ts, free_ts } = heap;
    const p = malloc_ts(size);
    free_ts(p);
    t.is(malloc_ts(size), p, 'to malloc');
    free_ts(p);
    t.is(malloc_ts(size - 1), p, 'to a malloc of a little less');
    free_ts(p);
    t.is(realloc_ts(0, size), p, 'to realloc');
  },
  "overflow and underflow, by 1 byte, 32 bytes and 1 MB: hit neighbours' data, never the heap": ({
    t,
    heap,
    size,
  }) => {
    const { malloc_ts, free_ts } = heap;
    const blocks = Array.from({ length: 20 }, () => malloc_ts(size));
    const p = blocks[10] as number;
    const { dataStart, end } = heap.inspect.map();
    for (const bytes of [1, 32, 1_000_000]) {
      const usable = heap.usableSize(p);
      heap.u8.fill(0xff, p, Math.min(p + usable + bytes, end));
      heap.u8.fill(0xff, Math.max(p - bytes, dataStart), p);
      heap.u8.copyWithin(Math.max(p - bytes, dataStart), p, p + usable);
      assertSound(t, heap);
    }
    for (const address of blocks) free_ts(address);
    t.is(heap.stats().inUseBytes, 0);
    assertSound(t, heap);
  },
  'zero_on_malloc: zero in pages never used before, and always from calloc': ({
    t,
    heap,
    size,
  }) => {
    const { malloc_ts, calloc_ts, free_ts } = heap;
    const count = Math.min(4096, (8 * 1024 * KIB) / size);
    const dirty: number[] = [];
    for (let n = 0; n < count; n++) {
      const p = malloc_ts(size);
      if (findNonZero(heap, p, size) >= 0) t.fail(`block ${n} is not zero`);
      heap.u8.fill(0xff, p, p + size);
      dirty.push(p);
    }
    for (const address of dirty) free_ts(address);
    for (let n = 0; n < count; n++) {
      if (findNonZero(heap, calloc_ts(1, size), size) >= 0)
        t.fail(`block ${n} of calloc is not zero`);
    }
    assertSound(t, heap);
  },
});

// ---- addresses above 2 GiB

test('malloc_ts: direct runs go from the top down through all four GiB', (t) => {
  using heap = SharedHeap.create({ size: LARGEST_HEAP_BYTES, threads: 2 });
  const blocks = [1, 2, 3].map(() => heap.malloc_ts(GIB));
  t.true(blocks[0] > 2.9 * GIB);
  t.true(blocks[1] > 1.9 * GIB && blocks[1] < blocks[0]);
  t.true(blocks[2] > 0.9 * GIB && blocks[2] < blocks[1]);
  blocks.forEach((p, i) => {
    fillPattern(heap, p, 5000, i);
    fillPattern(heap, p + GIB - 4096, 4096, i + 10);
  });
  blocks.forEach((p, i) => {
    t.is(findDamage(heap, p, 5000, i), -1);
    t.is(findDamage(heap, p + GIB - 4096, 4096, i + 10), -1);
  });
  assertIdentity(t, heap);
  for (const p of blocks) heap.free_ts(p);
  t.is(assertIdentity(t, heap).inUseBytes, 0);
  t.is(heap.malloc_ts(3 * GIB), blocks[2], 'the three became one free run');
});

for (const gib of [2, 3]) {
  const floor = gib * GIB + 8192 * 3;

  test(`malloc_ts, free_ts: small and large blocks above ${gib} GiB, filled and checked`, (t) => {
    const random = new Random(seedOf(t));
    const { heap, bottom } = heapAbove(floor);
    using _ = heap;
    for (let round = 0; round < 3; round++) {
      const live: { p: number; size: number }[] = [];
      for (let n = 0; n < 1500; n++) {
        const size = random.pick([random.below(300), random.below(9000), random.below(130_000)]);
        const p = heap.malloc_ts(size);
        t.true(p >= floor && p % 16 === 0, `${size} bytes at ${p}`);
        fillPattern(heap, p, size, n);
        live.push({ p, size });
      }
      assertIdentity(t, heap);
      for (const n of random.shuffled(live.map((_, i) => i))) {
        const { p, size } = live[n];
        t.is(findDamage(heap, p, size, n), -1);
        heap.free_ts(p);
      }
      t.is(assertIdentity(t, heap).inUseBytes, heap.usableSize(bottom));
    }
  });
}
