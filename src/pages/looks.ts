/**
 * Looks: limits how often a full heap is searched for dead threads.
 *
 * Used by recover.ts, which searches, and by slow-path.ts and thread-heap.ts for a call that is
 * about to return 0. Any thread.
 *
 * A look asks the system about every attached thread, which takes 15 to 25 microseconds each. So
 * one thread's look serves all threads for a while: for 5 ms, as long as a waiter waits
 * (sync/lock-word.ts), or for 20 times the duration of the look, up to 100 ms. If it finds a dead
 * thread, all other threads wait until that thread's memory is given back: a look is due for all
 * until then, and they wait for the recovery lock.
 *
 * I1  The word is a time in the past, or 0, while a dead thread that was found is not recovered.
 * I2  A time far in the future comes from another clock (threads may have started before the
 *     system's clock was set): a look is due.
 */

import { now, timeOrigin } from '../base/index.js';
import * as Header from '../layout/header.js';
import type { HeapMemory } from '../layout/index.js';

const LOOK_MS_MIN = 5;
const LOOK_MS_MAX = 100;
/** Looks take at most 1 / SHARE of a thread's time. */
const SHARE = 20;
/** Ticks per millisecond of the clock in shared memory: 32 bits, which wrap around in six days. */
const TICKS = 8;
const DUE = 0;

const clock = (milliseconds: number): number =>
  Math.floor((timeOrigin + milliseconds) * TICKS) >>> 0 || 1;

/** True if dead threads must be searched for before an allocation returns 0. */
export function isLookDue({ u32, geometry }: HeapMemory): boolean {
  const next = Header.getNextLook(u32, geometry.header);
  // Ticks until the next look; negative if that time is over.
  return next === DUE || (next - clock(now())) >>> 0 > LOOK_MS_MAX * TICKS;
}

/** One look at all threads. The caller owns the recovery lock. */
export interface Look {
  /** Called for a dead thread, before anything of it is given back. */
  found(): void;
  /** Called when everything that was found is given back. */
  end(): void;
}

export function startLook({ u32, geometry }: HeapMemory): Look {
  const started = now();
  const set = (time: number): void => Header.setNextLook(u32, geometry.header, time);
  let some = false;
  // Other threads need not wait for a look that finds none. This also ends the look if this thread
  // dies.
  set(clock(started + LOOK_MS_MIN));
  return {
    found() {
      some = true;
      set(DUE);
    },
    end() {
      const took = now() - started;
      // Recovery takes longer than a look, so its duration says nothing about the next look.
      const pause = some ? LOOK_MS_MIN : Math.min(LOOK_MS_MAX, Math.max(LOOK_MS_MIN, SHARE * took));
      set(clock(started + pause));
    },
  };
}
