/**
 * Attach, detach and create, cut by V8 at every point of the real code in a thread that lives on: no catch
 * runs and no finally. What the program asks for next it gets, and nothing is left of the cut call. As
 * test/points/cuts.long.test.ts, which has the calls of a thread that is attached throughout; cuts at random
 * moments are in test/heap/cuts.long.test.ts.
 */

import { runInThisContext } from 'node:vm';
import test from 'ava';
import type { SharedHeap } from 'shmalloc';
import { type Instrumented, instrument } from '../points/instrument.js';

type Face = typeof import('shmalloc');

const BYTES = 4 * 2 ** 20;

declare global {
  /** What the script that is cut does. */
  var shmallocCutCall: () => void;
}

let copy: Instrumented;
let face: Face;
test.before(async () => {
  copy = instrument();
  face = await import(new URL('index.js', copy.url).href);
});
test.after.always(() => copy?.remove());

/** The points that a call passes, in order. */
function pointsOf(call: () => void): string[] {
  const names: string[] = [];
  globalThis.shmallocPoint = (name) => void names.push(name);
  call();
  globalThis.shmallocPoint = () => {};
  return names;
}

/** Makes a call that is cut at its n-th point. */
function cutAt(n: number, call: () => void): void {
  let passed = 0;
  globalThis.shmallocPoint = () => {
    if (passed++ === n) cutHere();
  };
  try {
    runCut(call);
  } finally {
    globalThis.shmallocPoint = () => {};
  }
}

/** The call is over: here it is cut. */
function cutHere(): never {
  process.kill(process.pid, 'SIGINT');
  for (;;);
}

/** Makes a call that may be cut. */
function runCut(call: () => void): void {
  globalThis.shmallocCutCall = call;
  try {
    runInThisContext('shmallocCutCall()', { breakOnSigint: true });
  } catch (error) {
    if ((error as { code?: string }).code !== 'ERR_SCRIPT_EXECUTION_INTERRUPTED') throw error;
  }
}

/** What is wrong with a heap that this thread alone is attached to. */
function faultsOf(heap: SharedHeap): string[] {
  // Where their end was cut they are the program's still.
  for (const context of heap.contexts.list()) context.delete();
  // The first is cached, the second is a run.
  for (const size of [100, 100_000]) heap.free_ts(heap.malloc_ts(size));
  const { problems } = heap.verify({ quiet: true });
  const { threads, inUseBytes } = heap.stats();
  const faults = problems.map(({ message }) => message);
  if (threads.length !== 1) faults.push(`${threads.length} slots are taken`);
  if (inUseBytes !== 0) faults.push(`${inUseBytes} bytes are in use`);
  return faults;
}

/** A heap of one slot, whose thread has blocks cached and one that it has not freed. */
function start(): { heap: SharedHeap; block: ReturnType<SharedHeap['malloc_ts']> } {
  const heap = face.SharedHeap.create({ size: BYTES, threads: 1 });
  heap.free_ts(heap.malloc_ts(300));
  heap.contexts.create('c').malloc(1000);
  return { heap, block: heap.malloc_ts(100) };
}

/** All points of a call, cut one by one. */
function cutEverywhere(
  points: readonly string[],
  cutAndGoOn: (n: number) => readonly string[],
): string[] {
  return points.flatMap((name, n) => cutAndGoOn(n).map((fault) => `cut at ${name}: ${fault}`));
}

test.serial(
  'SharedHeap.detach: cut at any kill point, the next attach gives a heap that works',
  (t) => {
    const points = pointsOf(() => start().heap.detach());
    t.true(points.includes('detach.slot') && points.includes('name.leave'));
    const faults = cutEverywhere(points.slice(pointsOf(start).length), (n) => {
      const { heap, block } = start();
      cutAt(n, () => heap.detach());
      const again = face.SharedHeap.attach(heap.handle);
      again.free_ts(block);
      const found = faultsOf(again);
      again.detach();
      return found;
    });
    t.deepEqual(faults, []);
  },
);

