/**
 * Proves that every call that shows contexts agrees with the contexts themselves, and that verify
 * finds no problem, after every few steps of random work. At any moment while threads do it:
 * contexts.long.test.ts.
 */

import { Worker } from 'node:worker_threads';
import test, { type ExecutionContext } from 'ava';
import { type Context, type ContextHandle, SharedHeap } from 'shmalloc';
import { readContextTree } from '../../src/contexts/index.js';
import { memoryOf, Random, seedOf } from '../helpers.js';
import { checkMap, total } from '../maps.js';
import { nextMessage } from '../workers.js';
import { type ContextChurn, churn } from './contexts.worker.js';

function contextsOf(heap: SharedHeap): Context[] {
  const found = heap.contexts.list();
  for (const context of found) found.push(...context.children);
  return found;
}

/** Checks that all calls that show contexts of a quiet heap agree. */
function assertAgreed(t: ExecutionContext, heap: SharedHeap, released: number): void {
  const report = heap.verify({ quiet: true });
  t.deepEqual(report.problems, []);
  const nodes = readContextTree(memoryOf(heap));
  const mine = contextsOf(heap);
  const key = (c: { name: string; ident: string; chunks: number; bytes: number }) =>
    `${c.name} ${c.ident} ${c.chunks} ${c.bytes}`;
  const told = mine.map((context) => {
    const { chunks, bytes, freeBytes, objects } = context.stats();
    const { name, ident, kind } = context;
    return `${key({ name, ident, chunks, bytes })} ${kind} ${freeBytes} ${objects}`;
  });
  const kept = nodes.filter(({ owner }) => owner !== null);
  t.deepEqual(
    kept.map((node) => `${key(node)} ${node.kind} ${node.freeBytes} ${node.objects}`).sort(),
    told.sort(),
  );
  const stats = heap.stats();
  const bytes = total(nodes, (node) => node.bytes);
  const chunks = total(nodes, (node) => node.chunks);
  t.deepEqual(stats.contexts, { live: nodes.length, released, chunks, bytes });
  t.is(report.contexts, nodes.length);
  const { contexts, vectors } = heap.inspect.leaks();
  t.is(
    total(contexts, (tree) => tree.contexts),
    nodes.length,
  );
  t.deepEqual([total(contexts, (tree) => tree.bytes), vectors.bytes], [bytes, 0]);
  t.is(report.ownedBytes, bytes);
  const map = heap.inspect.map();
  checkMap(map);
  const zones = Object.values(map.zones);
  t.is(
    total(zones, (zone) => zone.contextBytes),
    bytes,
  );
  t.is(
    total(zones, (zone) => zone.contextBlocks),
    chunks,
  );
  t.is(
    total(zones, (zone) => zone.vectorBlocks),
    0,
  );
  const blocks = heap.inspect.blocks().filter(({ owned }) => owned === 'context');
  t.deepEqual([blocks.length, total(blocks, (block) => block.bytes)], [chunks, bytes]);
  const ids = new Set(nodes.map(({ id }) => id));
  t.true(blocks.every(({ context }) => context !== undefined && ids.has(context.id)));
}

for (const debug of [undefined, { guard: 32, scribble: true }]) {
  test(`contexts: all calls that show contexts agree${debug ? ', with debug options' : ''}`, (t) => {
    using heap = SharedHeap.create({ size: '32MiB', threads: 2, ...(debug && { debug }) });
    const handles: ContextHandle[] = [];
    const step = churn(heap, new Random(seedOf(t)), handles);
    for (let n = 0; n < 2000; n++) {
      step();
      if (n % 40 === 0) assertAgreed(t, heap, handles.length);
    }
    for (const handle of handles.splice(0)) heap.contexts.adopt(handle).delete();
    for (const context of heap.contexts.list()) context.delete();
    assertAgreed(t, heap, 0);
    t.is(heap.verify({ quiet: true }).liveBlocks, 0);
  });
}

test('contexts: contexts of a terminated worker are counted when recovery ends them', async (t) => {
  using heap = SharedHeap.create({ size: '64MiB', threads: 4 });
  const words = new Int32Array(new SharedArrayBuffer(4));
  const workerData: ContextChurn = { handle: heap.handle, seed: 3, words };
  const worker = new Worker(new URL('./contexts.worker.js', import.meta.url), { workerData });
  await nextMessage(worker);
  while (heap.stats().contexts.live < 5);
  await worker.terminate();
  const { live } = heap.stats().contexts;
  heap.recover();
  const { recovery } = heap.stats();
  t.true(recovery.contextsReturned > 0 && recovery.contextsReturned <= live);
  t.regex(heap.metrics(), /^shmalloc_recovered_contexts_total [1-9]/m);
  t.deepEqual(heap.verify({ quiet: true }).problems, []);
  t.true(readContextTree(memoryOf(heap)).every(({ owner }) => owner === null));
});

test('inspect.hexdump, inspect.print blocks, free: name the context whose chunk an address is in', (t) => {
  for (const debug of [{}, { guard: 16 }]) {
    using heap = SharedHeap.create({ size: '8MiB', threads: 2, debug });
    const mine = heap.malloc_ts(20);
    const request = heap.contexts.create('request', { ident: '42' });
    const object = request.malloc(100);
    const second = request.malloc(100);
    heap.u8.fill(0x41, second, second + 8);
    const [chunk] = heap.inspect.blocks().filter(({ owned }) => owned === 'context');
    const address = chunk?.address as number;
    t.like(chunk, { bytes: 4096, context: { name: 'request', ident: '42' } });
    const whose = "chunk of context 'request' (42)";
    const at = `0x${address.toString(16)}`;
    const lines = (of: number) => heap.inspect.hexdump(of as never, { length: 16 }).split('\n');
    t.is(lines(address)[0], `${whose}, 4096 bytes, at ${at}`);
    const into = `0x${second.toString(16)} is ${second - address} bytes into it`;
    t.is(lines(second)[0], `${whose}, 4096 bytes, at ${at}; ${into}`);
    t.regex(lines(second)[1] ?? '', /^[\da-f]{8} {2}41 41 41 41 41 41 41 41 .*\|AAAAAAAA/);
    t.is(heap.inspect.hexdump(object, { offset: 4000 - (object - address) }).split('\n').length, 4);
    t.throws(() => heap.inspect.hexdump(second, { offset: 4096 }), {
      code: 'ERR_SHMALLOC_INVALID_SIZE',
    });
    t.regex(heap.inspect.hexdump(mine), /^block at 0x/);
    const said = new RegExp(
      `: the start of the block at ${at}, 4096 bytes, class 28: ${whose.replace(/[()]/g, '\\$&')}, which frees it$`,
    );
    t.throws(() => heap.free_ts(address as never), { message: said });
    if (second !== address) {
      t.throws(() => heap.free_ts(second), { message: /: inside the block .*, which frees it$/ });
    }
    let text = '';
    heap.inspect.print('blocks', {
      write(piece) {
        text += piece;
      },
    });
    t.true(text.includes(` : 4096 bytes, ${whose}\n`));
    t.regex(text, /0x[\da-f]+ - 0x[\da-f]+ : \d+ bytes\n/);
    heap.free_ts(mine);
  }
});
