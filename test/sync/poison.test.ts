/**
 * Proves that any call that finds a broken invariant throws a HeapCorruptionError that names it,
 * and that from then on the heap refuses every call with the reason, and can still be inspected and
 * detached. In one thread; poison-threads.long.test.ts has other threads.
 */

import { Worker } from 'node:worker_threads';
import test, { type ExecutionContext } from 'ava';
import { type Address, HeapCorruptionError, SharedHeap } from 'shmalloc';
import * as ClassRecord from '../../src/layout/class-record.js';
import * as Header from '../../src/layout/header.js';
import * as layout from '../../src/layout/index.js';
import * as LockTable from '../../src/layout/lock-table.js';
import * as PageRecord from '../../src/layout/page-record.js';
import * as Registry from '../../src/layout/registry.js';
import { poison } from '../../src/sync/index.js';
import { geometryOf, heldIn, lockWordOf, memoryOf, metadataHash } from '../helpers.js';
import {
  bitOf,
  LARGE_PAGES,
  makeHeap,
  makeScene,
  type Scene,
  SMALL_BYTES,
} from '../verify/broken.js';
import { ended, nextMessage } from '../workers.js';
import { everyCall, notRefused, warmUp } from './refusals.js';

// ---- Found by a call

interface Find {
  readonly what: string;
  readonly invariant: string;
  readonly message: RegExp;
  damage(scene: Scene): void | Promise<void>;
  /** Finds the damage. */
  find(scene: Scene): void;
}

const overwriteRun = ({ memory, record, large: [block] }: Scene): void =>
  PageRecord.setRun(memory.i32, record(layout.pageOf(block)), 0);

/** A worker attaches and is terminated: its slot is to be recovered. */
async function dieIn(heap: SharedHeap): Promise<void> {
  const worker = new Worker(new URL('../api/guest.worker.js', import.meta.url), {
    workerData: { handle: heap.handle, blocks: 4, end: 'stay' },
  });
  await nextMessage(worker);
  const end = ended(worker);
  await worker.terminate();
  await end;
}

const FINDS: Find[] = [
  {
    what: "a free run's tail that disagrees with its head, by a merge",
    invariant: 'page-heap I4',
    message: /the tail of a free run says 4 pages, its head at 0x[0-9a-f]+ says/,
    damage({ memory: { i32 }, record, freed: [head] }) {
      PageRecord.setTail(i32, record(head + LARGE_PAGES - 1), 4);
    },
    find: ({ heap, large }) => heap.free_ts(large[1]),
  },
  {
    what: 'a cached block whose bit is set, by a flush',
    invariant: 'spans I1',
    message: /is in a cache and free in its span/,
    damage(scene) {
      const { i32 } = scene.memory;
      const { span, word, bit } = bitOf(scene, scene.cached.at(-1) as Address);
      PageRecord.setBitmap(i32, span, word, PageRecord.getBitmap(i32, span, word) | bit);
    },
    find: ({ heap, live }) => live.forEach(heap.free_ts),
  },
  {
    what: 'a span without free blocks in the partial list, by a refill',
    invariant: 'spans I3',
    message: /a list of class \d+ names page/,
    damage({ memory: { i32 }, record, list, full: [head] }) {
      PageRecord.setNext(i32, record(head), ClassRecord.getPartial(i32, list));
      ClassRecord.setPartial(i32, list, head);
    },
    find({ heap }) {
      for (let n = 0; n < 100; n++) heap.malloc_ts(SMALL_BYTES);
    },
  },
  {
    what: 'a run word that was overwritten, by an error report',
    invariant: 'page-heap I1',
    message: /the run at 0x[0-9a-f]+ is invalid, 0 pages/,
    damage: overwriteRun,
    find: ({ heap, large }) => heap.free_ts((large[1] + 16) as Address),
  },
  {
    what: 'a run word that was overwritten, by blocks()',
    invariant: 'page-heap I1',
    message: /the run at 0x[0-9a-f]+ is invalid, 0 pages/,
    damage: overwriteRun,
    find: ({ heap }) => void heap.inspect.blocks(),
  },
  {
    what: 'a run word that was overwritten, by a recovery',
    invariant: 'page-heap I1',
    message: /the run at 0x[0-9a-f]+ is invalid, 0 pages/,
    async damage(scene) {
      await dieIn(scene.heap);
      overwriteRun(scene);
    },
    find: ({ heap }) => void heap.recover(),
  },
  {
    what: 'a run word that was overwritten, by a plain free',
    invariant: 'page-heap I4',
    message: /the tail of a free run says/,
    damage({ memory: { i32 }, record, freed: [head] }) {
      PageRecord.setRun(i32, record(head), 0);
    },
    find: ({ heap, large }) => heap.free(large[1]),
  },
  {
    what: 'a class lock that this thread has already',
    invariant: 'mutex I1',
    message: /lock \d+ asked for by its owner/,
    damage({ heap, geometry, c }) {
      const me = Registry.loadOwner(heap.i32, geometry.registry, 0 as never);
      heap.i32[lockWordOf(heap, LockTable.ofClass(c))] = me;
    },
    find: ({ heap, live }) => live.forEach(heap.free_ts),
  },
];

