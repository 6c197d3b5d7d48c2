/**
 * Looks: how often a full heap is searched for what dead threads had.
 *
 * Used by recover.ts, which looks, and by allocator.ts and thread-heap.ts for a call that is about to answer
 * 0. Any thread.
 *
 * A look asks the system about every thread that is attached, 15 to 25 microseconds for each. So one
 * thread's look does for all for a while: for 5 ms, as a waiter is patient (sync/lock-word.ts), or
 * for 20 times what the look took, up to 100 ms. What is found dead is given back before anybody
 * goes on: from then until that is done a look is due for all, and they wait for the recovery lock.
 *
 * I1  The word says a time that is over, or 0, while a dead thread that was found has something left.
 * I2  A time far ahead is another clock's (threads may have started before the system's clock was
 *     set): a look is due.
 */

import { now, timeOrigin } from '../base/index.js';
import { getNextLook, type HeapMemory, setNextLook } from '../layout/index.js';

const LOOK_MS_MIN = 5;
const LOOK_MS_MAX = 100;
/** A look takes a twentieth of a thread's time at most. */
const SHARE = 20;
/** Of the clock in shared memory: eighths of a millisecond, in 32 bits that go round in six days. */
const TICKS = 8;
const DUE = 0;

const clock = (milliseconds: number): number =>
  Math.floor((timeOrigin + milliseconds) * TICKS) >>> 0 || 1;

/** Should the dead be looked for, before an allocation answers 0? */
export function isLookDue({ u32, geometry }: HeapMemory): boolean {
  const next = getNextLook(u32, geometry.header);
  // How much later than now: less than 0 where that is over.
  return next === DUE || (next - clock(now())) >>> 0 > LOOK_MS_MAX * TICKS;
}

/** One look at all threads. The caller has the recovery lock. */
export interface Look {
  /** A dead thread was found, and something of it is about to be given back. */
  found(): void;
  /** All that was found is given back. */
  end(): void;
}

export function startLook({ u32, geometry }: HeapMemory): Look {
  const started = now();
  const set = (time: number): void => setNextLook(u32, geometry.header, time);
  let some = false;
  // The others need not wait for a look that finds nobody. Should this thread die, it ends so too.
  set(clock(started + LOOK_MS_MIN));
  return {
    found() {
      some = true;
      set(DUE);
    },
    end() {
      const took = now() - started;
      // What is given back takes longer than a look, and says nothing of the next.
      const pause = some ? LOOK_MS_MIN : Math.min(LOOK_MS_MAX, Math.max(LOOK_MS_MIN, SHARE * took));
      set(clock(started + pause));
    },
  };
}
