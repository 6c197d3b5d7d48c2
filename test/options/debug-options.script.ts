/**
 * Process of the debug option tests: makes heaps as it is told by its first argument (options in
 * code, as JSON), and prints which settings they have: in this thread, and as a worker finds them.
 */

import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { type DebugOptions, SharedHeap } from 'shmalloc';
import { type DebugSettings, headerWord, readHeader } from '../../src/layout/index.js';
import { nextMessage } from '../workers.js';

export interface SettingsSeen {
  readonly main: DebugSettings;
  /** Found by a worker that attached. */
  readonly worker: DebugSettings;
  /** Of a heap that the worker made without options. */
  readonly workersOwn: DebugSettings;
}

function settingsOf(heap: SharedHeap): DebugSettings {
  const fields = readHeader(heap.u32, headerWord(heap.handle.byteOffset));
  if (fields === null) throw new Error('no heap');
  return fields.debug;
}

if (isMainThread) {
  const debug = JSON.parse(process.argv[2] ?? '{}') as DebugOptions;
  const heap = SharedHeap.create({ size: '16MiB', threads: 2, debug });
  // A second heap: what is said once is not said again.
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
