/**
 * Proves that a context gets from one thread to another whole, that one thread at a time has it,
 * and that whoever asks for what it cannot have is told why.
 */

import { Worker } from 'node:worker_threads';
import test from 'ava';
import { type Address, type AnyContext, type ContextHandle, HeapError, SharedHeap } from 'shmalloc';
import { fillPattern, findDamage } from '../helpers.js';
import { ended, nextMessage } from '../workers.js';
import {
  ADOPTIONS,
  type Answer,
  DONE,
  GENERATION,
  INDEX,
  type RaceTask,
  type Request,
  ROUND,
  type ServeTask,
  STRANGE,
  WON,
  WORDS,
} from './adopt.worker.js';
import { assertNothingLeft, assertSound, countRecords } from './audit.js';

const WORKER = new URL('./adopt.worker.js', import.meta.url);
const KINDS = ['bump', 'set'] as const;
const REFUSED = { instanceOf: HeapError, code: 'ERR_SHMALLOC_CONTEXT' };
const ENDED = { instanceOf: HeapError, code: 'ERR_SHMALLOC_CONTEXT_ENDED' };

const make = () => SharedHeap.create({ size: '32MiB', threads: 4 });

/** A tree with filled objects. */
function grow(
  heap: SharedHeap,
  kind: 'bump' | 'set',
): { root: AnyContext; objects: [Address, number][] } {
  const root = heap.contexts.create('tree', { kind, ident: 'n°7' });
  const child = root.createContext('child', { kind });
  child.createContext('grandchild').malloc(5000);
  root.createContext('second').malloc(3_000_000);
  const objects = [10, 5000, 100_000, 3_000_000].map((bytes, n): [Address, number] => {
    const address = root.malloc(bytes);
    fillPattern(heap, address, bytes, n);
    return [address, bytes];
  });
  return { root, objects };
}

for (const kind of KINDS) {
  test(`release and contexts.adopt in one thread: the same tree, the old one is no more (${kind})`, (t) => {
    using heap = make();
    const { root, objects } = grow(heap, kind);
    const before = root.stats();
    const handle = root.release();
    t.deepEqual(structuredClone(handle), handle);
    t.like(handle, { name: 'tree', ident: 'n°7', heapId: heap.handle.id });
    t.deepEqual(heap.contexts.list(), []);
    assertSound(t, heap);
    t.throws(() => root.malloc(1), { ...ENDED, message: /'tree' \(n°7\): it was released/ });
    t.throws(() => root.delete(), ENDED);
    t.notThrows(() => root[Symbol.dispose](), 'released is not to be ended by using');
    const adopted = heap.contexts.adopt(structuredClone(handle));
    t.not(adopted, root);
    t.deepEqual(heap.contexts.list(), [adopted]);
    t.like(adopted, { name: 'tree', ident: 'n°7', kind, parent: null });
    t.deepEqual(adopted.children.map(({ name }) => name).toSorted(), ['child', 'second']);
    t.deepEqual(adopted.stats(), before);
    for (const [n, [address, bytes]] of objects.entries()) {
      t.is(findDamage(heap, address, bytes, n), -1);
      t.is<unknown, unknown>(heap.contexts.of(address), kind === 'set' ? adopted : undefined);
      if (adopted.kind === 'set') adopted.free(address);
    }
    adopted.malloc(100);
    adopted.children[0]?.reset();
    assertSound(t, heap);
    adopted.delete();
    assertNothingLeft(t, heap);
    t.throws(() => heap.contexts.adopt(handle), { ...ENDED, message: /'tree': it has ended/ });
  });
}

test('Context.release: of a child, which is a root then and does not end with its parent', (t) => {
  using heap = make();
  const root = heap.contexts.create('root');
  const child = root.createContext('child');
  child.malloc(100);
  const handle = child.release();
  t.deepEqual(root.children, []);
  root.delete();
  assertSound(t, heap);
  t.deepEqual(countRecords(heap), { contexts: 1, chunks: 1 });
  using adopted = heap.contexts.adopt(handle);
  t.is(adopted.parent, null);
  t.is(adopted.stats().objects, 1);
  using parent = heap.contexts.create('new parent');
  adopted.setParent(parent);
  parent.reset();
  t.throws(() => adopted.malloc(1), ENDED);
});

