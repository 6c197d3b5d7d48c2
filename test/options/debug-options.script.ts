/**
 * Process of the debug option tests: creates heaps with the options in its first argument (JSON),
 * and prints their settings as this thread sees them and as a worker sees them.
 */

import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { type DebugOptions, SharedHeap } from 'shmalloc';
import * as Header from '../../src/layout/header.js';
import { type DebugSettings, headerWord } from '../../src/layout/index.js';
import { nextMessage } from '../workers.js';

export interface SettingsSeen {
  readonly main: DebugSettings;
  /** Settings of the main thread's heap, read by a worker that attached. */
  readonly worker: DebugSettings;
  /** Settings of a heap that the worker created without options. */
  readonly workersOwn: DebugSettings;
}

function settingsOf(heap: SharedHeap): DebugSettings {
  const fields = Header.read(heap.u32, headerWord(heap.handle.byteOffset));
  if (fields === null) throw new Error('no heap');
  return fields.debug;
}

if (isMainThread) {
  const debug = JSON.parse(process.argv[2] ?? '{}') as DebugOptions;
  const heap = SharedHeap.create({ size: '16MiB', threads: 2, debug });
  // A second heap: help and warnings are printed once only.
  SharedHeap.create({ size: '16MiB', threads: 2, debug }).detach();
  process.env.SHMALLOC_GUARD = '4096';
  const worker = new Worker(new URL(import.meta.url), { workerData: heap.handle });
  const seen = await nextMessage<Omit<SettingsSeen, 'main'>>(worker);
  console.log(JSON.stringify({ main: settingsOf(heap), ...seen } satisfies SettingsSeen));
} else {
  const heap = SharedHeap.attach(workerData);
  const own = SharedHeap.create({ size: '16MiB', threads: 2 });
  parentPort?.postMessage({ worker: settingsOf(heap), workersOwn: settingsOf(own) });
}
