/**
 * Proves that the tree of contexts is read correctly for all threads, that a tree which changes
 * during the reading comes out valid, and the text of the tree.
 */

import test from 'ava';
import { type ContextNode, SharedHeap } from 'shmalloc';
import { readContextTree, renderContextTree } from '../../src/contexts/index.js';
import * as ContextRecord from '../../src/layout/context-record.js';
import * as Records from '../../src/layout/record-table.js';
import { ContextMaker, type Made } from '../contexts.js';
import { memoryOf, Random, seedOf } from '../helpers.js';

function makeScene(size = '8MiB', contexts?: number) {
  const heap = SharedHeap.create({ size, threads: 4, ...(contexts && { contexts }) });
  return { heap, maker: new ContextMaker(heap, 3), memory: memoryOf(heap) };
}

/** True if each node is in the list once, below its parent, at the place that its path names. */
function isTree(nodes: readonly ContextNode[]): boolean {
  const open: ContextNode[] = [];
  const ids = new Set<number>();
  return nodes.every((node) => {
    while ((open.at(-1)?.level ?? 0) >= node.level) open.pop();
    const above = open.at(-1);
    open.push(node);
    const isNew = !ids.has(node.id);
    ids.add(node.id);
    return (
      isNew &&
      node.parent === (above?.id ?? 0) &&
      node.level === (above?.level ?? 0) + 1 &&
      node.usedBytes + node.freeBytes === node.bytes &&
      node.path.join() ===
        open
          .map(({ id }) => id)
          .slice(0, 100)
          .join()
    );
  });
}

test('readContextTree: every field, roots and siblings in the order of their ids', (t) => {
  const { heap, maker, memory } = makeScene();
  const other = new ContextMaker(heap, 9);
  t.deepEqual(readContextTree(memory), []);
  const root = maker.make('server', undefined, { ident: 'main' });
  const shared = other.make('shared', undefined, { kind: ContextRecord.SET_KIND });
  const request = maker.make('request', root, { ident: '42' });
  const parser = maker.make('parser', request);
  maker.make('request', root);
  maker.addChunk(request, 1000, 300, 5);
  maker.addChunk(request, 2000, 1500, 2);
  ContextRecord.setFreedBytes(memory.u32, request.record, 64);
  other.addChunk(shared, 512, 100, 1);
  other.release(shared);
  const none = { chunks: 0, bytes: 0, usedBytes: 0, freeBytes: 0, objects: 0 };
  const nodes = readContextTree(memory);
  t.deepEqual(nodes, [
    {
      ...{ id: 1, name: 'server', ident: 'main', kind: 'bump', owner: 3, level: 1 },
      ...{ path: [1], parent: 0, ...none },
    },
    {
      ...{ id: 3, name: 'request', ident: '42', kind: 'bump', owner: 3, level: 2 },
      ...{ path: [1, 3], parent: 1, chunks: 2, bytes: 1024 + 2048, objects: 7 },
      ...{ usedBytes: 300 + 1500 - 64, freeBytes: 1024 + 2048 - 1736 },
    },
    {
      ...{ id: 4, name: 'parser', ident: '', kind: 'bump', owner: 3, level: 3 },
      ...{ path: [1, 3, 4], parent: 3, ...none },
    },
    {
      ...{ id: 5, name: 'request', ident: '', kind: 'bump', owner: 3, level: 2 },
      ...{ path: [1, 5], parent: 1, ...none },
    },
    {
      ...{ id: 2, name: 'shared', ident: '', kind: 'set', owner: null, level: 1 },
      ...{ path: [2], parent: 0, chunks: 1, bytes: 512, usedBytes: 100, freeBytes: 412 },
      objects: 1,
    },
  ]);
  t.true(isTree(nodes));
  t.deepEqual(structuredClone(nodes), nodes, 'plain data');
  t.is(
    renderContextTree(nodes),
    [
      'server (main), thread 3: 0 bytes in 0 chunks; 0 free; 0 used; 0 objects',
      '  request (42): 3072 bytes in 2 chunks; 1336 free; 1736 used; 7 objects',
      '    parser: 0 bytes in 0 chunks; 0 free; 0 used; 0 objects',
      '  request: 0 bytes in 0 chunks; 0 free; 0 used; 0 objects',
      'shared, set, released: 512 bytes in 1 chunks; 412 free; 100 used; 1 objects',
      'Grand total: 3584 bytes in 3 chunks; 1748 free; 1836 used',
    ].join('\n'),
  );
  t.deepEqual(heap.stats().contexts, { live: 5, released: 1, chunks: 3, bytes: 3584 });
  let text = '';
  heap.inspect.print('stats', {
    write: (piece) => {
      text += piece;
    },
  });
  t.regex(text, /contexts +5 +in contexts +3\.5 KiB +3 chunks, 1 contexts released/);
  void parser;
  maker.core.detach();
  other.core.detach();
  heap.detach();
});

