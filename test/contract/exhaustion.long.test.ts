/**
 * Proves that a heap can be filled to its end and comes back whole: what fitted once fits again
 * after everything was freed, in whatever order, for every size class and for large blocks; malloc
 * gives 0 only where no free run is long enough.
 */

import test, { type ExecutionContext } from 'ava';
import { type HeapStats, SharedHeap } from 'shmalloc';
import { assertIdentity, fillPattern, findDamage, MIB, Random, seedOf } from './helpers.js';

const PAGE_BYTES = 8192;
const LARGE_SIZES = [65537, 81920, 131072, 200000, 300000, 524288, 700000];

/** The block sizes of the classes, class 1 first. */
function blockSizes(): number[] {
  using heap = SharedHeap.create({ size: 2 * MIB, threads: 1 });
  return heap.stats().sizeClasses.map(({ blockBytes }) => blockBytes);
}
const BLOCK_BYTES = [0, ...blockSizes()];

/** The length of a span, of a heap that has spans of this class alone and no free block. */
function spanBytesOf(stats: HeapStats, c: number): number {
  return (stats.inUseBytes + stats.spanTailBytes) / stats.sizeClasses[c - 1].spans;
}

/** Allocates until the heap is full. */
function fill(heap: SharedHeap, size: number): number[] {
  const blocks: number[] = [];
  for (let p = heap.malloc_ts(size); p !== 0; p = heap.malloc_ts(size)) blocks.push(p);
  return blocks;
}

const ORDERS: Record<string, (blocks: number[], random: Random) => number[]> = {
  fifo: (blocks) => blocks,
  lifo: (blocks) => blocks.toReversed(),
  random: (blocks, random) => random.shuffled(blocks),
};

/** Blocks of one size, to the end of the heap, freed in each order and had again. */
function fillAgain(t: ExecutionContext, heap: SharedHeap, size: number, random: Random): void {
  let count = -1;
  for (const [order, ordered] of Object.entries(ORDERS)) {
    const blocks = fill(heap, size);
    const when = `${size} bytes, before ${order}`;
    if (count < 0) count = blocks.length;
    t.is(blocks.length, count, when);
    t.is(new Set(blocks).size, count, when);
    const stats = assertIdentity(t, heap, when);
    t.is(stats.inUseBytes, count * heap.usableSize(blocks[0]), when);
    for (const p of ordered(blocks, random)) heap.free_ts(p);
    t.is(assertIdentity(t, heap, `${size} bytes, after ${order}`).inUseBytes, 0);
  }
  t.is(fill(heap, size).length, count, `${size} bytes, after all`);
}

