/**
 * Proves that leaks are counted and put into groups by what is known of them, the largest first, and
 * what the report says.
 */

import test from 'ava';
import { type Address, type Block, SharedHeap } from 'shmalloc';
import { findLeaks, readUsage, renderLeaks } from '../../src/observe/index.js';
import { memoryOf } from '../helpers.js';

const block = (address: number, bytes: number, stack?: string): Block => ({
  address: address as Address,
  bytes,
  ...(stack === undefined ? {} : { stack }),
});

test('findLeaks: by stack where there is one, else by size class, the largest first', (t) => {
  const leaks = findLeaks([
    block(0x100, 48),
    block(0x200, 112, 'at parse\nat main'),
    block(0x300, 48),
    block(0x400, 2048, 'at grow'),
    block(0x500, 16, 'at parse\nat main'),
    block(0x600, 73_728),
    block(0x20000, 81_920),
    block(0x40000, 44),
  ]);
  t.deepEqual(leaks, {
    blocks: 8,
    bytes: 157_964,
    groups: [
      { blocks: 2, bytes: 155_648, firstAddress: 0x600 as Address, blockBytes: 0 },
      { blocks: 1, bytes: 2048, firstAddress: 0x400 as Address, stack: 'at grow' },
      { blocks: 3, bytes: 140, firstAddress: 0x100 as Address, blockBytes: 48 },
      { blocks: 2, bytes: 128, firstAddress: 0x200 as Address, stack: 'at parse\nat main' },
    ],
  });
  t.deepEqual(findLeaks([]), { blocks: 0, bytes: 0, groups: [] });
});

test('SharedHeap.leaks: what is live, in groups, equal to blocks() and stats()', (t) => {
  using heap = SharedHeap.create({ size: '8MiB', threads: 1 });
  t.deepEqual(heap.leaks(), { blocks: 0, bytes: 0, groups: [] });
  const small = Array.from({ length: 10 }, () => heap.malloc_ts(100));
  const [one] = [heap.malloc_ts(3000)];
  const large = heap.malloc_ts(100_000);
  const { blocks, bytes, groups } = heap.leaks();
  t.is(blocks, 12);
  t.is(bytes, heap.stats().inUseBytes);
  t.deepEqual(groups, [
    { blocks: 1, bytes: 106_496, firstAddress: large, blockBytes: 0 },
    { blocks: 1, bytes: 3072, firstAddress: one as Address, blockBytes: 3072 },
    { blocks: 10, bytes: 1120, firstAddress: Math.min(...small) as Address, blockBytes: 112 },
  ]);
  for (const address of [...small, one as Address, large]) heap.free_ts(address);
  t.is(heap.leaks().blocks, 0);
});

test('readUsage: counts since the heap was made, whatever was reset since', (t) => {
  using heap = SharedHeap.create({ size: '8MiB', threads: 1 });
  heap.free_ts(heap.malloc_ts(100));
  heap.malloc_ts(100_000);
  heap.resetStats();
  heap.malloc_ts(16);
  t.deepEqual(readUsage(memoryOf(heap)), {
    allocations: 3,
    allocatedBytes: 112 + 106_496 + 16,
  });
});

test('renderLeaks: the report of leaks, to the letter', (t) => {
  const leaks = findLeaks([
    block(0x100, 48),
    block(0x300, 48),
    block(0x200, 1200, '    at parse (a.js:1:2)\n    at main (b.js:3:4)'),
    block(0x600, 73_728),
  ]);
  t.is(
    renderLeaks(leaks, { allocations: 12_345, allocatedBytes: 9_876_543 }),
    [
      'HEAP SUMMARY: in use at exit: 75,024 bytes in 4 blocks',
      'total heap usage: 12,345 allocs, 12,341 frees, 9,876,543 bytes allocated',
      '',
      '73,728 bytes in 1 large blocks, at 0x600',
      '1,200 bytes in 1 blocks, at 0x200, allocated',
      '    at parse (a.js:1:2)',
      '    at main (b.js:3:4)',
      '96 bytes in 2 blocks of 48 bytes, first at 0x100',
    ].join('\n'),
  );
});

test('renderLeaks: nothing left, to the letter', (t) => {
  t.is(
    renderLeaks(findLeaks([]), { allocations: 3, allocatedBytes: 48 }),
    [
      'HEAP SUMMARY: in use at exit: 0 bytes in 0 blocks',
      'total heap usage: 3 allocs, 3 frees, 48 bytes allocated',
      '',
      'All heap blocks were freed -- no leaks are possible',
    ].join('\n'),
  );
});
