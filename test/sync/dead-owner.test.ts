/**
 * Locks and solo sections of threads that died are clear errors, never a hang.
 *
 * The dead thread's word is written by hand where a lock's owner would stand: what a kill leaves
 * behind, without having to hit the moment.
 */

import { Worker } from 'node:worker_threads';
import test from 'ava';
import { type Address, type HeapHandle, SharedHeap } from 'shmalloc';
import { classOf, type SlotIndex } from '../../src/base/index.js';
import * as layout from '../../src/layout/index.js';
import { geometryOf } from '../helpers.js';
import { ended, nextMessage } from '../workers.js';

/** Attaches a thread, and gives the word that named it in the registry; the thread is dead then. */
async function deadThread(handle: HeapHandle): Promise<number> {
  const guest = new URL('../face/guest.worker.js', import.meta.url);
  const worker = new Worker(guest, { workerData: { handle, blocks: 4, end: 'stay' } });
  await nextMessage(worker);
  const heap = SharedHeap.attach(handle);
  const geometry = geometryOf(heap);
  const words = Array.from({ length: geometry.threads }, (_, slot) =>
    layout.loadOwner(heap.i32, geometry.registry, slot as SlotIndex),
  );
  const end = ended(worker);
  await worker.terminate();
  await end;
  return words[1] as number;
}

test('mutex: a lock of a dead thread is ERR_SHMALLOC_DEAD_OWNER, and other classes go on', async (t) => {
  using heap = SharedHeap.create({ size: '4MiB', threads: 4 });
  const word = await deadThread(heap.handle);
  const geometry = geometryOf(heap);
  const line = layout.lockLine(geometry.locks, layout.classLock(classOf(1000)));
  heap.i32[layout.lockWordIndex(line)] = word;
  t.throws(() => heap.malloc_ts(1000), { code: 'ERR_SHMALLOC_DEAD_OWNER' });
  const other = heap.malloc_ts(64);
  heap.free_ts(other);
  t.deepEqual(heap.recover(), { slots: 0, blocks: 0, runs: 0 }, 'who holds a lock is left alone');
  heap.i32[layout.lockWordIndex(line)] = 0;
  t.is(heap.recover().slots, 1);
});

test('mutex: a dead page lock stops what needs it, leaves no class lock behind', async (t) => {
  using heap = SharedHeap.create({ size: '4MiB', threads: 4 });
  const word = await deadThread(heap.handle);
  const line = layout.lockLine(geometryOf(heap).locks, layout.PAGE_LOCK);
  heap.i32[layout.lockWordIndex(line)] = word;
  t.throws(() => heap.malloc_ts(500), { code: 'ERR_SHMALLOC_DEAD_OWNER' });
  t.throws(() => heap.malloc_ts(200_000), { code: 'ERR_SHMALLOC_DEAD_OWNER' });
  t.throws(() => heap.free_ts(8192 as Address), { code: 'ERR_SHMALLOC_INVALID_ADDRESS' });
  heap.i32[layout.lockWordIndex(line)] = 0;
  const block = heap.malloc_ts(500);
  t.not(block, 0 as Address, 'the class lock was given back');
  heap.free_ts(block);
});

test('attach: a thread that died in an unsafe call is ERR_SHMALLOC_DEAD_OWNER, no hang', async (t) => {
  const heap = SharedHeap.create({ size: '4MiB', threads: 4 });
  const { handle } = heap;
  const word = await deadThread(handle);
  const { header } = geometryOf(heap);
  layout.storeSolo(heap.i32, header, word);
  t.is(heap.recover().slots, 0, 'who was in an unsafe call is left alone');
  heap.detach();
  t.throws(() => SharedHeap.attach(handle), { code: 'ERR_SHMALLOC_DEAD_OWNER' });
  layout.storeSolo(heap.i32, header, 0);
  using again = SharedHeap.attach(handle);
  t.is(again.recover().slots, 1);
});

test('recover: a run that a dead thread had reserved is freed, its tag cleared', async (t) => {
  using heap = SharedHeap.create({ size: '4MiB', threads: 4 });
  const block = heap.malloc_ts(200_000);
  const { pageTable } = geometryOf(heap);
  await deadThread(heap.handle);
  // As a thread in slot 1 leaves it when it dies before its commit.
  const record = layout.pageRecord(pageTable, layout.pageOf(block));
  const pages = layout.runPages(layout.getRun(heap.i32, record));
  layout.setRun(heap.i32, record, layout.runWord(layout.RESERVED_RUN, 1, pages));
  t.is(heap.recover().runs, 1);
  t.is(heap.stats().large.blocksInUse, 0);
  t.throws(() => heap.free_ts(block), { code: 'ERR_SHMALLOC_INVALID_ADDRESS' });
});