/** Checks that the heap is poisoned: it does nothing any more, and every call says why. */
function assertPoisoned(t: ExecutionContext, heap: SharedHeap, invariant: string): void {
  t.deepEqual(heldIn(heap), [], 'no lock is left');
  t.is(heap.stats().reservedBytes, 8 * 2 ** 20, 'stats still reads');
  t.notThrows(() => heap.resetStats());
  t.notThrows(() => heap.detach());
  t.notThrows(() => heap.detach(), 'twice');
  t.notThrows(() => heap[Symbol.dispose]());
  t.throws(() => SharedHeap.attach(heap.handle), {
    instanceOf: HeapCorruptionError,
    message: new RegExp(`refuses all work.*${invariant}`),
  });
}

for (const { what, invariant, message, damage, find } of FINDS) {
  test(`HeapCorruptionError ${invariant}: ${what}; then every call refuses`, async (t) => {
    const heap = makeHeap();
    const calls = everyCall(heap, warmUp(heap));
    const scene = makeScene(heap);
    await damage(scene);
    const error = t.throws(() => find(scene), { instanceOf: HeapCorruptionError, message });
    t.is(error?.code, 'ERR_SHMALLOC_CORRUPTION');
    t.true(error?.message.includes(`(${invariant})`), error?.message);
    const before = metadataHash(heap);
    t.deepEqual(notRefused(calls, `(${invariant})`), []);
    t.deepEqual(notRefused(calls, `(${invariant})`), [], 'again');
    const report = heap.verify();
    t.false(report.ok);
    t.is(report.problems[0]?.invariant, 'poison I1');
    t.true(report.problems[0]?.message.includes(`(${invariant})`));
    t.true(Array.isArray(heap.inspect.blocks()));
    t.true(heap.inspect.map().runs.length >= 0);
    t.is(metadataHash(heap), before, 'nothing was changed');
    assertPoisoned(t, heap, invariant);
  });
}

test('poison: the first reason stays, a second one changes nothing', (t) => {
  const heap = SharedHeap.create({ size: '8MiB' });
  const calls = everyCall(heap, warmUp(heap));
  poison(memoryOf(heap), 'the first reason (page-heap I1)');
  poison(memoryOf(heap), 'the second reason (spans I1)');
  t.deepEqual(notRefused(calls, 'the first reason (page-heap I1)'), []);
  heap.detach();
});

test('poison: a heap that refuses all work can still be inspected', (t) => {
  const heap = SharedHeap.create({ size: '8MiB' });
  const { live, large } = warmUp(heap);
  const { length } = heap.inspect.map().runs;
  // The page lock has an owner for ever, such as a thread that found the heap broken.
  const { i32 } = heap;
  const word = LockTable.wordOf(LockTable.at(geometryOf(heap).locks, LockTable.PAGE));
  poison(memoryOf(heap), 'a reason (page-heap I1)');
  i32[word] = 12345;
  t.deepEqual(
    heap.inspect.blocks().map(({ address }) => address),
    [...live, large].sort((a, b) => a - b),
  );
  t.is(heap.inspect.map().runs.length, length);
  t.is(heap.inspect.leaks().blocks, live.length + 1);
  t.regex(heap.inspect.hexdump(live[0] as Address), /^block at 0x/);
  let listing = '';
  heap.inspect.print('contents', { write: (text) => (listing += text) });
  t.regex(listing, /Total : \d+ bytes/);
  t.deepEqual(
    heap.verify().problems.map(({ message }) => message),
    ['a reason (page-heap I1)'],
  );
  heap.detach();
  for (const call of [() => heap.inspect.blocks(), () => heap.inspect.map(), () => heap.verify()]) {
    t.throws(call, { code: 'ERR_SHMALLOC_DETACHED' });
  }
});

test('poison: a heap that is being poisoned refuses already', (t) => {
  const heap = SharedHeap.create({ size: '8MiB' });
  const { header } = geometryOf(heap);
  const { large } = warmUp(heap);
  Header.casPoison(heap.i32, header, Header.SOUND, Header.BEING_POISONED);
  for (const call of [
    () => heap.free_ts(large),
    () => heap.usableSize(large),
    () => heap.recover(),
  ]) {
    t.throws(call, { instanceOf: HeapCorruptionError, message: /refuses all work/ });
  }
  t.notThrows(() => heap.detach());
});

// ---- The message

for (const character of ['e', 'é', '€', '𝄞']) {
  test(`poison: a long message of '${character}' is cut between characters`, (t) => {
    for (let pad = 0; pad < 4; pad++) {
      const heap = SharedHeap.create({ size: '2MiB' });
      const reason = '-'.repeat(pad) + character.repeat(600);
      poison(memoryOf(heap), reason);
      const { message } = t.throws(() => heap.malloc_ts(8), {
        instanceOf: HeapCorruptionError,
      }) as Error;
      const kept = message.slice(message.indexOf(': ') + 2);
      t.true(kept.length > 100, `${kept.length} characters`);
      t.true(reason.startsWith(kept), `ends with '${kept.slice(-3)}'`);
      heap.detach();
    }
  });
}
