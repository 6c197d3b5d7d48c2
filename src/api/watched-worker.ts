/**
 * Workers that a thread watches, so that what they leave behind is recovered as soon as they end.
 *
 * Used by SharedHeap.watch. The thread that has started the worker.
 */

import type { Worker } from 'node:worker_threads';
import { lookAt, show, typeError } from '../base/index.js';
import type { ThreadHeap } from '../heap/index.js';

/** A worker, as in node:worker_threads; without its types, so that ours need none of Node's. */
export interface WatchedWorker {
  readonly threadId: number;
  once(event: 'exit', listener: (exitCode: number) => void): unknown;
}

/**
 * Recovers a worker when it ends, if this thread is attached then.
 * @throws TypeError ERR_SHMALLOC_INVALID_OPTION
 */
export function watchWorker(
  core: ThreadHeap,
  worker: WatchedWorker,
  isAttached: () => boolean,
): void {
  const watched = lookAt('SharedHeap.watch', 'the worker', () =>
    isWorker(worker) ? worker.threadId : -1,
  );
  if (watched < 0) {
    const got = isWorker(worker) ? 'one that has ended' : show(worker);
    throw typeError(
      'ERR_SHMALLOC_INVALID_OPTION',
      `SharedHeap.watch: give it a running Worker, got ${got}`,
    );
  }
  worker.once('exit', () => {
    if (isAttached()) recoverQuietly(core, watched);
  });
}

/** By what a worker can do: a test runner, or a library that wraps workers, has a class of its own. */
function isWorker(value: unknown): value is Worker {
  const { threadId: id, once, terminate } = (value ?? {}) as Partial<Worker>;
  return typeof id === 'number' && typeof once === 'function' && typeof terminate === 'function';
}

/** For an event nobody waits for: an error there would end the process. */
function recoverQuietly(core: ThreadHeap, ended: number): void {
  try {
    core.recoverThread(ended);
  } catch (error) {
    process.emitWarning(`worker ${ended} could not be recovered: ${(error as Error).message}`, {
      code: 'SHMALLOC_NOT_RECOVERED',
    });
  }
}
