/**
 * This thread's attachments, and the heaps that it is making: found by heap id, whichever copy of this
 * package has made them.
 *
 * Used by SharedHeap. V8 may cut a `create`, an `attach` or a `detach`; what is kept here says where it
 * was, and the next call goes on from there.
 */

import { ANY_VERSION, HeapError, otherVersion, threadState, VERSION } from '../base/index.js';
import type { ResolvedOptions } from '../options/index.js';
import type { Claim } from '../sync/index.js';
import { eraseHeap, eraseHeaps, heapsInUse, inUse, isHeapAt } from './heaps-in-buffer.js';
import type { SharedHeap } from './shared-heap.js';
import { atThreadEnd } from './thread-end.js';

/** An attachment, as far as a cut can leave it half done. */
export interface Life {
  isAttached(): boolean;
  /** Was its detach cut? */
  isLeaving(): boolean;
  /** What there is to tell is told at the end of the turn. As often as you like. */
  startLater(): void;
}

/** Where a heap is made. */
interface Made {
  readonly buffer: SharedArrayBuffer;
  readonly base: number;
}

const attached = threadState('attached', () => new Map<string, SharedHeap>());
/** What copies ask each other's attachments, since V8 may have cut what made them, or ends them. */
const lives = threadState('lives', () => new WeakMap<SharedHeap, Life>());
/** Those that it is about to make: V8 may cut an attach, and the next one finds what that has left. */
const claims = threadState('claims', () => new Map<string, Claim>());
/** Heaps that it is making, by id: nobody knows of one that is in here. */
const creations = threadState('creations', () => new Map<string, Made>());
/** The attachments for copies of other versions: by which version the thread is attached. */
const versions = threadState('attached', () => new Map<string, string>(), ANY_VERSION);

export function claimOf(heapId: string): Claim {
  const claim = claims.get(heapId) ?? { isOpen: false, slot: -1 };
  claims.set(heapId, claim);
  return claim;
}

/** From now on `attach` in this thread finds the heap. */
export function enterAttachment(heapId: string, heap: SharedHeap, life: Life): void {
  lives.set(heap, life);
  versions.set(heapId, VERSION);
  attached.set(heapId, heap);
  claims.delete(heapId);
}

export const isEntered = (heapId: string, heap: SharedHeap): boolean =>
  attached.get(heapId) === heap;

export function leaveAttachment(heapId: string): void {
  if (versions.get(heapId) === VERSION) versions.delete(heapId);
  attached.delete(heapId);
}

/**
 * This thread's attachment to a heap; undefined where it has none. One whose detach was cut is detached.
 * @throws HeapError ERR_SHMALLOC_TWO_VERSIONS
 */
export function findAttachment(heapId: string): SharedHeap | undefined {
  const known = attached.get(heapId);
  const life = known && lives.get(known);
  if (life?.isLeaving()) known?.detach();
  if (known !== undefined && life?.isAttached()) {
    // Its own attach may have been cut before it came to that; or it is under way, and asked for
    // by a subscriber.
    life.startLater();
    return known;
  }
  const version = versions.get(heapId);
  // Of this version it is what a cut has left.
  if (version === undefined || version === VERSION) return undefined;
  throw new HeapError(
    'ERR_SHMALLOC_TWO_VERSIONS',
    `cannot attach: this thread is attached already, and ${otherVersion(version)}`,
  );
}

/** Makes a heap with `make`; one that is cut meanwhile is erased by the next creation. */
export function whileCreating<T>(heapId: string, made: Made, make: () => T): T {
  creations.set(heapId, made);
  try {
    return make();
  } finally {
    creations.delete(heapId);
  }
}

/** A `create` of this thread that V8 has cut has made no heap: nobody was given it. */
export function endCutCreations(): void {
  for (const [id, { buffer, base }] of [...creations]) {
    // Unless the buffer is used for something else by now.
    if (isHeapAt(buffer, base, id)) {
      attached.get(id)?.detach();
      eraseHeap(buffer, base);
    }
    attached.delete(id);
    versions.delete(id);
    claims.delete(id);
    creations.delete(id);
  }
}

/** Sees to it that no heap in use lies where a new one is to be. */
export function makeRoom(buffer: SharedArrayBuffer, wanted: ResolvedOptions): void {
  const known = [...attached.values()].map(({ handle }) => handle.byteOffset);
  for (const found of heapsInUse(buffer, wanted, known)) {
    const own = attached.get(found.id);
    const isLeft = own !== undefined && found.threads === 1 && lives.get(own)?.isLeaving();
    if (!wanted.overwrite && !isLeft) throw inUse(wanted, found, own !== undefined);
    // Those of other threads are lost, as the caller wants it.
    own?.detach();
  }
  eraseHeaps(buffer, wanted);
}

/** A worker that ends in order gives its slots back. One that is terminated cannot. */
export function detachAtThreadEnd(): void {
  atThreadEnd('attachments', () => {
    for (const heap of [...attached.values()]) {
      try {
        heap.detach();
      } catch {
        // The thread ends: what it could not give back, recovery will.
      }
    }
  });
}
