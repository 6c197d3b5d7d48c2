/**
 * Proves that leaks are counted and grouped by what is known of them, the largest group first, and
 * the text of the report.
 */

import test from 'ava';
import { type Address, type Block, type Leaks, SharedHeap } from 'shmalloc';
import { findLeaks, readUsage, renderLeaks } from '../../src/inspect/index.js';
import * as ContextRecord from '../../src/layout/context-record.js';
import { ContextMaker } from '../contexts.js';
import { memoryOf } from '../helpers.js';

const block = (address: number, bytes: number, stack?: string, requested?: number): Block => ({
  address: address as Address,
  bytes,
  ...(stack === undefined ? {} : { stack }),
  ...(requested === undefined ? {} : { requested }),
});

const NOTHING_OWNED = { contexts: [], vectors: { blocks: 0, bytes: 0 } };

test('findLeaks: groups by stack if there is one, else by size class, the largest first', (t) => {
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
    ...NOTHING_OWNED,
  });
  t.deepEqual(findLeaks([]), { blocks: 0, bytes: 0, groups: [], ...NOTHING_OWNED });
});

test('inspect.leaks: groups of live blocks, equal to blocks() and stats()', (t) => {
  using heap = SharedHeap.create({ size: '8MiB', threads: 1 });
  t.deepEqual(heap.inspect.leaks(), { blocks: 0, bytes: 0, groups: [], ...NOTHING_OWNED });
  const small = Array.from({ length: 10 }, () => heap.malloc_ts(100));
  const [one] = [heap.malloc_ts(3000)];
  const large = heap.malloc_ts(100_000);
  const { blocks, bytes, groups } = heap.inspect.leaks();
  t.is(blocks, 12);
  t.is(bytes, heap.stats().inUseBytes);
  t.deepEqual(groups, [
    { blocks: 1, bytes: 106_496, firstAddress: large, blockBytes: 0 },
    { blocks: 1, bytes: 3072, firstAddress: one as Address, blockBytes: 3072 },
    { blocks: 10, bytes: 1120, firstAddress: Math.min(...small) as Address, blockBytes: 112 },
  ]);
  for (const address of [...small, one as Address, large]) heap.free_ts(address);
  t.is(heap.inspect.leaks().blocks, 0);
});

