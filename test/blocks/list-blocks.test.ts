/**
 * Proves that a list of blocks in parts has the same blocks as one in whole, wherever a part begins
 * or ends, and that the block at an address is described correctly.
 */

import test from 'ava';
import { type Address, InvalidAddressError, SharedHeap } from 'shmalloc';
import { BLOCK_BYTES, LARGE, type SizeClass } from '../../src/base/index.js';
import { type BlockInspector, eachBlock } from '../../src/blocks/index.js';
import { attachThreadHeap } from '../../src/heap/index.js';
import { memoryOf, Random, seedOf } from '../helpers.js';

/** The block inspector of a second attachment to a heap. */
function inspectorOf(heap: SharedHeap): BlockInspector & { detach(): void } {
  const core = attachThreadHeap(memoryOf(heap), true, { threadId: 0, lockTimeoutMs: 1000 });
  return { ...core.inspector, detach: core.detach };
}

/** Allocates blocks of many classes and frees some; returns the others, by address. */
function fill(heap: SharedHeap, random: Random): { address: Address; bytes: number }[] {
  const blocks = Array.from({ length: 3000 }, () =>
    heap.malloc_ts(random.below(8) === 0 ? random.below(90_000) : random.below(600)),
  ).filter((address) => address !== 0);
  const kept = blocks.filter((address) => {
    if (random.below(3) > 0) return true;
    heap.free_ts(address);
    return false;
  });
  return kept
    .sort((a, b) => a - b)
    .map((address) => ({ address, bytes: heap.usableSize(address) }));
}

test('blocksFrom: parts of any size add up to all live blocks, in ascending order', (t) => {
  using heap = SharedHeap.create({ size: '64MiB', threads: 2 });
  const inspector = inspectorOf(heap);
  const expected = fill(heap, new Random(seedOf(t)));
  t.deepEqual([...eachBlock(inspector)], expected);
  t.deepEqual(heap.inspect.blocks(), expected);
  for (const max of [1, 2, 7, 511, 512, 513, expected.length, expected.length + 1]) {
    const parts: unknown[] = [];
    for (let from = 0, n = 0; n <= expected.length; n++) {
      const part = inspector.blocksFrom(from, max);
      if (part.length === 0) break;
      t.true(part.length <= max);
      parts.push(...part);
      from = (part.at(-1)?.address as number) + 1;
    }
    t.deepEqual(parts, expected, `${max} at a time`);
  }
  inspector.detach();
});

test('blocksFrom: begins at the first block at or after the address', (t) => {
  using heap = SharedHeap.create({ size: '64MiB', threads: 2 });
  const inspector = inspectorOf(heap);
  const random = new Random(seedOf(t));
  const expected = fill(heap, random);
  const { dataStart, end } = memoryOf(heap).geometry;
  const near = random
    .shuffled(expected)
    .slice(0, 300)
    .flatMap(({ address, bytes }) => [address - 1, address, address + 1, address + bytes - 1]);
  for (const from of [0, dataStart, end - 1, end, 2 ** 32, ...near]) {
    const [first] = inspector.blocksFrom(from, 1);
    t.deepEqual(
      first,
      expected.find(({ address }) => address >= from),
      `from ${from}`,
    );
  }
  inspector.detach();
});

test('details: describes live and free blocks of every class, and large ones', (t) => {
  using heap = SharedHeap.create({ size: '64MiB', threads: 2 });
  const inspector = inspectorOf(heap);
  for (let sizeClass = 1 as SizeClass; sizeClass < LARGE; sizeClass++) {
    const bytes = BLOCK_BYTES[sizeClass] as number;
    const address = heap.malloc_ts(bytes);
    t.deepEqual(inspector.details(address, 'look'), { address, bytes, sizeClass, state: 'live' });
    heap.free_ts(address);
    t.deepEqual(inspector.details(address, 'look'), { address, bytes, sizeClass, state: 'free' });
  }
  const large = heap.malloc_ts(100_000);
  const found = { address: large, bytes: 106_496, sizeClass: LARGE, state: 'live' };
  t.deepEqual(inspector.details(large, 'look'), found as never);
  for (const wrong of [0, large + 16, large + 1, 2 ** 33, -16, 0.5, NaN, '16', undefined]) {
    const error = t.throws(() => inspector.details(wrong, 'look at'), {
      instanceOf: InvalidAddressError,
    });
    t.regex(error.message, /^cannot look at /, String(wrong));
  }
  inspector.detach();
});

test('regionOf: returns the span of a small block, and the run of a large one', (t) => {
  using heap = SharedHeap.create({ size: '8MiB', threads: 2 });
  const inspector = inspectorOf(heap);
  // Blocks of 12 KiB lie in spans of several pages.
  const blocks = Array.from({ length: 8 }, () => heap.malloc_ts(12 * 1024)).sort((a, b) => a - b);
  const regions = blocks.map((address) => inspector.regionOf(address).start);
  t.is(regions[0], blocks[0], 'the first block of a span begins where the span begins');
  t.true(blocks.some((address, n) => address - (regions[n] as number) > 2 * 8192));
  t.true(regions.every((region, n) => region <= (blocks[n] as number) && region % 8192 === 0));
  const large = heap.malloc_ts(300_000);
  t.deepEqual(inspector.regionOf(large), { start: large, blockBytes: Number.POSITIVE_INFINITY });
  t.true(inspector.regionOf(blocks[1] as Address).blockBytes >= 12 * 1024);
  inspector.detach();
});

test('blocks, hexdump, leaks: throw ERR_SHMALLOC_DETACHED after detach', (t) => {
  const heap = SharedHeap.create({ size: '2MiB' });
  const address = heap.malloc_ts(100);
  heap.detach();
  for (const call of [
    () => heap.inspect.blocks(),
    () => heap.inspect.hexdump(address),
    () => heap.inspect.leaks(),
    () => heap.inspect.print('blocks', { write: () => t.fail('nothing is printed') }),
  ]) {
    t.throws(call, { code: 'ERR_SHMALLOC_DETACHED' });
  }
});
