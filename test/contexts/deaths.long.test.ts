/**
 * Proves that a dead worker's contexts are ended by recovery, at whatever moment it died and whatever
 * it was doing with them, and that what was released stays for who adopts it.
 */

import { setTimeout } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import test, { type ExecutionContext } from 'ava';
import { type ContextHandle, SharedHeap } from 'shmalloc';
import * as Header from '../../src/layout/header.js';
import { memoryOf, Random, seedOf } from '../helpers.js';
import { countAttached } from '../workers.js';
import { assertNothingLeft, assertSound, countRecords } from './audit.js';
import { type DeathTask, FULL, KINDS, STEP_NAMES, STEPS, STRANGE, WORDS } from './deaths.worker.js';

const WORKER = new URL('./deaths.worker.js', import.meta.url);

interface Tally {
  released: number;
}

/** Starts some threads, terminates them at a random moment, and looks at what is left. */
async function round(
  t: ExecutionContext,
  heap: SharedHeap,
  random: Random,
  words: Int32Array<SharedArrayBuffer>,
  tally: Tally,
): Promise<void> {
  words.fill(0, WORDS - 16);
  const before = Atomics.load(words, STEPS);
  const workers = [0, 1].map(() => {
    const workerData: DeathTask = { heap: heap.handle, words, seed: random.word() };
    return new Worker(WORKER, { workerData });
  });
  while (countAttached(heap.stats()) < 3) await setTimeout(1);
  while (Atomics.load(words, STEPS) < before + 200) await setTimeout(1);
  await setTimeout(random.below(12));
  // One after the other, so that one may come to take over what the other has left.
  for (const worker of random.shuffled(workers)) {
    await worker.terminate();
    if (random.below(2) === 0) await setTimeout(random.below(4));
    if (random.below(2) === 0) heap.recover();
  }
  heap.recover();
  t.deepEqual(heap.recover().slots, 0, 'all of the dead were found');
  assertSound(t, heap);
  const handles = heap.contexts.released();
  tally.released += handles.length;
  for (const handle of handles) heap.contexts.adopt(handle).delete();
  // What a thread had just been given by malloc is its program's, for good.
  const blocks = heap.inspect.blocks();
  t.true(blocks.length <= workers.length);
  for (const { address } of blocks) heap.free_ts(address);
  assertNothingLeft(t, heap);
}

for (const [title, bytes, debug] of [
  ['', '24MiB', {}],
  [', in a heap that is always full', '3MiB', {}],
  [
    ', with debug options',
    '24MiB',
    { guard: 16, scribble: true, quarantine: '64KiB', strict: true },
  ],
] as const) {
  test.serial(
    `terminate(): workers in the middle of anything with contexts${title}: nothing is lost`,
    async (t) => {
      const random = new Random(seedOf(t));
      using heap = SharedHeap.create({ size: bytes, threads: 4, contexts: 100, debug });
      const words = new Int32Array(new SharedArrayBuffer(WORDS * 4));
      const tally: Tally = { released: 0 };
      const rounds = title === '' ? 20 : 8;
      for (let n = 0; n < rounds; n++) await round(t, heap, random, words, tally);
      const done = STEP_NAMES.map((name, n) => `${name} ${words[KINDS + n]}`);
      // Whoever has done it: the other worker may, where it finds the heap full.
      const { f64, geometry } = memoryOf(heap);
      const contexts = Header.getRecovered(f64, geometry.header, Header.RECOVERED_CONTEXTS);
      t.log(`${contexts} contexts ended, ${tally.released} released; ${done.join(', ')}`);
      t.is(Atomics.load(words, STRANGE), 0, 'errors that none should have');
      t.true(contexts > 0, 'the dead had contexts');
      t.true(tally.released > 0, 'and had released some');
      for (const [n, name] of STEP_NAMES.entries()) t.true((words[KINDS + n] as number) > 0, name);
      // A rescuer that dies on its last step has counted, and so does the next.
      t.true(heap.stats().recovery.recoveries >= 2 * rounds);
      if (bytes === '3MiB') t.true((words[FULL] as number) > 0, 'the heap was full');
    },
  );
}

test.serial(
  'recover(): released contexts of a dead thread stay, with all below them',
  async (t) => {
    const random = new Random(seedOf(t));
    using heap = SharedHeap.create({ size: '24MiB', threads: 4, contexts: 100 });
    const words = new Int32Array(new SharedArrayBuffer(WORDS * 4));
    let handles: ContextHandle[] = [];
    while (handles.length === 0) {
      const workerData: DeathTask = { heap: heap.handle, words, seed: random.word() };
      const worker = new Worker(WORKER, { workerData });
      const before = Atomics.load(words, STEPS);
      while (Atomics.load(words, STEPS) < before + 3000) await setTimeout(1);
      await worker.terminate();
      heap.recover();
      handles = heap.contexts.released();
    }
    const { contexts } = countRecords(heap);
    t.true(contexts >= handles.length);
    let seen = 0;
    for (const handle of handles) {
      const adopted = heap.contexts.adopt(handle);
      const found = [adopted];
      for (const context of found) {
        seen++;
        found.push(...context.children);
        context.malloc(100);
        context.stats();
      }
      assertSound(t, heap);
      adopted.delete();
    }
    t.is(seen, contexts);
    assertNothingLeft(t, heap);
  },
);