test('readContextTree: contexts that are being made or ended are left out', (t) => {
  const { heap, maker, memory } = makeScene();
  const root = maker.make('root');
  maker.make('child', root);
  const state = Records.load(memory.i32, root.record);
  const unresolved = ContextRecord.withPhase(state, ContextRecord.UNRESOLVED, maker.slotIndex);
  Records.store(memory.i32, root.record, unresolved);
  t.deepEqual(
    readContextTree(memory).map(({ name, level }) => [name, level]),
    [['child', 1]],
  );
  t.is(heap.stats().contexts.live, 1);
  Records.store(memory.i32, root.record, state);
  maker.core.detach();
  heap.detach();
});

test('readContextTree: whatever the tables contain, each context appears once, with possible figures', (t) => {
  const random = new Random(seedOf(t));
  const { heap, maker, memory } = makeScene();
  const made: Made[] = [];
  for (let n = 0; n < 60; n++) made.push(maker.make(`c${n}`, made[random.below(n + 1)]));
  const { u32, u8, geometry } = memory;
  const before = u8.slice(geometry.base, geometry.dataStart);
  for (let round = 0; round < 200; round++) {
    for (let n = 0; n < 30; n++) {
      const { record } = random.pick(made);
      // Any field but the state, which has its own test.
      u32[record + 1 + random.below(63)] = random.pick([random.word(), random.below(70), 0]);
    }
    const nodes = readContextTree(memory);
    if (!isTree(nodes) || nodes.length !== 60) t.fail(JSON.stringify(nodes));
    for (const { freeBytes, usedBytes, bytes, chunks, name } of nodes) {
      const sane = freeBytes >= 0 && usedBytes >= 0 && bytes <= geometry.dataBytes;
      if (!sane || chunks > geometry.chunkCount || name.length > 40) t.fail(`round ${round}`);
    }
    t.regex(renderContextTree(nodes), /Grand total: \d+ bytes in \d+ chunks/);
  }
  u8.set(before, geometry.base);
  maker.core.detach();
  heap.detach();
});

test('readContextTree: accepts an invalid frontier', (t) => {
  const { heap, maker, memory } = makeScene();
  maker.make('one');
  const { contexts } = memory.geometry;
  for (const frontier of [0xffff_ffff, 0x7fff_ffff]) {
    memory.u32[contexts + 1] = frontier;
    t.is(readContextTree(memory).length, frontier === 0x7fff_ffff ? 1 : 0);
  }
  memory.u32[contexts + 1] = 1;
  maker.core.detach();
  heap.detach();
  using none = SharedHeap.create({ size: '2MiB', contexts: 0 });
  t.deepEqual(readContextTree(memoryOf(none)), []);
  t.is(renderContextTree([]), 'Grand total: 0 bytes in 0 chunks; 0 free; 0 used');
});

test('renderContextTree: shows a hundred children, and one line for the others and all below them', (t) => {
  const { heap, maker, memory } = makeScene('32MiB', 1000);
  const root = maker.make('root');
  for (let n = 0; n < 130; n++) {
    const child = maker.make('request', root, { ident: `${n}` });
    maker.addChunk(maker.make('part', child), 256, 100, 2);
  }
  const lines = renderContextTree(readContextTree(memory)).split('\n');
  t.is(lines.length, 1 + 2 * 100 + 1 + 1);
  t.is(lines[200], '    part: 256 bytes in 1 chunks; 156 free; 100 used; 2 objects');
  t.deepEqual(lines.slice(-2), [
    '  60 more contexts: 7680 bytes in 30 chunks; 4680 free; 3000 used; 60 objects',
    'Grand total: 33280 bytes in 130 chunks; 20280 free; 13000 used',
  ]);
  maker.core.detach();
  heap.detach();
});

test('renderContextTree, readContextTree: 10,000 contexts, each below the one before', (t) => {
  const { heap, maker, memory } = makeScene('64MiB', 10_000);
  let last: Made | undefined;
  for (let n = 0; n < 10_000; n++) last = maker.make('link', last);
  const started = performance.now();
  const nodes = readContextTree(memory);
  const text = renderContextTree(nodes);
  t.log(`${(performance.now() - started).toFixed(1)} ms`);
  t.is(nodes.length, 10_000);
  t.is(nodes.at(-1)?.level, 10_000);
  t.is(nodes.at(-1)?.path.length, 100);
  const lines = text.split('\n');
  t.is(lines.length, 102);
  t.regex(lines[100] ?? '', /^ {200}9900 deeper contexts: 0 bytes in 0 chunks/);
  t.true(heap.verify({ quiet: true }).ok);
  maker.core.detach();
  t.is(readContextTree(memory).length, 0);
  heap.detach();
});
