/**
 * rptest: threads that send each other batches of blocks to free (Jansson, rpmalloc-benchmark).
 *
 * Each thread has slots, steps through them by one prime to free blocks and by another to replace
 * them, and after a number of loops sends a batch of as many blocks to the next thread, which frees
 * them. Sizes are from 8 to 16,000 bytes, small ones more often; of those under a page two in three
 * are allocated with an alignment of 16, where the original has 8 or 16. After half of the loops
 * and at the end all threads wait for each other and free all their blocks. Blocks contain their
 * size, and a byte is written in each page of them and at their end. A single thread sends nothing.
 *
 * Unlike in the original, the tables of random numbers are made by the same laws, not copied; a
 * thread sends to the end, not until another is through, so that the work is the same each time;
 * and waiting counts. What the number does not show: use of the blocks, of which a few bytes each
 * are touched. An operation is a malloc or a free; the checksum adds up the sizes found in the
 * blocks when they are freed.
 */

import { seedFrom, xorshift } from './random.js';
import type { Allocator, Outcome, Part, Program, Run, Workload } from './workload.js';

const ITERATIONS = 2;
const PAGE_BYTES_SHIFT = 12;
const PAGE_BYTES = 1 << PAGE_BYTES_SHIFT;
const ALIGNMENT = 16;
/** Steps through the slots, coprime to their number. */
const FREE_STEP = 11;
const REPLACE_STEP = 7;
const WAIT_MS = 1;

const SIZES = 2000;
const REPLACES = 311;
const FREES = 257;
/** Random sizes are drawn as fractions of this. */
const WEIGHT_ONE = 100_000;

/** Words at the root: a barrier, then an inbox for each thread, each on its own cache line. */
const BARRIER = 0;
const LINE_WORDS = 16;
/** Words of a batch: the next one in the inbox, the address of the list of blocks, their number. */
const NEXT = 0;
const BLOCKS = 1;
const COUNT = 2;
const BATCH_BYTES = 16;

export const rptest: Workload = {
  name: 'rptest',
  threads: 'many',
  deterministic: true,
  /**
   * Loops in each half, slots, operations in a loop, minimum and maximum bytes, loops per batch.
   */
  parameters: (size) =>
    size === 'smoke' ? [150, 300, 100, 8, 16_000, 2] : [12_000, 1000, 100, 8, 16_000, 2],
  create,
};