for (const bytes of [2 * MIB, 8 * MIB]) {
  const sizeText = `${bytes / MIB} MiB`;

  test(`malloc_ts: every size class fills a heap of ${sizeText} to its last span, again and again`, (t) => {
    const random = new Random(seedOf(t));
    for (let c = 1; c < BLOCK_BYTES.length; c++) {
      using heap = SharedHeap.create({ size: bytes, threads: 1 });
      fillAgain(t, heap, BLOCK_BYTES[c], random);
      const stats = heap.stats();
      const { freeBlockBytes, cachedBytes, freeRunBytes, untouchedBytes } = stats;
      t.is(freeBlockBytes + cachedBytes, 0, `class ${c}: no free block is left`);
      t.true(
        freeRunBytes + untouchedBytes < spanBytesOf(stats, c),
        `class ${c}: no span more would fit`,
      );
    }
  });

  test(`malloc_ts: sizes next to class boundaries fill a heap of ${sizeText} as their class`, (t) => {
    for (const c of [1, 8, 9, 20, 21, 28, 33, 36, 43, 44]) {
      const counts = [BLOCK_BYTES[c - 1] + 1, BLOCK_BYTES[c]].map((size) => {
        using heap = SharedHeap.create({ size: bytes, threads: 1 });
        return fill(heap, size).length;
      });
      t.is(counts[0], counts[1], `class ${c}`);
    }
  });

  test(`malloc_ts: large blocks fill a heap of ${sizeText}, again and again`, (t) => {
    const random = new Random(seedOf(t));
    for (const size of LARGE_SIZES) {
      using heap = SharedHeap.create({ size: bytes, threads: 1 });
      fillAgain(t, heap, size, random);
      const { freeRunBytes, untouchedBytes } = heap.stats();
      t.true(freeRunBytes + untouchedBytes < Math.ceil(size / PAGE_BYTES) * PAGE_BYTES, `${size}`);
    }
  });

  test(`malloc_ts: mixed sizes fill a heap of ${sizeText}; freed, one size fills it all`, (t) => {
    const random = new Random(seedOf(t));
    let heap = SharedHeap.create({ size: bytes, threads: 1 });
    for (let round = 0; round < 6; round++) {
      const live: { p: number; size: number; seed: number }[] = [];
      let refusals = 0;
      while (refusals < 20) {
        const size = random.pick([
          1 + random.below(200),
          random.below(5000),
          random.below(150_000),
        ]);
        const p = heap.malloc_ts(size);
        if (p === 0) {
          refusals++;
          // Half of what there is goes, so that holes of all lengths come and go.
          for (const block of random.shuffled(live).slice(live.length >> 1)) {
            t.is(findDamage(heap, block.p, block.size, block.seed), -1);
            heap.free_ts(block.p);
            live.splice(live.indexOf(block), 1);
          }
          assertIdentity(t, heap);
          continue;
        }
        const seed = random.word() | 1;
        fillPattern(heap, p, size, seed);
        live.push({ p, size, seed });
      }
      for (const { p, size, seed } of random.shuffled(live)) {
        t.is(findDamage(heap, p, size, seed), -1);
        heap.free_ts(p);
      }
      t.is(assertIdentity(t, heap).inUseBytes, 0);
      // Blocks that are still cached hold spans, around which spans of another length leave gaps.
      heap.detach();
      heap = SharedHeap.attach(heap.handle);
      const c = random.pick([1, 3, 20, 28, 36, 44]);
      const blocks = fill(heap, BLOCK_BYTES[c]);
      const stats = heap.stats();
      const { freeBlockBytes, cachedBytes, freeRunBytes, untouchedBytes } = stats;
      t.is(freeBlockBytes + cachedBytes, 0, `round ${round}, class ${c}`);
      // Free pages below the reserve, the reserve, and free pages above it: less than a span each.
      t.true(
        freeRunBytes + untouchedBytes < 3 * spanBytesOf(stats, c),
        `round ${round}, class ${c}: ${freeRunBytes} + ${untouchedBytes} bytes are left`,
      );
      for (const p of blocks) heap.free_ts(p);
    }
    heap.detach();
  });

  test(`realloc_ts: at the end of a heap of ${sizeText} gives 0 or moves, and loses nothing`, (t) => {
    const random = new Random(seedOf(t));
    using heap = SharedHeap.create({ size: bytes, threads: 1 });
    const sizes = [24, 1000, 9000, 66_000];
    const live = new Map<number, { size: number; seed: number }>();
    const note = (p: number, size: number) => {
      const seed = random.word() | 1;
      fillPattern(heap, p, size, seed);
      live.set(p, { size, seed });
    };
    for (const size of sizes.toReversed()) {
      for (let n = 0; n < 1e6; n++) {
        const p = heap.malloc_ts(size);
        if (p === 0) break;
        note(p, size);
        if (size > 24 && heap.stats().inUseBytes > bytes / 2) break;
      }
    }
    let refused = 0;
    for (let n = 0; n < 3000; n++) {
      const p = random.pick([...live.keys()].slice(0, 200));
      const { size, seed } = live.get(p) as { size: number; seed: number };
      const wanted = random.pick([...sizes, size * 2, size >> 1]) || 1;
      const q = heap.realloc_ts(p, wanted);
      if (q === 0) {
        refused++;
        t.is(findDamage(heap, p, size, seed), -1, 'the old block is as it was');
        continue;
      }
      t.is(findDamage(heap, q, Math.min(size, wanted) & ~3, seed), -1, 'its contents came along');
      live.delete(p);
      note(q, wanted);
    }
    t.true(refused > 0, `${refused} refused`);
    assertIdentity(t, heap);
    for (const [p, { size, seed }] of live) {
      t.is(findDamage(heap, p, size, seed), -1);
      heap.free_ts(p);
    }
    t.is(assertIdentity(t, heap).inUseBytes, 0);
  });
}

