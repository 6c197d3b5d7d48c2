/**
 * Proves that addresses above 2 GiB and 3 GiB are addresses like others, in the largest heap there
 * can be: small and large blocks, realloc, calloc, free and all refusals. Only a few MiB of it are
 * ever touched.
 */

import test from 'ava';
import { type Address, InvalidAddressError, SharedHeap } from 'shmalloc';
import {
  assertIdentity,
  fillPattern,
  findDamage,
  findNonZero,
  geometryOf,
  Random,
  seedOf,
} from '../helpers.js';

const KIB = 2 ** 10;
const MIB = 2 ** 20;
const GIB = 2 ** 30;
const HEAP_BYTES = 4 * GIB - 64 * KIB;

/**
 * The largest heap, in which everything below `floor` is taken by one block that nobody touches:
 * whatever is allocated lies above it.
 */
function heapAbove(floor: number): { heap: SharedHeap; bottom: Address } {
  const heap = SharedHeap.create({ size: HEAP_BYTES, threads: 2 });
  const { dataStart, end } = geometryOf(heap);
  const upper = heap.malloc_ts(end - floor);
  const bottom = heap.malloc_ts(floor - dataStart);
  heap.free_ts(upper);
  return { heap, bottom };
}

test('SharedHeap.create: the largest heap gives addresses up to its end', (t) => {
  using heap = SharedHeap.create({ size: HEAP_BYTES, threads: 2 });
  const { dataStart, dataBytes, end } = geometryOf(heap);
  t.is(end, HEAP_BYTES);
  const all = heap.malloc_ts(dataBytes);
  t.is(all as number, dataStart);
  t.is(heap.usableSize(all), dataBytes);
  heap.u8[end - 1] = 77;
  t.is(heap.view(Uint8Array, all, 1, dataBytes - 1)[0], 77);
  t.is(heap.malloc_ts(1) as number, 0);
  t.is(heap.malloc_ts(dataBytes) as number, 0);
  assertIdentity(t, heap);
  heap.free_ts(all);
  t.is(assertIdentity(t, heap).inUseBytes, 0);
});

test('malloc_ts: direct runs go from the top down through all four GiB', (t) => {
  using heap = SharedHeap.create({ size: HEAP_BYTES, threads: 2 });
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
      const live: { p: Address; size: number }[] = [];
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

  test(`realloc_ts: grows, shrinks and moves above ${gib} GiB`, (t) => {
    const { heap } = heapAbove(floor);
    using _ = heap;
    const sizes = [10, 300, 5000, 65536, 65537, 300_000, 2 * MIB, 200_000, 66_000, 5000, 300, 10];
    let p = heap.malloc_ts(5);
    let kept = 4;
    fillPattern(heap, p, kept, gib);
    for (const size of sizes) {
      heap.malloc_ts(size);
      p = heap.realloc_ts(p, size);
      t.true(p >= floor, `${size} bytes at ${p}`);
      t.is(findDamage(heap, p, Math.min(kept, size & ~3), gib), -1, `${size} bytes`);
      kept = size & ~3;
      fillPattern(heap, p, kept, gib);
    }
    assertIdentity(t, heap);
  });

  test(`calloc_ts: zeros above ${gib} GiB, in fresh and in dirty pages`, (t) => {
    const { heap } = heapAbove(floor);
    using _ = heap;
    for (const size of [1, 100, 5000, 65536, 100_000, 500_000]) {
      for (let round = 0; round < 3; round++) {
        const p = heap.calloc_ts(size, 1);
        t.true(p >= floor);
        t.is(findNonZero(heap, p, size), -1, `${size} bytes`);
        heap.u8.fill(0xff, p, p + heap.usableSize(p));
        heap.free_ts(p);
      }
    }
    assertIdentity(t, heap);
  });

  test(`alignedAlloc_ts: above ${gib} GiB`, (t) => {
    const { heap } = heapAbove(floor);
    using _ = heap;
    for (let alignment = 16; alignment <= 65536; alignment *= 2) {
      for (const size of [100, 8193, 200_000]) {
        const p = heap.alignedAlloc_ts(alignment, size);
        t.true(p >= floor && p % alignment === 0, `${alignment}, ${size}`);
        heap.free_ts(p);
      }
    }
  });

  test(`free_ts, usableSize: name what is wrong with addresses above ${gib} GiB`, (t) => {
    const { heap } = heapAbove(floor);
    using _ = heap;
    const small = heap.malloc_ts(48);
    const large = heap.malloc_ts(300_000);
    const freed = heap.malloc_ts(500);
    const freedLarge = heap.malloc_ts(MIB);
    heap.free_ts(freed);
    heap.free_ts(freedLarge);
    t.true(Math.min(small, large, freed, freedLarge) >= floor);
    const hex = (n: number) => `0x${n.toString(16)}`;
    const cases: [number, string, RegExp][] = [
      [small + 16, 'interior', new RegExp(`inside the block at ${hex(small)}, 48 bytes, class 3`)],
      [small + 4, 'misaligned', /not a multiple of 16/],
      [small - 2 ** 32, 'negative', /not negative/],
      [small + 2 ** 32, 'out-of-range', /past the heap's end/],
      [small + 0.5, 'fractional', /whole numbers/],
      [large + 8192, 'interior', new RegExp(`inside the block at ${hex(large)}, .* large`)],
      [freed, 'freed', new RegExp(`the block at ${hex(freed)}, 512 bytes, class 16, is free`)],
      [freedLarge, 'freed', /in free pages at/],
      [HEAP_BYTES, 'out-of-range', /past the heap's end at 0xffff0000/],
      [2 ** 32 - 16, 'out-of-range', /past the heap's end/],
    ];
    const before = heap.stats();
    for (const [address, reason, message] of cases) {
      for (const call of [
        () => heap.free_ts(address as Address),
        () => heap.realloc_ts(address as Address, 9),
        () => heap.usableSize(address as Address),
        () => heap.free(address as Address),
      ]) {
        const error = t.throws(call, { instanceOf: InvalidAddressError, message });
        t.is(error?.reason as string, reason);
      }
    }
    const after = heap.stats();
    t.deepEqual({ ...after, locks: 0 }, { ...before, locks: 0 });
  });
}

test('free_ts: an untouched page above 3 GiB is said to be untouched', (t) => {
  using heap = SharedHeap.create({ size: HEAP_BYTES, threads: 2 });
  t.throws(() => heap.free_ts((3 * GIB) as Address), {
    instanceOf: InvalidAddressError,
    message: 'cannot free 0xc0000000: in pages that were never allocated',
  });
});

test('detach: gives small blocks above 3 GiB back to their spans', (t) => {
  const { heap } = heapAbove(3 * GIB);
  const { handle } = heap;
  const blocks = Array.from({ length: 3000 }, (_, n) => heap.malloc_ts(n % 2000));
  for (const p of blocks) heap.free_ts(p);
  heap.detach();
  using again = SharedHeap.attach(handle);
  const stats = assertIdentity(t, again);
  t.is(stats.cachedBytes + stats.freeBlockBytes, 0);
  t.true(stats.sizeClasses.every((c) => c.spans === 0));
});
