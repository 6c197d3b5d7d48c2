/**
 * sh8bench: sh6bench with the sizes of real programs, and with blocks that come from another thread
 * (MicroQuill, for SmartHeap, about 2000; newly written after the description in mimalloc's tests).
 *
 * Each thread allocates blocks of 8 bytes to 165 KiB, by a histogram: mostly 16 bytes, one in 7,321
 * is of the largest size. The first and last byte are written; saved-ring.ts says where the blocks
 * go, and when they are freed. At the same time one thread allocates foreign blocks of 8 bytes for
 * all. Each of them contains its slot and inbox; the owner of the inbox checks that and frees it.
 *
 * In the original the main thread makes the foreign blocks and does nothing else. Here thread 0
 * makes them between its own blocks, as many per round as are missing and have room, so that N
 * threads use N processors fully; on one thread the foreign blocks are its own. They number a
 * quarter of all other blocks. Sizes come in a random order, the same in each pass through the
 * histogram. As in the original, threads share a fixed amount of work.
 *
 * What the number does not show: foreign blocks of other sizes than 8 bytes, or with more than one
 * thread to make them. An operation is a malloc and, later, its free.
 */

import { seedFrom, xorshift } from './random.js';
import { createSavedRing } from './saved-ring.js';
import { announce, waitFor } from './sync.js';
import {
  type Allocator,
  type Outcome,
  type Part,
  type Program,
  type Run,
  requirePayload,
  type Workload,
} from './workload.js';

/** Sizes in bytes, and the number of blocks of each in a pass. */
const HISTOGRAM: readonly (readonly [bytes: number, weight: number])[] = [
  [8, 1000],
  [16, 5000],
  [48, 1000],
  [72, 100],
  [148, 100],
  [200, 100],
  [520, 10],
  [1056, 5],
  [4096, 3],
  [9162, 1],
  [34_562, 1],
  [168_524, 1],
];

const SEED = 8;
const FOREIGN_BYTES = 8;
const BODY_ROUNDS = 2000;

/** Number of slots of an inbox. */
const SLOTS = 4096;
/**
 * Words of an inbox: the number of blocks put in and the number taken out, each on its own cache
 * line, then its slots.
 */
const MADE = 0;
const TAKEN = 16;
const FIRST = 32;
const INBOX_WORDS = FIRST + SLOTS;

export const sh8bench: Workload = {
  name: 'sh8bench',
  threads: 'many',
  deterministic: true,
  parameters(size, threads) {
    const [slots, blocks] = size === 'smoke' ? [20_000, 160_000] : [1_000_000, 8_000_000];
    return [
      Math.ceil(slots / threads),
      Math.ceil(blocks / threads),
      Math.ceil(blocks / 4 / threads),
    ];
  },
  create,
};

function create(allocator: Allocator): Program {
  const { malloc, free, calloc, u8, i32 } = allocator;
  const { open, put, close } = createSavedRing(allocator);
  const sizes = shuffledSizes();
  const sizeCount = sizes.length;
  /** This thread's position in the sizes. */
  let next = 0;

  function allocate(from: number, to: number): void {
    let place = next;
    for (let n = from; n < to; n++) {
      const bytes = sizes[place] as number;
      place = place + 1 === sizeCount ? 0 : place + 1;
      const block = malloc(bytes);
      u8[block] = n;
      u8[block + bytes - 1] = n;
      put(block);
    }
    next = place;
  }

  /**
   * Puts blocks in an inbox, up to a total of `owed`, as far as there is room; returns true if any.
   */
  function give(inbox: number, owed: number): boolean {
    const made = i32[inbox + MADE] as number;
    const full = Atomics.load(i32, inbox + TAKEN) + SLOTS;
    const end = Math.min(owed, full, made + BODY_ROUNDS);
    for (let n = made; n < end; n++) {
      const block = malloc(FOREIGN_BYTES);
      const slot = inbox + FIRST + (n & (SLOTS - 1));
      i32[block >>> 2] = slot << 2;
      i32[(block >>> 2) + 1] = n;
      i32[slot] = block;
    }
    if (end > made) announce(i32, inbox + MADE, end);
    return end > made;
  }

  function giveAll(inboxes: readonly number[], owed: number): void {
    for (const inbox of inboxes) give(inbox, owed);
  }

  /** Checks and frees the blocks of an inbox; returns the sum of their contents. */
  function take(inbox: number): number {
    const taken = i32[inbox + TAKEN] as number;
    const end = Math.min(Atomics.load(i32, inbox + MADE), taken + BODY_ROUNDS);
    let sum = 0;
    for (let n = taken; n < end; n++) {
      const slot = inbox + FIRST + (n & (SLOTS - 1));
      const block = i32[slot] as number;
      const word = block >>> 2;
      if (i32[word] !== slot << 2) requirePayload(i32[word] as number, slot << 2, 'sh8bench');
      sum = (sum + (i32[word + 1] as number)) | 0;
      free(block);
    }
    if (end > taken) announce(i32, inbox + TAKEN, end);
    return sum;
  }

  function setup({ threads }: Run): number {
    return calloc(threads * INBOX_WORDS, 4);
  }

  function work({ index, threads, parameters, root }: Part): Outcome {
    const [slots = 0, blocks = 0, foreign = 0] = parameters;
    const own = (root >>> 2) + index * INBOX_WORDS;
    const inboxes = Array.from({ length: threads }, (_, n) => (root >>> 2) + n * INBOX_WORDS);
    let checksum = 0;

    open(slots);
    next = seedFrom(SEED, index) % sizeCount;
    for (let n = 0; n < blocks; n += BODY_ROUNDS) {
      const end = Math.min(n + BODY_ROUNDS, blocks);
      allocate(n, end);
      if (index === 0) giveAll(inboxes, Math.floor(foreign * (end / blocks)));
      checksum += take(own);
    }
    // If an inbox had no room, some blocks are still missing.
    if (index === 0) {
      for (const inbox of inboxes) {
        while ((i32[inbox + MADE] as number) < foreign) {
          if (give(inbox, foreign)) continue;
          if (inbox === own) checksum += take(own);
          else waitFor(i32, inbox + TAKEN, (i32[inbox + MADE] as number) - SLOTS + 1);
        }
      }
    }
    while ((i32[own + TAKEN] as number) < foreign) {
      waitFor(i32, own + MADE, (i32[own + TAKEN] as number) + 1);
      checksum += take(own);
    }
    return { operations: blocks + foreign, checksum: (checksum + close()) >>> 0 };
  }

  function finish(_: Run, root: number): number {
    free(root);
    return 0;
  }

  return { setup, work, finish };
}

/** A pass through the histogram, in random order. */
function shuffledSizes(): Uint32Array {
  const sizes = Uint32Array.from(
    HISTOGRAM.flatMap(([bytes, weight]) => Array<number>(weight).fill(bytes)),
  );
  const random = xorshift(SEED);
  for (let n = sizes.length - 1; n > 0; n--) {
    const other = (random() >>> 1) % (n + 1);
    const moved = sizes[other] as number;
    sizes[other] = sizes[n] as number;
    sizes[n] = moved;
  }
  return sizes;
}
