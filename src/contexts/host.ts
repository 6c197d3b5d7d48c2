/**
 * Hosts: what the objects of this folder need of the heap that they live in, found by the public
 * instance of it.
 *
 * Registered by api/ when a thread attaches; looked up by whatever takes a heap as an argument.
 */

import { kindVersion, otherVersion, show, threadState, typeError, VERSION } from '../base/index.js';
import type { HeapCore } from '../heap/index.js';

/** Marks public heaps, for copies of other versions. */
export const HEAP_KIND = 'heap';

/** One thread's attachment to a heap, as objects see it. */
export interface Host {
  readonly core: HeapCore;
  /** `heap.handle.id`: handles of objects say which heap they belong to. */
  readonly heapId: string;
  /** This thread, in worker_threads. */
  readonly threadId: number;
  /** Freed memory is painted over (the debug option `scribble`). */
  readonly scribble: boolean;
  /** All contexts of the heap as text, for who finds it full. */
  describe(): string;
}

/** By whichever copy of this package they are. */
const hosts = threadState('hosts', () => new WeakMap<object, Host>());

/** From now on `heap` is where objects of this host live. */
export function addHost(heap: object, host: Host): void {
  hosts.set(heap, host);
}

/**
 * The host behind what a caller has given as a heap.
 * @throws TypeError ERR_SHMALLOC_NOT_A_HEAP
 */
export function hostOf(asked: string, heap: unknown): Host {
  const host = typeof heap === 'object' && heap !== null ? hosts.get(heap) : undefined;
  if (host !== undefined) return host;
  const version = kindVersion(HEAP_KIND, heap);
  if (version !== undefined && version !== VERSION) {
    throw typeError(
      'ERR_SHMALLOC_TWO_VERSIONS',
      `${asked}: cannot use this heap: ${otherVersion(version)}`,
    );
  }
  throw typeError('ERR_SHMALLOC_NOT_A_HEAP', `${asked}: give it a SharedHeap, got ${show(heap)}`);
}