test("readUsage: counts since the heap's creation, whatever was reset since", (t) => {
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

test('renderLeaks: the report without leaks, to the letter', (t) => {
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

test('findLeaks: groups by requested bytes if they are known; large blocks are one group', (t) => {
  const isLarge = (address: number) => address >= 0x10000;
  const leaks = findLeaks(
    [
      block(0x100, 48, undefined, 10),
      block(0x200, 48, undefined, 48),
      block(0x300, 16, undefined, 10),
      block(0x400, 16, undefined, 0),
      block(0x500, 112, 'at parse', 100),
      block(0x10000, 8176, undefined, 20),
      block(0x20000, 73_712, undefined, 70_000),
      block(0x40000, 8176, 'at parse', 30),
    ],
    [],
    isLarge,
  );
  const at = (address: number) => ({ firstAddress: address as Address });
  t.deepEqual(leaks, {
    blocks: 8,
    bytes: 90_304,
    requestedBytes: 70_218,
    groups: [
      { blocks: 2, bytes: 81_888, requestedBytes: 70_020, ...at(0x10000), blockBytes: 0 },
      { blocks: 2, bytes: 8288, requestedBytes: 130, ...at(0x500), stack: 'at parse' },
      { blocks: 1, bytes: 48, requestedBytes: 48, ...at(0x200), requestedEach: 48 },
      { blocks: 2, bytes: 64, requestedBytes: 20, ...at(0x100), requestedEach: 10 },
      { blocks: 1, bytes: 16, requestedBytes: 0, ...at(0x400), requestedEach: 0 },
    ],
    ...NOTHING_OWNED,
  });
  const report = renderLeaks(leaks, { allocations: 8, allocatedBytes: 91_000 });
  t.deepEqual(report.split('\n'), [
    'HEAP SUMMARY: in use at exit: 70,218 bytes in 8 blocks',
    'total heap usage: 8 allocs, 0 frees, 91,000 bytes allocated',
    '',
    '70,020 bytes in 2 large blocks, first at 0x10000',
    '130 bytes in 2 blocks, first at 0x500, allocated',
    '    at parse',
    '48 bytes in 1 blocks of 48 bytes, at 0x200',
    '20 bytes in 2 blocks of 10 bytes, first at 0x100',
    '0 bytes in 1 blocks of 0 bytes, at 0x400',
  ]);
});

for (const [debug, blockBytes] of [
  [{ onError: 'throw', checkEach: 1000 }, undefined],
  [{ guard: 32 }, undefined],
  [{ direct: true }, 0],
  [{ direct: true, guard: 32 }, 0],
] as const) {
  test(`inspect.leaks: requested bytes in a heap with ${JSON.stringify(debug)}`, (t) => {
    using heap = SharedHeap.create({ size: '8MiB', threads: 1, debug });
    const firstAddress = heap.malloc_ts(10);
    heap.malloc_ts(10);
    const large = heap.malloc_ts(65_530);
    const { requestedBytes, groups } = heap.inspect.leaks();
    t.is(requestedBytes, 65_550);
    if (blockBytes === 0) {
      t.is(groups.length, 1);
      t.like(groups[0], { blocks: 3, requestedBytes: 65_550, firstAddress, blockBytes: 0 });
      return;
    }
    // With red zones the request does not fit into a block of 64 KiB.
    t.like(groups[0], {
      blocks: 1,
      requestedBytes: 65_530,
      firstAddress: large,
      ...('guard' in debug ? { blockBytes: 0 } : { requestedEach: 65_530 }),
    });
    t.like(groups[1], { blocks: 2, requestedBytes: 20, firstAddress, requestedEach: 10 });
    t.is(groups.length, 2);
  });
}

test("renderLeaks: the heap's label is the third line", (t) => {
  const label = { heapId: '0123456789abcdef', threadId: 3 };
  t.deepEqual(
    renderLeaks(findLeaks([]), { allocations: 0, allocatedBytes: 0 }, label).split('\n'),
    [
      'HEAP SUMMARY: in use at exit: 0 bytes in 0 blocks',
      'total heap usage: 0 allocs, 0 frees, 0 bytes allocated',
      'heap 0123456789abcdef, made by thread 3',
      '',
      'All heap blocks were freed -- no leaks are possible',
    ],
  );
});

test('inspect.leaks: contexts by tree, and vectors, are separate from the program’s blocks', (t) => {
  using heap = SharedHeap.create({ size: '8MiB', threads: 2 });
  const maker = new ContextMaker(heap, 7);
  const mine = heap.malloc_ts(100);
  const root = maker.make('server');
  const request = maker.make('request', root, { ident: '42' });
  const cache = maker.make('cache', undefined, { kind: ContextRecord.SET_KIND });
  const result = maker.make('result', undefined, { ident: 'a' });
  maker.make('empty');
  maker.addChunk(root, 1024, 100, 3);
  for (let n = 0; n < 3; n++) maker.addChunk(request, 4096, 100, 10);
  maker.addChunk(cache, 100_000, 100, 2);
  maker.addChunk(cache, 500, 0, 0);
  maker.addChunk(result, 256, 16);
  maker.release(result);
  maker.addVector(1000);
  const leaks = heap.inspect.leaks();
  const tree = { ident: '', kind: 'bump', owner: 7, contexts: 1, chunks: 0, bytes: 0, objects: 0 };
  t.deepEqual(leaks, {
    blocks: 1,
    bytes: 112,
    groups: [{ blocks: 1, bytes: 112, firstAddress: mine, blockBytes: 112 }],
    contexts: [
      { ...tree, id: 3, name: 'cache', kind: 'set', chunks: 2, bytes: 107_008, objects: 2 },
      { ...tree, id: 1, name: 'server', contexts: 2, chunks: 4, bytes: 13_312, objects: 33 },
      {
        ...{ id: 4, name: 'result', ident: 'a', kind: 'bump', owner: null },
        ...{ contexts: 1, chunks: 1, bytes: 256, objects: 1 },
      },
      { ...tree, id: 5, name: 'empty' },
    ],
    vectors: { blocks: 2, bytes: 1088 },
  } as Leaks);
  const all = leaks.contexts.reduce((sum, { bytes }) => sum + bytes, 0) + leaks.vectors.bytes;
  t.is(leaks.bytes + all, heap.stats().inUseBytes);
  heap.free_ts(mine);
  const usage = readUsage(memoryOf(heap));
  t.deepEqual(renderLeaks(heap.inspect.leaks(), usage).split('\n'), [
    'HEAP SUMMARY: in use at exit: 0 bytes in 0 blocks',
    'total heap usage: 10 allocs, 1 frees, 121,776 bytes allocated',
    '',
    'All other heap blocks were freed',
    '',
    'HELD BY CONTEXTS AND VECTORS:',
    "set context 'cache', thread 7: 107,008 bytes in 2 chunks, 2 objects",
    "context 'server' and 1 below it, thread 7: 13,312 bytes in 4 chunks, 33 objects",
    "context 'result' (a), released: 256 bytes in 1 chunks, 1 objects",
    "context 'empty', thread 7: 0 bytes in 0 chunks, 0 objects",
    'all contexts: 120,576 bytes in 7 chunks, 36 objects',
    'vectors: 1,088 bytes in 2 blocks',
  ]);
  maker.core.detach();
});

test('renderLeaks: of many contexts the smallest are summed up on one line', (t) => {
  using heap = SharedHeap.create({ size: '8MiB', threads: 2 });
  const maker = new ContextMaker(heap, 7);
  for (let n = 0; n < 25; n++) maker.addChunk(maker.make(`c${n}`), n < 5 ? 256 : 512);
  const lines = renderLeaks(heap.inspect.leaks(), readUsage(memoryOf(heap))).split('\n');
  t.deepEqual(lines.slice(-3), [
    "context 'c24', thread 7: 512 bytes in 1 chunks, 1 objects",
    'and 5 more: 1,280 bytes in 5 chunks, 5 objects',
    'all contexts: 11,520 bytes in 25 chunks, 25 objects',
  ]);
  maker.core.detach();
});
