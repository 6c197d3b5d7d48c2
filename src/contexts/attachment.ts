/**
 * Attachments: what the objects of this folder and of collections/ need of the heap that they live in.
 *
 * Made by api/ when a thread attaches.
 */

import type { ThreadHeap } from '../heap/index.js';

/** Marks public heaps, for copies of other versions. */
export const HEAP_KIND = 'heap';

/** One thread's attachment to a heap, as objects see it. */
export interface Attachment {
  readonly core: ThreadHeap;
  /** `heap.handle.id`: handles of objects say which heap they belong to. */
  readonly heapId: string;
  /** This thread, in worker_threads. */
  readonly threadId: number;
  /** Freed memory is painted over (the debug option `scribble`). */
  readonly scribble: boolean;
}