test('Context.release: callbacks cannot go along, in the context or below it', (t) => {
  using heap = make();
  using root = heap.contexts.create('root');
  const child = root.createContext('child');
  child.onReset(() => {});
  t.throws(() => root.release(), { ...REFUSED, message: /'child'.*callbacks/ });
  t.throws(() => child.release(), REFUSED);
  root.malloc(10);
  child.reset();
  t.notThrows(() => heap.contexts.adopt(root.release()).delete());
  assertNothingLeft(t, heap);
});

test('contexts.adopt: what is no handle, of another heap, stale, or taken, is told apart', (t) => {
  using heap = make();
  using other = make();
  const context = heap.contexts.create('c');
  const handle = context.release();
  for (const wrong of [undefined, null, 7, 'c', {}, { ...handle, kind: 'x' }, context, []]) {
    t.throws(() => heap.contexts.adopt(wrong as never), { code: 'ERR_SHMALLOC_INVALID_OPTION' });
  }
  for (const index of [0, -1, 1.5, Number.NaN, '1', undefined]) {
    t.throws(() => heap.contexts.adopt({ ...handle, index } as never), {
      code: 'ERR_SHMALLOC_INVALID_OPTION',
    });
  }
  t.throws(() => other.contexts.adopt(handle), { ...REFUSED, message: /it is in heap/ });
  t.throws(() => heap.contexts.adopt({ ...handle, index: 10 ** 6 }), REFUSED);
  for (const generation of [-1, 1, 2 ** 20, undefined, '0']) {
    t.throws(() => heap.contexts.adopt({ ...handle, generation } as never), ENDED);
  }
  t.throws(() => heap.contexts.adopt({ ...handle, index: 2 }), ENDED, 'a record never used');
  const adopted = heap.contexts.adopt(handle);
  t.throws(() => heap.contexts.adopt(handle), {
    ...REFUSED,
    message: /'c': it belongs to thread 0/,
  });
  const parent = heap.contexts.create('parent');
  adopted.setParent(parent);
  t.throws(() => heap.contexts.adopt(handle), { ...REFUSED, message: /belongs to thread 0/ });
  parent.delete();
  t.throws(() => heap.contexts.adopt(handle), ENDED);
  using _same = heap.contexts.create('in its record');
  t.throws(() => heap.contexts.adopt(handle), ENDED);
  t.throws(() => heap.contexts.adopt(heap.contexts.create('x') as never), { any: true });
});

test('contexts.adopt: a released context outlives its thread and every detach', (t) => {
  const heap = make();
  const { root, objects } = grow(heap, 'set');
  const handle = root.release();
  heap.contexts.create('not released').malloc(100);
  heap.detach();
  using again = SharedHeap.attach(heap.handle);
  t.is(countRecords(again).contexts, 4);
  assertSound(t, again);
  const adopted = again.contexts.adopt(handle);
  for (const [n, [address, bytes]] of objects.entries()) {
    t.is(findDamage(again, address, bytes, n), -1);
  }
  adopted.delete();
  assertNothingLeft(t, again);
});

// ---- between threads

async function ask(worker: Worker, request: Request): Promise<Answer> {
  const answer = nextMessage<Answer>(worker);
  worker.postMessage(request);
  return await answer;
}

function startServer(heap: SharedHeap): Worker {
  const workerData: ServeTask = { kind: 'serve', heap: heap.handle };
  return new Worker(WORKER, { workerData });
}