function create({ malloc, free, calloc, alignedAlloc, u8, u32, i32 }: Allocator): Program {
  const sizes = new Int32Array(SIZES);
  const replaces = new Int32Array(REPLACES);
  const frees = new Int32Array(FREES);

  /** This thread's slots, and its positions in them and in the sizes. */
  let slots = 0;
  let slotCount = 0;
  let freeAt = 0;
  let replaceAt = 0;
  let sizeAt = 0;
  let operations = 0;
  let checksum = 0;

  /** Sizes fall off linearly; the number replaced or freed in a loop is even from 30 to 99 %. */
  function fillTables(count: number, bytesMin: number, bytesMax: number): void {
    const random = xorshift(seedFrom(SIZES, REPLACES));
    const weights = Int32Array.from({ length: SIZES }, () => (random() >>> 8) % WEIGHT_ONE);
    const weight = (n: number) => weights[n % SIZES] as number;
    for (let n = 0; n < SIZES; n++) {
      const even = Math.trunc(((bytesMax - bytesMin) * weight(n + 2)) / WEIGHT_ONE);
      const scale = Math.abs(WEIGHT_ONE - weight(n) - weight(n + 1));
      sizes[n] = bytesMin + Math.trunc((even * scale) / WEIGHT_ONE);
    }
    const percent = () => 30 + ((random() >>> 8) % 70);
    for (let n = 0; n < REPLACES; n++) replaces[n] = Math.trunc((count * percent()) / 100);
    for (let n = 0; n < FREES; n++) frees[n] = Math.trunc((8 * count * percent()) / 1000);
  }

  function make(turn: number): number {
    const bytes = sizes[sizeAt] as number;
    const aligned = bytes < PAGE_BYTES && (sizeAt + turn) % 3 !== 0;
    const block = aligned ? alignedAlloc(ALIGNMENT, bytes) : malloc(bytes);
    u32[block >>> 2] = bytes;
    const pages = (bytes - 1) >>> PAGE_BYTES_SHIFT;
    for (let page = 1; page < pages; page++) u8[block + (page << PAGE_BYTES_SHIFT)] = 1;
    u8[block + bytes - 1] = 1;
    sizeAt = sizeAt + 1 === SIZES ? 0 : sizeAt + 1;
    operations++;
    return block;
  }

  function end(block: number): void {
    checksum = (checksum + (u32[block >>> 2] as number)) | 0;
    free(block);
    operations++;
  }

  function freeSome(count: number): void {
    for (let n = 0; n < count; n++) {
      const block = u32[slots + freeAt] as number;
      if (block !== 0) {
        end(block);
        u32[slots + freeAt] = 0;
      }
      freeAt = (freeAt + FREE_STEP) % slotCount;
    }
  }

  function replaceSome(count: number): void {
    for (let n = 0; n < count; n++) {
      const block = u32[slots + replaceAt] as number;
      if (block !== 0) end(block);
      u32[slots + replaceAt] = make(n);
      replaceAt = (replaceAt + REPLACE_STEP) % slotCount;
    }
  }

  function makeBatch(count: number): number {
    const batch = alignedAlloc(ALIGNMENT, BATCH_BYTES);
    const blocks = alignedAlloc(ALIGNMENT, count * 4);
    u32[(batch >>> 2) + BLOCKS] = blocks;
    u32[(batch >>> 2) + COUNT] = count;
    for (let n = 0; n < count; n++) u32[(blocks >>> 2) + n] = make(n);
    operations += 2;
    return batch;
  }

  function freeBatch(batch: number): void {
    const blocks = u32[(batch >>> 2) + BLOCKS] as number;
    const count = u32[(batch >>> 2) + COUNT] as number;
    for (let n = 0; n < count; n++) end(u32[(blocks >>> 2) + n] as number);
    free(blocks);
    free(batch);
    operations += 2;
  }

  function send(inbox: number, batch: number): void {
    // A head that was removed and came back is the head again: nothing behind it was read.
    for (;;) {
      const head = Atomics.load(i32, inbox);
      i32[(batch >>> 2) + NEXT] = head;
      if (Atomics.compareExchange(i32, inbox, head, batch) === head) return;
    }
  }

  /** Takes all batches of an inbox at once. */
  function receive(inbox: number): number {
    return Atomics.load(i32, inbox) === 0 ? 0 : Atomics.exchange(i32, inbox, 0);
  }

  function freeBatches(first: number): void {
    for (let batch = first; batch !== 0; ) {
      const next = i32[(batch >>> 2) + NEXT] as number;
      freeBatch(batch);
      batch = next;
    }
  }

  /** Frees blocks of the inbox until all threads have arrived `turn` times. */
  function waitFreeing(barrier: number, inbox: number, all: number): void {
    if (Atomics.add(i32, barrier, 1) + 1 === all) Atomics.notify(i32, barrier);
    for (;;) {
      const seen = Atomics.load(i32, barrier);
      freeBatches(receive(inbox));
      if (seen >= all) return;
      Atomics.wait(i32, barrier, seen, WAIT_MS);
    }
  }

  function setup({ threads }: Run): number {
    return calloc((1 + threads) * LINE_WORDS, 4);
  }

  function work({ index, threads, parameters, root }: Part): Outcome {
    const [loops = 0, slotsWanted = 0, count = 0, bytesMin = 0, bytesMax = 0, perBatch = 0] =
      parameters;
    const inboxOf = (thread: number) => (root >>> 2) + (1 + thread) * LINE_WORDS;
    const own = calloc(slotsWanted, 4);
    fillTables(count, bytesMin, bytesMax);
    slots = own >>> 2;
    slotCount = slotsWanted;
    freeAt = replaceAt = operations = checksum = 0;
    let to = 0;
    for (let iteration = 0; iteration < ITERATIONS; iteration++) {
      sizeAt = ((index + 1) * (iteration + 1) * 37) % SIZES;
      for (let loop = 0; loop < loops; loop++) {
        const received = receive(inboxOf(index));
        const replaced = replaces[(iteration + loop) % REPLACES] as number;
        freeSome(frees[(iteration + loop) % FREES] as number);
        freeBatches(received);
        replaceSome(replaced);
        if (threads === 1 || loop % perBatch !== 0) continue;
        const batch = makeBatch(replaced);
        to = (to + 1) % threads;
        if (to === index) to = (to + 1) % threads;
        send(inboxOf(to), batch);
      }
      waitFreeing((root >>> 2) + BARRIER, inboxOf(index), threads * (iteration + 1));
      freeSome(slotCount);
    }
    free(own);
    return { operations, checksum };
  }

  function finish(_: Run, root: number): number {
    free(root);
    return 0;
  }

  return { setup, work, finish };
}
