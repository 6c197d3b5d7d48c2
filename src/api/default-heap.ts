/**
 * Which heap a thread uses when nobody hands it one: its pool's, or the process's default heap.
 *
 * Used by SharedHeap.current() and pool/. Any thread.
 *
 * A default heap reaches threads through Node's environment data, which every worker gets a copy of
 * at its start, piscina's too. A worker's own setEnvironmentData does not reach its parent, so a
 * default heap that is first asked for in a worker is that worker's and its children's: a warning
 * says so, since the main thread and other workers would quietly get another one.
 */

import {
  getEnvironmentData,
  isMainThread,
  setEnvironmentData,
  threadId,
  workerData,
} from 'node:worker_threads';

const KEY = 'shmalloc:heap';

/** The heap handle that this thread's pool put into its workerData, if it has one. */
export function givenHeap(): unknown {
  return typeof workerData === 'object' && workerData !== null
    ? (workerData as Record<string, unknown>)[KEY]
    : undefined;
}

/** workerData for threads that shall find this heap: what the user gave, and the handle. */
export function workerDataWith(handle: object, given: object): object {
  return { ...given, [KEY]: handle };
}

/** The default heap's handle; the first call in a process makes it with `make`. */
export function findDefaultHeap<Handle extends object>(make: () => Handle): Handle {
  const known = getEnvironmentData(KEY);
  if (known !== undefined) return known as unknown as Handle;
  const handle = make();
  setEnvironmentData(KEY, handle as never);
  if (!isMainThread) {
    process.emitWarning(
      `thread ${threadId} made a default heap of its own, which only workers that it starts will ` +
        'share. For a heap that another thread has made: give this one its handle, workerData: ' +
        'heap.handle, and call SharedHeap.attach(workerData) here. For a default heap of all threads: ' +
        "import 'shmalloc/mem' or call SharedHeap.current() in the main thread before it starts workers",
      { code: 'SHMALLOC_PRIVATE_HEAP' },
    );
  }
  return handle;
}