// ---- malloc gives 0 only where nothing fits

test('malloc_ts: blocks of a class that nobody uses any more make room for another', (t) => {
  using heap = SharedHeap.create({ size: 2 * MIB, threads: 1 });
  for (const size of [16, 65536, 1000, 200000, 48, 40000]) {
    const blocks = fill(heap, size);
    t.true(blocks.length * size > 1.2 * MIB, `${blocks.length} of ${size} bytes`);
    for (const p of blocks) heap.free_ts(p);
  }
});

test('malloc_ts: a free run is found, however many shorter ones share its bin', (t) => {
  using heap = SharedHeap.create({ size: 64 * MIB, threads: 1 });
  // Runs of 64 to 71 pages share a bin. One of 71, then thirty of 64, with blocks between them.
  const wanted = 71 * PAGE_BYTES;
  const hole = heap.malloc_ts(wanted);
  const shorter = Array.from({ length: 30 }, () => {
    heap.malloc_ts(20 * PAGE_BYTES);
    return heap.malloc_ts(64 * PAGE_BYTES);
  });
  heap.malloc_ts(20 * PAGE_BYTES);
  for (const size of [4 * MIB, MIB, 20 * PAGE_BYTES, 65536, 8192]) fill(heap, size);
  heap.free_ts(hole);
  for (const p of shorter) heap.free_ts(p);
  t.true(heap.stats().freeRunBytes >= wanted + 30 * 64 * PAGE_BYTES);
  t.is(heap.malloc_ts(wanted), hole);
});

test('malloc_ts: an empty heap gives all its pages in one block, whatever was done before', (t) => {
  using fresh = SharedHeap.create({ size: 8 * MIB, threads: 1 });
  const { dataStart, end } = fresh.inspect.map();
  const all = end - dataStart;
  t.true(fresh.malloc_ts(all) > 0, 'at first');

  for (const sizes of [[5 * MIB], [100], [MIB, 100], [4 * MIB, 70_000], [MIB, 2 * MIB, 100, 100]]) {
    using heap = SharedHeap.create({ size: 8 * MIB, threads: 1 });
    const blocks = sizes.map((size) => heap.malloc_ts(size));
    for (const p of blocks) heap.free_ts(p);
    t.is(assertIdentity(t, heap).inUseBytes, 0);
    t.true(heap.malloc_ts(all) > 0, `after blocks of ${sizes.join(', ')} bytes`);
  }
});

test('alignedAlloc_ts: what an alignment leaves over joins its free neighbours', (t) => {
  let leftovers = 0;
  for (let pages = 16; pages < 24; pages++) {
    using heap = SharedHeap.create({ size: 8 * MIB, threads: 1 });
    const end = 8 * MIB;
    const top = heap.malloc_ts(pages * PAGE_BYTES);
    t.is(top + pages * PAGE_BYTES, end);
    heap.free_ts(top);
    // Too long for that free run, so it comes from the reserve right below it.
    const aligned = heap.alignedAlloc_ts(65536, 25 * PAGE_BYTES);
    if (aligned + 25 * PAGE_BYTES < top) leftovers++;
    heap.free_ts(aligned);
    const stats = assertIdentity(t, heap);
    t.is(stats.freeRunBytes, end - aligned);
    t.is(heap.malloc_ts(end - aligned), aligned, `one run, with ${pages} free pages above`);
  }
  t.true(leftovers > 0);
});
