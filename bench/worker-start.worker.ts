/** The worker of bench/worker-start.ts: loads a library, and makes its first allocation. */

import { parentPort, workerData } from 'node:worker_threads';
import type { HeapHandle } from 'shmalloc';
import type { Library, Start, Times } from './worker-start.js';

const BYTES = 100;
const { kind, entry, shared } = workerData as Start;

/** What a library does in a new worker, in three steps. */
interface Steps<Loaded, Attached> {
  load(): Promise<Loaded>;
  attach(loaded: Loaded): Attached;
  allocate(attached: Attached): unknown;
}

async function measure<Loaded, Attached>(
  steps: Steps<Loaded, Attached>,
): Promise<Omit<Times, 'startMs'>> {
  const started = performance.now();
  const loaded = await steps.load();
  const imported = performance.now();
  const attached = steps.attach(loaded);
  const attachedAt = performance.now();
  steps.allocate(attached);
  return {
    importMs: imported - started,
    attachMs: attachedAt - imported,
    allocateMs: performance.now() - attachedAt,
  };
}

const nothing = (): void => {};

function measureKind(): Promise<Omit<Times, 'startMs'>> {
  switch (kind) {
    case 'nothing':
      return Promise.resolve({ importMs: 0, attachMs: 0, allocateMs: 0 });
    case 'shmalloc, import only':
      return measure({ load: () => import(entry), attach: nothing, allocate: nothing });
    case 'shmalloc':
      return measure({
        load: () => import(entry) as Promise<Library>,
        attach: ({ SharedHeap }) => SharedHeap.attach(shared as HeapHandle),
        allocate: (heap) => heap.malloc_ts(BYTES),
      });
    case '@thi.ng/malloc':
      return measure({
        load: () => import('@thi.ng/malloc'),
        attach: ({ MemPool }) =>
          new MemPool({ buf: shared as ArrayBuffer, skipInitialization: true }),
        allocate: (pool) => pool.malloc(BYTES),
      });
    case 'multithreading':
      return measure({
        load: () => import('multithreading'),
        attach: ({ SharedJsonBuffer }) => new SharedJsonBuffer({ text: '' }),
        allocate: (value) => {
          value.text = 'x'.repeat(BYTES);
        },
      });
    case 'lmdb':
      return measure({
        load: () => import('lmdb'),
        attach: ({ open }) => open({ path: shared as string }),
        allocate: (database) => database.putSync('first', 'x'.repeat(BYTES)),
      });
  }
}

parentPort?.postMessage(await measureKind());
