/**
 * Events: what happens to heaps in this thread, told through node:diagnostics_channel.
 *
 * Used by shared-heap.ts. Each thread has channels of its own: what happens in a worker is told
 * there. Channels and messages are described in docs/events.md.
 *
 * I1  Nobody is told anything in the middle of a call (heap/event-queue.ts): subscribers may use the heap.
 * I2  Without a subscriber no message is made.
 */

import { type Channel, channel } from 'node:diagnostics_channel';
import { threadId } from 'node:worker_threads';
import { callProgram, threadState } from '../base/index.js';
import type { HeapListener } from '../heap/index.js';
import type { Recovered } from '../recovery/index.js';
import type { SharedHeap } from './shared-heap.js';

/** Channel names, by event. */
export const HEAP_CHANNELS = {
  /** This thread has made a heap; `attached` follows. */
  created: 'shmalloc:heap:created',
  /** This thread has attached. */
  attached: 'shmalloc:heap:attached',
  /** This thread has detached: by a call, or since it ends in order. */
  detached: 'shmalloc:heap:detached',
  /** This thread has taken back something that dead threads left. */
  recovered: 'shmalloc:heap:recovered',
  /** This thread was refused a call, or an attach, by a heap that is broken. Once a heap. */
  corrupted: 'shmalloc:heap:corrupted',
  /** A malloc, calloc, realloc or alignedAlloc of this thread answers 0. */
  exhausted: 'shmalloc:heap:exhausted',
} as const;

/** In every message. */
export interface HeapEvent {
  /** As in `heap.handle.id`. */
  readonly heapId: string;
  /** The thread in which it happens, as in worker_threads: where the message is. */
  readonly threadId: number;
}

/** Message of created, attached, detached. */
export interface HeapLifeEvent extends HeapEvent {
  readonly heap: SharedHeap;
  /** Length of the heap. */
  readonly reservedBytes: number;
}

/** Message of recovered: what was taken back, as recover() returns it. */
export interface HeapRecoveredEvent extends HeapEvent, Readonly<Recovered> {}

/** Message of corrupted. */
export interface HeapCorruptedEvent extends HeapEvent {
  /** What is wrong, with the name of the invariant. */
  readonly reason: string;
}

/** Message of exhausted. */
export interface HeapExhaustedEvent extends HeapEvent {
  /** Bytes asked for. */
  readonly bytes: number;
}

const channels = {
  created: channel(HEAP_CHANNELS.created),
  attached: channel(HEAP_CHANNELS.attached),
  detached: channel(HEAP_CHANNELS.detached),
  recovered: channel(HEAP_CHANNELS.recovered),
  corrupted: channel(HEAP_CHANNELS.corrupted),
  exhausted: channel(HEAP_CHANNELS.exhausted),
};

/** Heaps that this thread knows to be broken, and has said so. */
const knownBroken = threadState('known broken', () => new Set<string>());

/** Tells that this thread has made, attached or detached a heap. */
export function publishLife(
  event: 'created' | 'attached' | 'detached',
  heap: SharedHeap,
  heapId: string,
  reservedBytes: number,
): void {
  publish(channels[event], () => ({ heapId, threadId, heap, reservedBytes }));
}

/** Tells what else happens to a heap in this thread. */
export function createListener(heapId: string): HeapListener {
  return {
    recovered: (found) => publish(channels.recovered, () => ({ heapId, threadId, ...found })),
    corrupted(reason) {
      if (knownBroken.has(heapId)) return;
      knownBroken.add(heapId);
      publish(channels.corrupted, () => ({ heapId, threadId, reason }));
    },
    exhausted: (bytes) => publish(channels.exhausted, () => ({ heapId, threadId, bytes })),
  };
}

/** What a subscriber throws, Node makes an uncaught exception of, later. */
function publish(to: Channel, message: () => HeapEvent): void {
  if (to.hasSubscribers) callProgram(() => to.publish(message()));
}
