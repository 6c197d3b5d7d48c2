/**
 * Proves the events: each is told in the thread where it happens, with what it is about, when the
 * call is over and the heap can be used; and what subscribers do harms nothing.
 */

import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { setTimeout } from 'node:timers/promises';
import { threadId, Worker } from 'node:worker_threads';
import test, { type ExecutionContext } from 'ava';
import { type Address, HEAP_CHANNELS, HeapCorruptionError, SharedHeap } from 'shmalloc';
import * as PageRecord from '../../src/layout/page-record.js';
import { poison } from '../../src/sync/index.js';
import { assertIdentity, heldIn, memoryOf } from '../helpers.js';
import { LARGE_PAGES, makeScene } from '../verify/broken.js';
import { countAttached, ended, nextMessage, runScript } from '../workers.js';
import type { EventTask, Heard } from './events.worker.js';

type EventName = keyof typeof HEAP_CHANNELS;
type Message = Record<string, unknown>;

/** Listens for as long as the test runs. One test at a time: channels belong to the thread. */
function listen(t: ExecutionContext, act: (event: EventName, message: Message) => void): void {
  for (const [event, name] of Object.entries(HEAP_CHANNELS)) {
    const on = (message: unknown) => act(event as EventName, message as Message);
    subscribe(name, on);
    t.teardown(() => unsubscribe(name, on));
  }
}

/** What is told from now on. */
function record(t: ExecutionContext): Heard[] {
  const heard: Heard[] = [];
  listen(t, (event, message) => heard.push({ event, message }));
  return heard;
}

const start = (heap: SharedHeap, act: EventTask['act']): Worker =>
  new Worker(new URL('./events.worker.js', import.meta.url), {
    workerData: { handle: heap.handle, act } satisfies EventTask,
  });

/** Runs a worker to its end; what it heard. */
async function heardBy(heap: SharedHeap, act: EventTask['act']) {
  const worker = start(heap, act);
  const { threadId: id } = worker;
  const exit = ended(worker);
  const heard = await nextMessage<Heard[]>(worker);
  await exit;
  return { id, heard };
}

/** A worker that attached, allocated and was terminated. */
async function die(heap: SharedHeap): Promise<void> {
  const worker = start(heap, 'stay');
  await nextMessage(worker);
  const exit = ended(worker);
  await worker.terminate();
  await exit;
  // What a terminated thread leaves in /proc goes a moment later.
  await setTimeout(50);
}

const common = (heap: SharedHeap) => ({ heapId: heap.handle.id, threadId });

test.serial('created, attached, detached: with the heap, ready to be used', (t) => {
  const heard = record(t);
  const attachments: number[] = [];
  listen(t, (event, { heap }) => {
    attachments.push(countAttached((heap as SharedHeap).stats()));
    if (event === 'detached') return;
    (heap as SharedHeap).free_ts((heap as SharedHeap).malloc_ts(100));
    t.is(SharedHeap.attach((heap as SharedHeap).handle), heap as SharedHeap);
  });
  const heap = SharedHeap.create({ size: '2MiB' });
  const message = { ...common(heap), heap, reservedBytes: 2 ** 21 };
  t.deepEqual(heard, [
    { event: 'created', message },
    { event: 'attached', message },
  ]);
  heap.detach();
  heap.detach();
  t.deepEqual(heard.slice(2), [{ event: 'detached', message }], 'once');
  const again = SharedHeap.attach(heap.handle);
  SharedHeap.attach(heap.handle);
  t.deepEqual(heard.slice(3), [{ event: 'attached', message: { ...message, heap: again } }]);
  again.detach();
  t.deepEqual(attachments, [1, 1, 0, 1, 0]);
});

test.serial('attached, exhausted, detached: a worker hears its own, and nobody else', async (t) => {
  using heap = SharedHeap.create({ size: '2MiB' });
  const here = record(t);
  const { id, heard } = await heardBy(heap, 'fill');
  const its = { heapId: heap.handle.id, threadId: id };
  t.deepEqual(heard, [
    { event: 'attached', message: { ...its, reservedBytes: 2 ** 21, heap: true } },
    { event: 'exhausted', message: { ...its, bytes: 500_000 } },
    // Its exit gave the slot back.
    { event: 'detached', message: { ...its, reservedBytes: 2 ** 21, heap: true } },
  ]);
  t.deepEqual(here, []);
});

const REFUSED: Record<string, (heap: SharedHeap, block: Address) => [unknown, number]> = {
  'malloc_ts of a large block': (heap) => [heap.malloc_ts(2 ** 20), 2 ** 20],
  'malloc of a large block': (heap) => [heap.malloc(2 ** 20), 2 ** 20],
  'malloc_ts of more than a heap': (heap) => [heap.malloc_ts(2 ** 50), 2 ** 50],
  'malloc_ts of a small block': (heap) => [heap.malloc_ts(60_000), 60_000],
  'calloc_ts of a small block': (heap) => [heap.calloc_ts(6, 10_000), 60_000],
  'calloc_ts of a large block': (heap) => [heap.calloc_ts(1024, 1024), 2 ** 20],
  'realloc_ts to a large block': (heap, block) => [heap.realloc_ts(block, 2 ** 20), 2 ** 20],
  'realloc_ts to a small block': (heap, block) => [heap.realloc_ts(block, 60_000), 60_000],
  'alignedAlloc_ts of a small block': (heap) => [heap.alignedAlloc_ts(4096, 60_000), 60_000],
  'alignedAlloc_ts of a large block': (heap) => [heap.alignedAlloc_ts(2 ** 16, 2 ** 20), 2 ** 20],
};

