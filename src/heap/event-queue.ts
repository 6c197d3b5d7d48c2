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

/** In place of the bytes of an allocation: none has answered 0. */
const NONE = -1;

/** Told what happens to a heap in this thread. */
export interface HeapListener {
  /** This thread has taken back what dead threads left: since it was last told, added up. */
  recovered(found: Recovered): void;
  /** This thread has met a broken heap: which invariant does not hold. Told at every such throw. */
  corrupted(reason: string): void;
  /** An allocation of so many bytes is about to answer 0. */
  exhausted(bytes: number): void;
}

export class EventQueue {
  readonly #memory: HeapMemory;
  readonly #listener: HeapListener | undefined;
  /** What there is to tell. Read where a call would be one too many: V8 can cut one (marks.ts). */
  readonly state = { hasPending: false };
  /** False until its thread is attached. */
  #isStarted = false;
  /** True while a listener is told something. */
  #isTelling = false;
  /** Calls that are in the middle of something that consists of several. */
  #holds = 0;
  #recovered: Recovered | undefined;
  #failure: HeapCorruptionError | undefined;
  #exhausted = NONE;
  /** Of what is held back by a call that was cut: I4. */
  readonly #flushLater = atEndOfTurn(() => {
    this.#isTelling = false;
    this.#holds = 0;
    this.flush();
  });

  constructor(memory: HeapMemory, listener: HeapListener | undefined) {
    this.#memory = memory;
    this.#listener = listener;
  }

  /** Something was recovered, perhaps nothing. */
  addRecovered(found: Recovered): void {
    if (isNothing(found)) return;
    this.#recovered ??= nothingRecovered();
    addCounts(this.#recovered, found);
    this.state.hasPending = true;
  }

  /** A call is about to throw this. */
  addFailure(error: unknown): void {
    if (!isCorruption(error)) return;
    this.#failure = error;
    this.state.hasPending = true;
  }

  /** An allocation of so many bytes is about to answer 0. */
  addExhausted(bytes: number): void {
    if (this.#isTelling) {
      this.#flushLater();
      return;
    }
    this.#exhausted = bytes;
    this.state.hasPending = true;
  }

  /** Tells what there is, if there is something. The call ends after that: see I1. */
  flush(): void {
    const { state } = this;
    if (!state.hasPending || !this.#isStarted) return;
    if (this.#isTelling || this.#holds > 0) {
      this.#flushLater();
      return;
    }
    this.#isTelling = true;
    try {
      // What a listener's own calls find is told after it.
      while (state.hasPending) this.#flushOnce();
    } catch {
      // No stack left for a listener: the call that it would hear of goes its way.
    } finally {
      this.#isTelling = false;
    }
  }

  #flushOnce(): void {
    const listener = this.#listener;
    const found = this.#recovered;
    const broken = this.#failure;
    const bytes = this.#exhausted;
    this.state.hasPending = false;
    this.#recovered = undefined;
    this.#failure = undefined;
    this.#exhausted = NONE;
    if (listener === undefined) return;
    if (found !== undefined) listener.recovered(found);
    if (broken !== undefined) listener.corrupted(poisonReason(this.#memory) ?? broken.message);
    if (bytes !== NONE) listener.exhausted(bytes);
  }

  /** Does something, and tells what came of it at its end, and nothing before. */
  deferring<T>(work: () => T): T {
    this.#holds++;
    try {
      return work();
    } catch (error) {
      this.addFailure(error);
      throw error;
    } finally {
      this.#holds--;
      // No call after a block was handed out: nobody would have it, were that cut.
      if (this.state.hasPending) this.flush();
    }
  }

  /** Does something, and tells nothing meanwhile: the call goes on after it. */
  quietly(work: () => void): void {
    this.#holds++;
    try {
      work();
    } finally {
      this.#holds--;
    }
  }

  /** From now on events are flushed; what came before too. */
  start(): void {
    this.#isStarted = true;
    this.flush();
  }
}
