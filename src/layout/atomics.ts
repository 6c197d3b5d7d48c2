/**
 * The functions of Atomics as they were when this module was loaded: what a program puts into the
 * global later (a test library's double, say) must not reach a lock.
 *
 * Used by layout/ and sync/. Any thread.
 */

const { add, and, compareExchange, exchange, load, notify, or, store, sub, wait } = Atomics;

/** Node 24 and later: tells the processor that this is a spin loop. */
const { pause } = Atomics as { pause?: () => void };

export const atomics = {
  add,
  and,
  compareExchange,
  exchange,
  load,
  notify,
  or,
  pause,
  store,
  sub,
  wait,
};