for (const [what, call] of Object.entries(REFUSED)) {
  test.serial(`exhausted: ${what}, once, with the bytes asked for`, (t) => {
    using heap = SharedHeap.create({ size: '2MiB' });
    const block = heap.malloc_ts(100);
    while (heap.malloc_ts(60_000) !== 0);
    const heard = record(t);
    const [answer, bytes] = call(heap, block);
    t.is(answer, 0);
    t.deepEqual(heard, [{ event: 'exhausted', message: { ...common(heap), bytes } }]);
    assertIdentity(t, heap);
  });
}

test.serial('exhausted: a subscriber may free, and its own calls tell nothing', (t) => {
  using heap = SharedHeap.create({ size: '2MiB' });
  const blocks: Address[] = [];
  let told = 0;
  listen(t, (event) => {
    if (event !== 'exhausted') return;
    told++;
    t.deepEqual(heldIn(heap), []);
    t.is(heap.malloc_ts(2 ** 20), 0 as Address);
    for (const block of blocks.splice(0)) heap.free_ts(block);
    t.not(heap.malloc_ts(200_000), 0 as Address);
  });
  for (let p = heap.malloc_ts(200_000); p !== 0; p = heap.malloc_ts(200_000)) blocks.push(p);
  t.is(told, 1);
  t.not(heap.malloc_ts(200_000), 0 as Address, 'the next call finds what was freed');
  t.deepEqual(heap.verify({ quiet: true }).problems, []);
});

test.serial('exhausted: a subscriber may detach', (t) => {
  const heap = SharedHeap.create({ size: '2MiB' });
  listen(t, (event) => {
    if (event === 'exhausted') heap.detach();
  });
  t.is(heap.malloc_ts(2 ** 21), 0 as Address);
  t.throws(() => heap.malloc_ts(64), { code: 'ERR_SHMALLOC_DETACHED' });
  using again = SharedHeap.attach(heap.handle);
  t.deepEqual(again.verify({ quiet: true }).problems, []);
});

test.serial(
  'exhausted: with debug options too, told when the call is over, with its own size',
  (t) => {
    using heap = SharedHeap.create({ size: '2MiB', debug: { quarantine: '64KiB' } });
    const heard: unknown[] = [];
    listen(t, (event, { bytes }) => {
      if (event !== 'exhausted') return;
      heard.push(bytes);
      for (const block of blocks.splice(0)) heap.free_ts(block);
      t.deepEqual(heap.verify({ quiet: true }).problems, []);
    });
    const blocks: Address[] = [];
    for (let p = heap.malloc_ts(3000); p !== 0; p = heap.malloc_ts(3000)) blocks.push(p);
    t.deepEqual(heard, [3000]);
    const last = heap.malloc_ts(3000);
    t.is(heap.realloc_ts(last, 2 ** 22), 0 as Address);
    t.deepEqual(heard, [3000, 2 ** 22]);
  },
);

// ---- recovered

test.serial('recovered: by recover(), where and what; not where nothing was', async (t) => {
  using heap = SharedHeap.create({ size: '4MiB' });
  const heard = record(t);
  heap.recover();
  t.deepEqual(heard, []);
  await die(heap);
  const found = heap.recover();
  t.like(found, { slots: 1, contexts: 1 });
  t.true(found.blocks > 0);
  t.deepEqual(heard, [{ event: 'recovered', message: { ...common(heap), ...found } }]);

  await die(heap);
  const { id, heard: there } = await heardBy(heap, 'recover');
  t.deepEqual(
    there.filter(({ event }) => event === 'recovered'),
    [{ event: 'recovered', message: { ...found, heapId: heap.handle.id, threadId: id } }],
  );
  t.is(heard.length, 1, 'not here');
});

test.serial('recovered: by a watched worker that ends', async (t) => {
  using heap = SharedHeap.create({ size: '4MiB' });
  const heard = record(t);
  const worker = start(heap, 'stay');
  heap.watch(worker);
  await nextMessage(worker);
  const exit = ended(worker);
  await worker.terminate();
  await exit;
  for (let n = 0; n < 500 && heard.length === 0; n++) await setTimeout(2);
  if (heard.length === 0) heap.recover();
  t.deepEqual(
    heard.map(({ event, message }) => [event, message.slots]),
    [['recovered', 1]],
  );
});

test.serial('recovered: by attach where all slots were taken, told after attached', async (t) => {
  using heap = SharedHeap.create({ size: '4MiB', threads: 2 });
  await die(heap);
  const { heard } = await heardBy(heap, 'meet');
  t.deepEqual(
    heard.map(({ event, message }) => [event, message.slots]),
    [
      ['attached', undefined],
      ['recovered', 1],
      ['detached', undefined],
    ],
  );
});

