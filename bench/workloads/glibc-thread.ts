/**
 * glibc-thread: small sets of blocks of very different sizes (glibc's benchtests,
 * bench-malloc-thread.c).
 *
 * Each thread has 1024 slots, and replaces random ones by blocks of 4 to 32,768 bytes, of which it
 * writes every byte. Sizes follow an inverse square law: half of them are below 8 bytes, and half
 * of all bytes are in blocks of more than 360. Sizes and slots are drawn beforehand, 8000 and 4096
 * of them, and all threads use the same tables.
 *
 * What the number does not show: blocks freed by other threads. A part of the time is the writing,
 * for which C has memset. An operation is a free, a malloc and the writes.
 */

import { seedFrom, xorshift } from './random.js';
import {
  type Allocator,
  type Outcome,
  type Part,
  type Program,
  requirePayload,
  type Workload,
} from './workload.js';

const NAME = 'glibc-thread';
const BODY_ROUNDS = 2000;
const SLOTS = 1024;
const BYTES_MIN = 4;
const BYTES_MAX = 32_768;
const SIZES = 8000;
const OFFSETS = 4096;
const SEED = 88;
const DRAWN_MAX = 65_535;

/**
 * Words of a slot: the block's address, then its size in bytes and the mark that all of them have.
 */
const SLOT_WORDS = 2;
const MARK_BITS = 8;
/** Marks up to this never form a NaN in eight bytes, whose bits might change. */
const MARK_MASK = 127;

export const glibcThread: Workload = {
  name: NAME,
  threads: 'many',
  deterministic: true,
  /** Rounds of each thread. */
  parameters: (size) => (size === 'smoke' ? [30_000] : [6_000_000]),
  create,
};

function create({ malloc, free, calloc, u8, u32, f64 }: Allocator): Program {
  const random = xorshift(seedFrom(SEED, 0));
  const sizes = Uint16Array.from({ length: SIZES }, () => inverseSquare(random() >>> 16));
  const offsets = Uint16Array.from({ length: OFFSETS }, () => random() % SLOTS);
  /** Eight bytes of each mark. */
  const patterns = new Float64Array(
    Uint8Array.from({ length: (MARK_MASK + 1) * 8 }, (_, n) => n >>> 3).buffer,
  );

  /** Fills by eight bytes at a time, the fastest way; blocks end at multiples of 8. */
  function fill(block: number, bytes: number, mark: number): void {
    const end = (block + bytes + 7) >>> 3;
    const pattern = patterns[mark] as number;
    for (let n = block >>> 3; n < end; n++) f64[n] = pattern;
  }

  /** Frees the block in a slot, if any; returns its size in bytes plus its last byte. */
  function release(slot: number): number {
    const block = u32[slot] as number;
    if (block === 0) return 0;
    const described = u32[slot + 1] as number;
    const bytes = described >>> MARK_BITS;
    const last = u8[block + bytes - 1] as number;
    requirePayload(u8[block] as number, described & MARK_MASK, NAME);
    requirePayload(last, described & MARK_MASK, NAME);
    free(block);
    return bytes + last;
  }

  function replace(slots: number, from: number, to: number, shift: number): number {
    let sum = 0;
    for (let n = from; n < to; n++) {
      const slot = slots + (offsets[n % OFFSETS] as number) * SLOT_WORDS;
      const bytes = sizes[n % SIZES] as number;
      const mark = (n + shift) & MARK_MASK;
      sum += release(slot);
      const block = malloc(bytes);
      fill(block, bytes, mark);
      u32[slot] = block;
      u32[slot + 1] = (bytes << MARK_BITS) | mark;
    }
    return sum;
  }

  function work({ index, parameters: [rounds = 0] }: Part): Outcome {
    const array = calloc(SLOTS, SLOT_WORDS * 4);
    const slots = array >>> 2;
    let checksum = 0;
    for (let n = 0; n < rounds; n += BODY_ROUNDS) {
      const sum = replace(slots, n, Math.min(n + BODY_ROUNDS, rounds), index);
      checksum = (checksum + sum) | 0;
    }
    for (let n = 0; n < SLOTS; n++) checksum += release(slots + n * SLOT_WORDS);
    free(array);
    return { operations: rounds, checksum };
  }

  return { work };
}

/**
 * 1 / (1/min - (1/min - 1/max) r) for r = drawn / 65,535, as one division of whole numbers, so that
 * C has the same result.
 */
function inverseSquare(drawn: number): number {
  return Math.floor(
    (BYTES_MIN * BYTES_MAX * DRAWN_MAX) / (BYTES_MAX * DRAWN_MAX - (BYTES_MAX - BYTES_MIN) * drawn),
  );
}