test('contexts.adopt: in another thread, back again, and not by who is not its owner', async (t) => {
  using heap = make();
  const worker = startServer(heap);
  for (const kind of KINDS) {
    const { root, objects } = grow(heap, kind);
    const { value } = await ask(worker, { ask: 'adopt', handle: root.release(), objects });
    t.deepEqual((value as { children: string[] }).children.toSorted(), ['child', 'second']);
    t.like(value, { name: 'tree', ident: 'n°7', whole: true, owned: true });
    t.is((value as { objects: number }).objects, kind === 'set' ? 1 : 5);
    assertNothingLeft(t, heap);
  }
  const handle = heap.contexts.create('kept', { kind: 'set' }).release();
  t.is((await ask(worker, { ask: 'keep', handle })).code, undefined);
  const { value: object } = await ask(worker, { ask: 'use' });
  t.is(heap.contexts.of(object as Address), undefined, 'it is not of this thread');
  t.throws(() => heap.contexts.adopt(handle), {
    ...REFUSED,
    message: new RegExp(`it belongs to thread ${worker.threadId}`),
  });
  const { value: back } = await ask(worker, { ask: 'release' });
  t.is((await ask(worker, { ask: 'use' })).code, 'ERR_SHMALLOC_CONTEXT_ENDED');
  {
    using kept = heap.contexts.adopt(back as ContextHandle);
    t.is<unknown, unknown>(heap.contexts.of(object as Address), kept);
    if (kept.kind === 'set') kept.free(object as Address);
    t.is((await ask(worker, { ask: 'keep', handle })).code, 'ERR_SHMALLOC_CONTEXT');
  }
  const { value: made } = await ask(worker, { ask: 'make' });
  const exit = ended(worker);
  worker.postMessage({ ask: 'close' });
  t.is(await exit, 0);
  t.is(countRecords(heap).contexts, 2);
  using adopted = heap.contexts.adopt(made as ContextHandle);
  t.like(adopted, { name: 'made there', ident: 'i', kind: 'set' });
  adopted.delete();
  assertNothingLeft(t, heap);
});

test('contexts.adopt: two threads race for each of thousands of contexts, exactly one gets it', async (t) => {
  using heap = make();
  const rounds = 3000;
  const words = new Int32Array(new SharedArrayBuffer(WORDS * 4));
  const workers = [0, 1].map((racer) => {
    const workerData: RaceTask = { kind: 'race', heap: heap.handle, words, racer, rounds };
    return new Worker(WORKER, { workerData });
  });
  const exits = workers.map(ended);
  for (let round = 1; round <= rounds; round++) {
    const context = heap.contexts.create('prize', { kind: KINDS[round % 2] as 'set' });
    context.malloc(round % 7 === 0 ? 3_000_000 : 100);
    if (round % 2 === 0) context.createContext('below').malloc(100);
    const handle = context.release();
    words[INDEX] = handle.index;
    words[GENERATION] = handle.generation;
    words[ADOPTIONS] = handle.adoptions;
    Atomics.store(words, ROUND, round);
    Atomics.notify(words, ROUND);
    for (const racer of [0, 1]) {
      for (let at = words[DONE + racer]; at !== round; at = Atomics.load(words, DONE + racer)) {
        Atomics.wait(words, DONE + racer, at as number, 1000);
      }
    }
  }
  t.deepEqual(await Promise.all(exits), [0, 0]);
  const won = [...words.subarray(WON, WON + 2)] as [number, number];
  t.log(`${won[0]} to ${won[1]}`);
  t.is(won[0] + won[1], rounds);
  t.true(Math.min(...won) > rounds / 100, 'both had their chance');
  t.deepEqual([...words.subarray(STRANGE, STRANGE + 2)], [0, 0]);
  assertNothingLeft(t, heap);
});

for (const how of ['in order', 'process.exit()'] as const) {
  test(`a worker that exits ${how}: its contexts end, and their callbacks are called`, async (t) => {
    using heap = make();
    const worker = startServer(heap);
    const said: string[] = [];
    const errors: unknown[] = [];
    worker.on('message', ({ value }: Answer) => {
      if (typeof value === 'string') said.push(value);
    });
    worker.on('error', (error) => errors.push(error));
    worker.postMessage({ ask: 'throwing' });
    while (countRecords(heap).contexts < 2) await nextMessage(worker);
    t.is(heap.stats().threads.filter(({ attached }) => attached).length, 2);
    const exit = new Promise((resolve) => worker.once('exit', resolve));
    worker.postMessage({ ask: how === 'in order' ? 'close' : 'exit' });
    t.is(await exit, 0);
    t.deepEqual(errors, [], 'an exit hears no error');
    t.deepEqual(said, ['callback 1', 'callback 2']);
    t.is(heap.stats().threads.filter(({ attached }) => attached).length, 1);
    assertNothingLeft(t, heap);
  });
}