test.serial('recovered: before malloc answers 0, and before exhausted', async (t) => {
  using heap = SharedHeap.create({ size: '4MiB' });
  await die(heap);
  const order: string[] = [];
  listen(t, (event) => {
    if (event === 'detached') return;
    order.push(event);
    t.deepEqual(heldIn(heap), []);
    heap.free_ts(heap.malloc_ts(64));
    heap.free_ts(heap.calloc_ts(1, 5000));
  });
  t.is(heap.malloc_ts(2 ** 23), 0 as Address);
  t.deepEqual(order, ['exhausted'], 'more than a heap is not looked for');
  t.is(heap.malloc_ts(2 ** 22 - heap.stats().metadataBytes), 0 as Address);
  t.deepEqual(order, ['exhausted', 'recovered', 'exhausted']);
  t.deepEqual(heap.verify({ quiet: true }).problems, []);
});

test.serial(
  'recovered: by a small malloc, whose block is its own whatever a subscriber does',
  async (t) => {
    const heap = SharedHeap.create({ size: '2MiB' });
    await die(heap);
    const blocks: Address[] = [];
    let during: Address[] = [];
    listen(t, (event) => {
      if (event !== 'recovered') return;
      // All that the cache has, and more.
      during = Array.from({ length: 50 }, () => heap.malloc_ts(64)).filter((p) => p !== 0);
      heap.detach();
    });
    const { malloc_ts } = heap;
    t.throws(
      () => {
        for (let p = malloc_ts(64); p !== 0; p = malloc_ts(64)) blocks.push(p);
      },
      { code: 'ERR_SHMALLOC_DETACHED' },
    );
    using again = SharedHeap.attach(heap.handle);
    t.deepEqual(again.verify({ quiet: true }).problems, []);
    const all = new Set([...blocks, ...during]);
    t.is(all.size, blocks.length + during.length, 'no block twice');
    t.is(again.inspect.blocks().length, all.size + 1, 'and the dead worker has one');
  },
);

// ---- corrupted

test.serial('corrupted: by who finds it, with the invariant, once', (t) => {
  const { heap, memory, record: at, freed, large } = makeScene();
  const heard = record(t);
  PageRecord.setTail(memory.i32, at((freed[0] as number) + LARGE_PAGES - 1), 4);
  const error = t.throws(() => heap.free_ts(large[1] as Address), {
    instanceOf: HeapCorruptionError,
  });
  t.deepEqual(heard, [
    { event: 'corrupted', message: { ...common(heap), reason: error?.message } },
  ]);
  t.regex(error?.message ?? '', /\(page-heap I4\)/);
  t.throws(() => heap.malloc_ts(64));
  t.throws(() => heap.recover());
  t.is(heard.length, 1);
  heap.detach();
});

test.serial('corrupted: in every thread that is refused, by attach or by a call', async (t) => {
  const heap = SharedHeap.create({ size: '4MiB' });
  const heard = record(t);
  poison(memoryOf(heap), 'said by a test (spans I1)');
  t.deepEqual(heard, [], 'nobody has met it');
  const { id, heard: there } = await heardBy(heap, 'meet');
  const reason = 'said by a test (spans I1)';
  t.deepEqual(there, [
    { event: 'corrupted', message: { heapId: heap.handle.id, threadId: id, reason } },
  ]);
  t.throws(() => heap.malloc_ts(64));
  t.deepEqual(heard, [{ event: 'corrupted', message: { ...common(heap), reason } }]);
  heap.detach();
});

for (const [what, call] of Object.entries({
  malloc: (heap: SharedHeap) => heap.malloc(64),
  recover: (heap: SharedHeap) => heap.recover(),
  'free of what is no block': (heap: SharedHeap) => heap.free_ts(7 as Address),
})) {
  test.serial(`corrupted: a subscriber may call the heap and detach, told by ${what}`, (t) => {
    const heap = SharedHeap.create({ size: '4MiB' });
    poison(memoryOf(heap), 'said by a test (spans I1)');
    let told = 0;
    listen(t, (event) => {
      if (event === 'detached') return;
      told++;
      t.deepEqual(heldIn(heap), []);
      t.throws(() => heap.malloc_ts(100_000), { instanceOf: HeapCorruptionError });
      heap.detach();
    });
    t.throws(() => call(heap), { instanceOf: HeapCorruptionError });
    t.is(told, 1);
    t.throws(() => heap.malloc_ts(64), { code: 'ERR_SHMALLOC_DETACHED' });
  });
}

// ---- subscribers

test('a subscriber that throws harms no call: Node tells of it later', async (t) => {
  const { code, stdout, stderr } = await runScript(new URL('./events.script.js', import.meta.url));
  t.is(code, 0, stderr);
  t.deepEqual(JSON.parse(stdout), {
    full: 0,
    ok: true,
    uncaught: [
      HEAP_CHANNELS.created,
      HEAP_CHANNELS.attached,
      HEAP_CHANNELS.exhausted,
      HEAP_CHANNELS.detached,
    ],
  });
});
