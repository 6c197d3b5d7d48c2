/**
 * A thread whose calls V8 cuts at random moments, for cuts.test.ts: `vm` with a timeout of a few
 * milliseconds, no catch, no finally, and the thread goes on. After every cut it makes one call of some
 * kind first, then others, and verifies the heap; at last nothing but what it holds is left.
 *
 * Arguments: the kind of calls, `plain` or `debug`, how many cuts, a seed.
 */

import { runInThisContext } from 'node:vm';
import { SharedHeap, type VerifyReport } from 'shmalloc';
import { Random } from '../helpers.js';

/** Endless loops of calls. */
const BODIES: Readonly<Record<string, string>> = {
  blocks: `for (;;) {
    const list = [];
    for (let n = 0; n < 900; n++) list.push(heap.malloc_ts(Math.floor(Math.random() * 600)));
    for (const block of list) heap.free_ts(block);
  }`,
  sizes: `for (;;) {
    const list = [];
    for (let n = 0; n < 60; n++) list.push(heap.malloc_ts(1 << Math.floor(Math.random() * 20)));
    for (let n = 0; n < 60; n++) {
      list[n] = heap.realloc_ts(list[n], 1 << Math.floor(Math.random() * 19)) || list[n];
    }
    for (const block of list) heap.free_ts(block);
    heap.free_ts(heap.calloc_ts(1, 300000));
    heap.free_ts(heap.alignedAlloc_ts(4096, 5000));
  }`,
  contexts: `for (;;) {
    const context = heap.contexts.create('a', { kind: Math.random() < 0.5 ? 'set' : 'bump' });
    const child = context.createContext('b');
    for (let n = 0; n < 300; n++) {
      const object = context.malloc(Math.floor(Math.random() * 400));
      if (context.kind === 'set' && n % 3 === 0) context.free(object);
      child.malloc(40000);
    }
    context.reset();
    const other = context.createContext('c');
    other.setParent(null);
    other.onReset(() => heap.free_ts(heap.malloc_ts(100000)));
    heap.contexts.adopt(context.release()).delete();
    other.delete();
    heap.contexts.run('d', (inner) => inner.calloc(10, 100));
  }`,
  vectors: `for (;;) {
    vector.push(1);
    if (vector.length > 500) { vector.insert(3, 4); vector.remove(1); }
    if (vector.length > 1000) { vector.clear(); vector.shrink(); }
    records.push(record);
    records.set(0, record);
    if (records.length > 300) { records.remove(2); records.clear(); }
    const own = heap.vectors.create(Float64Array, { shared: Math.random() < 0.5 });
    own.push(3);
    own.reserve(300);
    own.delete();
  }`,
  vectorsInContexts: `for (;;) {
    const context = heap.contexts.create('v', { kind: Math.random() < 0.5 ? 'set' : 'bump' });
    for (let n = 0; n < 20; n++) {
      const own = heap.vectors.create(Float64Array, { context });
      for (let k = 0; k < 200; k++) own.push(k);
      if (n % 2) own.delete();
    }
    if (Math.random() < 0.5) context.reset();
    context.delete();
  }`,
  addresses: `for (;;) {
    const own = heap.vectors.create('address', { shared: Math.random() < 0.5 });
    for (let n = 0; n < 300; n++) own.push(heap.malloc_ts(n * 300));
    own.freeAll();
    own.delete();
  }`,
  looks: `for (;;) {
    heap.verify(); heap.stats(); heap.inspect.map(); heap.inspect.leaks(); heap.metrics(); heap.recover();
    heap.contexts.tree(); heap.inspect.blocks();
  }`,
  attach: `for (;;) {
    const guest = SharedHeap.attach(heap.handle);
    guest.contexts.create('g').malloc(100);
    guest.free_ts(guest.malloc_ts(100000));
    guest.detach();
  }`,
};

const [kind = 'blocks', how = 'plain', cuts = '20', seed = '1'] = process.argv.slice(2);
const random = new Random(Number(seed));
const debug = {
  guard: 16,
  quarantine: '64KiB',
  scribble: true,
  strict: true,
  history: 16,
} as const;

let heap = SharedHeap.create({ size: '32MiB', ...(how === 'debug' ? { debug } : {}) });
const { handle } = heap;
const vector = heap.vectors.create(Int32Array, { shared: true });
const record = new Uint8Array(40).fill(7);
const records = heap.vectors.create({ bytes: 40 }, { shared: true });
Object.assign(globalThis, { heap, SharedHeap, vector, records, record });

/** What the thread does first after a cut. */
const FIRST: readonly (() => void)[] = [
  () => heap.recover(),
  () => heap.free_ts(heap.malloc_ts(300_000)),
  () => {
    for (let size = 0; size < 400; size++) heap.free_ts(heap.malloc_ts(size));
  },
  () => heap.vectors.create(Int8Array).delete(),
  () => heap.contexts.create('after').delete(),
  () => {
    const list = Array.from({ length: 400 }, () => heap.malloc_ts(64));
    for (const block of list) heap.free_ts(block);
  },
  () => heap.verify(),
];

function check(): VerifyReport {
  const report = heap.verify({ quiet: true });
  for (const { invariant, message } of report.problems) {
    throw new Error(`${invariant}: ${message}`);
  }
  return report;
}

/** Gives back what scripts had when they were cut: it was theirs, and nobody else knows of it. */
function giveBack(): void {
  for (const released of heap.contexts.released()) heap.contexts.adopt(released);
  for (const context of heap.contexts.list()) context.delete();
  for (const { address, owned } of heap.inspect.blocks())
    if (owned === undefined) heap.free_ts(address);
}

for (let n = 0; n < Number(cuts); n++) {
  try {
    runInThisContext(BODIES[kind] as string, { timeout: 1 + random.below(5) });
  } catch (error) {
    if ((error as { code?: string }).code !== 'ERR_SCRIPT_EXECUTION_TIMEOUT') throw error;
  }
  if (kind === 'attach') {
    // It may have left, be about to come, or be in the middle of leaving.
    heap = SharedHeap.attach(handle);
    Object.assign(globalThis, { heap });
  } else {
    random.pick(FIRST)();
  }
  check();
  // A context whose callback was cut goes on in the next turn.
  await null;
  giveBack();
  if (kind !== 'attach') {
    vector.push(1);
    records.push(record);
    records.set(0, record);
  }
  for (const first of FIRST) first();
  giveBack();
  const { liveBlocks, ownedBlocks, contexts } = check();
  if (liveBlocks !== ownedBlocks || contexts > 0) {
    throw new Error(`${liveBlocks} live blocks, ${ownedBlocks} owned, ${contexts} contexts`);
  }
}
heap.detach();
const last = SharedHeap.attach(handle);
const { problems, cachedBlocks } = last.verify({ quiet: true });
console.log(JSON.stringify({ problems, cachedBlocks, slots: last.stats().threads.length }));
