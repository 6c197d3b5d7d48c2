/**
 * The functions of Atomics as they were when this module was loaded. A program may replace the
 * global's functions later (by a test library's double, for example); locks must not call the
 * replacements.
 *
 * Used by layout/ and sync/. Any thread.
 */

const { add, and, compareExchange, exchange, load, notify, or, store, sub, wait } = Atomics;

/** Tells the processor that this is a spin loop. Node 24 and later have it. */
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
