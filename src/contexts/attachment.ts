/**
 * Attachments: what the objects of this folder need of the heap that they live in, found by the public
 * instance of it.
 *
 * Registered by api/ when a thread attaches; looked up by whatever takes a heap as an argument.
 */

import { kindVersion, otherVersion, show, threadState, typeError, VERSION } from '../base/index.js';
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
  /** All contexts of the heap as text, for who finds it full. */
  describe(): string;
}

/** By whichever copy of this package they are. */
const attachments = threadState('attachments', () => new WeakMap<object, Attachment>());

/** From now on `heap` is where the objects of this attachment live. */
export function addAttachment(heap: object, attachment: Attachment): void {
  attachments.set(heap, attachment);
}

/**
 * The attachment behind what a caller has given as a heap.
 * @throws TypeError ERR_SHMALLOC_NOT_A_HEAP
 */
export function attachmentOf(asked: string, heap: unknown): Attachment {
  const attachment = typeof heap === 'object' && heap !== null ? attachments.get(heap) : undefined;
  if (attachment !== undefined) return attachment;
  const version = kindVersion(HEAP_KIND, heap);
  if (version !== undefined && version !== VERSION) {
    throw typeError(
      'ERR_SHMALLOC_TWO_VERSIONS',
      `${asked}: cannot use this heap: ${otherVersion(version)}`,
    );
  }
  throw typeError('ERR_SHMALLOC_NOT_A_HEAP', `${asked}: give it a SharedHeap, got ${show(heap)}`);
}
