/**
 * Event queue: what a thread has found in the heap, kept until it can be told.
 *
 * Filled by section.ts, thread-heap.ts and slow-path.ts wherever something is found; told by them at the end
 * of a call, to the listener that api/ gave. Owner thread only.
 *
 * A listener runs user code, which may call the heap again, free all it has, or detach. So:
 * I1  Events are flushed when this thread holds no lock, is in no section, has nothing half done, and
 *     all that is left of the call is to return or to throw.
 * I2  A listener is not told of a full heap by a call that it makes itself: it would never end.
 * I3  What a listener throws does not reach the call.
 * I4  What is held back by a call, or by a listener, that V8 has cut (marks.ts) is told at the end of the
 *     turn: then no call is under way, whatever is noted here.
 */

import { addCounts, type HeapCorruptionError, isCorruption, isNothing } from '../base/index.js';
import type { HeapMemory } from '../layout/index.js';
import { nothingRecovered, type Recovered } from '../recovery/index.js';
import { poisonReason } from '../sync/index.js';
import { atEndOfTurn } from './turn.js';

/** Told what happens to a heap in this thread. */
export interface HeapListener {
  /** This thread has taken back what dead threads left: since it was last told, added up. */
  recovered(found: Recovered): void;
  /** This thread has met a broken heap: which invariant does not hold. Told at every such throw. */
  corrupted(reason: string): void;
  /** An allocation of so many bytes is about to answer 0. */
  exhausted(bytes: number): void;
}

export interface EventQueue {
  /** Something was recovered, perhaps nothing. */
  addRecovered(found: Recovered): void;
  /** A call is about to throw this. */
  addFailure(error: unknown): void;
  /** An allocation is about to answer 0. */
  addExhausted(bytes: number): void;
  /** Is there something to tell? Read where a call would be one too many: V8 can cut one (marks.ts). */
  readonly state: { readonly hasPending: boolean };
  /** Tells what there is, if there is something. The call ends after that: see I1. */
  flush(): void;
  /** Does something, and tells what came of it at its end, and nothing before. */
  deferring<T>(work: () => T): T;
  /** Does something, and tells nothing meanwhile: the call goes on after it. */
  quietly(work: () => void): void;
  /** From now on events are flushed; what came before too. */
  start(): void;
}

export function createEventQueue(
  memory: HeapMemory,
  listener: HeapListener | undefined,
): EventQueue {
  const state = { hasPending: false };
  /** Until its thread is attached. */
  let started = false;
  /** While a listener is told something. */
  let telling = false;
  /** How many calls are in the middle of something that consists of several. */
  let holds = 0;
  let recovered: Recovered | undefined;
  let failure: HeapCorruptionError | undefined;
  let exhausted = -1;

  function addRecovered(found: Recovered): void {
    if (isNothing(found)) return;
    recovered ??= nothingRecovered();
    addCounts(recovered, found);
    state.hasPending = true;
  }

  function addFailure(error: unknown): void {
    if (!isCorruption(error)) return;
    failure = error;
    state.hasPending = true;
  }

  /** Of what is held back by a call that was cut: I4. */
  const flushLater = atEndOfTurn(() => {
    telling = false;
    holds = 0;
    flush();
  });

  function addExhausted(bytes: number): void {
    if (telling) {
      flushLater();
      return;
    }
    exhausted = bytes;
    state.hasPending = true;
  }

  function flush(): void {
    if (!state.hasPending || !started) return;
    if (telling || holds > 0) {
      flushLater();
      return;
    }
    telling = true;
    try {
      // What a listener's own calls find is told after it.
      while (state.hasPending) flushOnce();
    } catch {
      // No stack left for a listener: the call that it would hear of goes its way.
    } finally {
      telling = false;
    }
  }

  function flushOnce(): void {
    const found = recovered;
    const broken = failure;
    const bytes = exhausted;
    state.hasPending = false;
    recovered = undefined;
    failure = undefined;
    exhausted = -1;
    if (listener === undefined) return;
    if (found !== undefined) listener.recovered(found);
    if (broken !== undefined) listener.corrupted(poisonReason(memory) ?? broken.message);
    if (bytes >= 0) listener.exhausted(bytes);
  }

  return {
    addRecovered,
    addFailure,
    addExhausted,
    state,
    flush,
    deferring(work) {
      holds++;
      try {
        return work();
      } catch (error) {
        addFailure(error);
        throw error;
      } finally {
        holds--;
        // No call after a block was handed out: nobody would have it, were that cut.
        if (state.hasPending) flush();
      }
    },
    quietly(work) {
      holds++;
      try {
        work();
      } finally {
        holds--;
      }
    },
    start() {
      started = true;
      flush();
    },
  };
}
