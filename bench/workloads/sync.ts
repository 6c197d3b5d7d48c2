/**
 * How the threads of a workload wait for each other, in words of the heap. C twins: harness.h, and
 * pthread's mutex.
 *
 * A waiter spins a few thousand times, then sleeps: with more threads than processors, a spinning
 * thread keeps the thread that it waits for from running.
 */

const SPINS = 2000;
/** Maximum milliseconds of a sleep: a sleeper looks again after it, woken or not. */
const WAIT_LIMIT_MS = 5;

/** Waits until a word is at least `value`, and returns it. Words only grow. */
export function waitFor(i32: Int32Array<SharedArrayBuffer>, word: number, value: number): number {
  for (let spins = 0; ; spins++) {
    const seen = Atomics.load(i32, word);
    if (seen >= value) return seen;
    if (spins >= SPINS) Atomics.wait(i32, word, seen, WAIT_LIMIT_MS);
  }
}

/** Sets a word that other threads wait for. */
export function announce(i32: Int32Array<SharedArrayBuffer>, word: number, value: number): void {
  Atomics.store(i32, word, value);
  Atomics.notify(i32, word);
}

/**
 * A barrier in one word, 0 at first: returns when `threads` have arrived for the `turn`th time,
 * from 1.
 */
export function arrive(
  i32: Int32Array<SharedArrayBuffer>,
  word: number,
  threads: number,
  turn: number,
): void {
  if (Atomics.add(i32, word, 1) + 1 === threads * turn) Atomics.notify(i32, word);
  else waitFor(i32, word, threads * turn);
}

/** A mutex in one word: 0 is free, 1 is held, 2 is held and a thread may sleep. */
export function lock(i32: Int32Array<SharedArrayBuffer>, word: number): void {
  for (let spins = 0; spins < SPINS; spins++) {
    if (Atomics.compareExchange(i32, word, 0, 1) === 0) return;
  }
  while (Atomics.exchange(i32, word, 2) !== 0) Atomics.wait(i32, word, 2, WAIT_LIMIT_MS);
}

export function unlock(i32: Int32Array<SharedArrayBuffer>, word: number): void {
  if (Atomics.exchange(i32, word, 0) === 2) Atomics.notify(i32, word, 1);
}
