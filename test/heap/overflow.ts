/**
 * Dives to the very end of the stack, again and again, with calls of the heap at every depth near
 * the end: sooner or later an overflow strikes at every place in the library where one can.
 *
 * The books are kept by plain stores alone: what is called here could overflow itself. A call that
 * throws is to have done nothing, so its entry stays as it was.
 */

import type { Address, SharedHeap } from 'shmalloc';
import { heldIn } from '../helpers.js';

export interface Dives {
  /** Calls that were made, and those of them that overflowed. */
  calls: number;
  overflows: number;
  /** What is wrong afterwards; the first few. */
  wrong: string[];
}

/** Sizes of blocks, and how many of each are live at a time. */
const KINDS: readonly [bytes: number, blocks: number][] = [
  [8, 180],
  [4096, 90],
  [256 * 1024, 30],
];
const ENTRIES = KINDS.reduce((sum, [, blocks]) => sum + blocks, 0);
/** So many frames from the end calls are made: more than the deepest of them needs. */
const NEAR_FRAMES = 120;
/** The same of an instrumented heap, whose calls begin with a larger probe. */
export const NEAR_FRAMES_DEBUG = 400;
/** A dive begins with so many more words on the stack than the last one. */
const SHIFT_WORDS = 40;
const LOOK_EVERY = 100;
const WARM_UP_CALLS = 3000;
const INVALID = 'ERR_SHMALLOC_INVALID_ADDRESS';

export function dive(heap: SharedHeap, rounds: number, nearFrames = NEAR_FRAMES): Dives {
  const { u32, malloc_ts, free_ts, calloc_ts, realloc_ts } = heap;
  const sizes = new Uint32Array(ENTRIES);
  KINDS.reduce((n, [bytes, blocks]) => sizes.fill(bytes, n, n + blocks) && n + blocks, 0);
  const books = new Uint32Array(ENTRIES);
  const wrong: string[] = [];
  const strange: unknown[] = [undefined];
  let calls = 0;
  let overflows = 0;
  let entry = 0;
  let expected: string | undefined;
  /** Stays live, so that inside it there is never the start of a block. */
  const pinned = malloc_ts(64);
  const inside = (pinned + 16) as Address;

  function allocate(n: number): void {
    const size = sizes[n];
    books[n] = (n & 1) === 0 ? malloc_ts(size) : calloc_ts(1, size);
    u32[books[n] >>> 2] = n;
  }

  /** To the next kind of size, and on. */
  function move(n: number): void {
    const size = sizes[(n + 97) % ENTRIES];
    books[n] = realloc_ts(books[n] as Address, size);
  }

  function act(): void {
    calls++;
    entry = (entry + 1) % ENTRIES;
    const n = entry;
    expected = undefined;
    if (calls % 31 === 0) {
      expected = INVALID;
      free_ts(inside);
    } else if (calls % 37 === 0) {
      heap.recover();
    } else if (books[n] === 0) {
      allocate(n);
    } else if (calls % 5 === 0) {
      move(n);
    } else {
      free_ts(books[n] as Address);
      books[n] = 0;
    }
  }

  /** To the end of the stack; on the way back the calls. Gives the depth of the end. */
  function down(depth: number): number {
    let end = depth;
    try {
      end = down(depth + 1);
    } catch {
      end = depth;
    }
    if (end - depth < nearFrames) {
      try {
        act();
      } catch (error) {
        const { code } = error as { code?: string };
        if (code === undefined) overflows++;
        else if (code !== expected) strange[0] = error;
      }
    }
    return end;
  }

  // A function that has never run is compiled first, which takes more stack than there will be.
  for (let n = 0; n < WARM_UP_CALLS; n++) {
    try {
      act();
    } catch (error) {
      if ((error as { code?: string }).code !== expected) throw error;
    }
  }

  for (let round = 0; round < rounds && wrong.length === 0; round++) {
    Reflect.apply(down, null, [0, ...new Array<number>(round % SHIFT_WORDS).fill(0)]);
    if (strange[0] !== undefined) wrong.push(`round ${round}: ${strange[0]}`);
    if (round % LOOK_EVERY === LOOK_EVERY - 1) look(`round ${round}`);
  }
  for (const [n, address] of books.entries()) {
    if (address === 0) continue;
    if (u32[address >>> 2] !== n) wrong.push(`the contents of block ${address} were not kept`);
    if (wrong.length === 0) free_ts(address as Address);
    books[n] = 0;
  }
  look('at the end');
  free_ts(pinned);
  return { calls, overflows, wrong: wrong.slice(0, 10) };

  function look(when: string): void {
    wrong.push(...heldIn(heap).map((held) => `${when}: held: ${held}`));
    if (wrong.length > 0) return;
    const { problems } = heap.verify({ quiet: true });
    wrong.push(...problems.map(({ invariant, message }) => `${when}: ${invariant}: ${message}`));
    const live = new Set(heap.inspect.blocks().map(({ address }) => address as number));
    for (const address of [pinned, ...books]) {
      if (address !== 0 && !live.delete(address)) wrong.push(`${when}: ${address} is not live`);
    }
    for (const address of live) wrong.push(`${when}: ${address} is live, and in no books`);
  }
}