test.serial(
  'SharedHeap.detach: cut at any kill point, a block that is freed after it is not lost',
  (t) => {
    const points = pointsOf(() => start().heap.detach()).slice(pointsOf(start).length);
    const faults = cutEverywhere(points, (n) => {
      const { heap, block } = start();
      cutAt(n, () => heap.detach());
      let isFreed = true;
      try {
        heap.free_ts(block);
      } catch (error) {
        if ((error as { code?: string }).code !== 'ERR_SHMALLOC_DETACHED') throw error;
        isFreed = false;
      }
      heap.detach();
      const again = face.SharedHeap.attach(heap.handle);
      if (!isFreed) again.free_ts(block);
      const found = faultsOf(again);
      again.detach();
      return found;
    });
    t.deepEqual(faults, []);
  },
);

test.serial('SharedHeap.attach: cut at any kill point, the next one attaches', (t) => {
  const { heap, block } = start();
  heap.free_ts(block);
  heap.detach();
  const points = pointsOf(() => face.SharedHeap.attach(heap.handle));
  t.true(points.includes('attach.claim') && points.includes('name.enter'));
  face.SharedHeap.attach(heap.handle).detach();
  const faults = cutEverywhere(points, (n) => {
    cutAt(n, () => face.SharedHeap.attach(heap.handle));
    const again = face.SharedHeap.attach(heap.handle);
    const found = faultsOf(again);
    again.detach();
    return found;
  });
  t.deepEqual(faults, []);
});

test.serial('SharedHeap.create: cut at any kill point, the next one has the buffer', (t) => {
  const make = (buffer: SharedArrayBuffer) => face.SharedHeap.create({ buffer });
  const points = pointsOf(() => make(new SharedArrayBuffer(BYTES)).detach());
  t.true(points.includes('attach.claim'));
  const faults = cutEverywhere(points, (n) => {
    const buffer = new SharedArrayBuffer(BYTES);
    let made: SharedHeap | undefined;
    cutAt(n, () => {
      made = make(buffer);
      made.detach();
    });
    const again = make(buffer);
    const found = faultsOf(again);
    again.detach();
    return found;
  });
  t.deepEqual(faults, []);
});

test.serial(
  'SharedHeap.create: a buffer that is used for something else after a cut is left alone',
  (t) => {
    const buffer = new SharedArrayBuffer(BYTES);
    cutAt(pointsOf(() => face.SharedHeap.create({ size: BYTES })).length - 1, () =>
      face.SharedHeap.create({ buffer }),
    );
    const bytes = new Uint8Array(buffer).fill(7);
    face.SharedHeap.create({ size: BYTES }).detach();
    t.true(bytes.every((byte) => byte === 7));
  },
);

test.serial(
  'SharedHeap.detach: cut in a callback of a context that another callback has made, the next attach ' +
    'gives a new instance',
  async (t) => {
    const heap = face.SharedHeap.create({ size: BYTES, threads: 1 });
    heap.contexts.create('a').onReset(() => heap.contexts.create('b').onReset(cutHere));
    runCut(() => heap.detach());
    // In this turn the callback may be under way still.
    await null;
    const again = face.SharedHeap.attach(heap.handle);
    t.not(again, heap);
    again.contexts.create('c').delete();
    t.deepEqual(faultsOf(again), []);
    again.detach();
  },
);

for (const [first, call] of Object.entries({
  'Context.delete of its parent': (parent) => parent.delete(),
  'Context.deleteChildren of its parent': (parent) => parent.deleteChildren(),
} as Record<string, (parent: ReturnType<SharedHeap['contexts']['create']>) => void>)) {
  test.serial(
    `Context.reset: cut while no callback is under way, the context goes on: ${first}`,
    (t) => {
      const heap = face.SharedHeap.create({ size: BYTES, threads: 1 });
      const parent = heap.contexts.create('a');
      const child = parent.createContext('b');
      child.malloc(100);
      child.malloc(100000);
      // Its callbacks are done: here the end of its chunks is cut.
      const points = pointsOf(() => child.reset());
      t.true(points.length > 0);
      child.malloc(100000);
      cutAt(0, () => child.reset());
      call(parent);
      parent[Symbol.dispose]();
      if (parent.children.length > 0) parent.delete();
      else parent[Symbol.dispose]();
      t.deepEqual(faultsOf(heap), []);
      heap.detach();
    },
  );
}
