/**
 * malloc-large: large buffers that are allocated and freed (Stolyarov, mimalloc issue 447).
 *
 * A random one of 20 slots gets a new zeroed buffer of 5 to 25 MiB, then its old one is freed:
 * about 300 MB are live. Each buffer has a random number in its first and last word and zeroes in
 * the middle, verified when it is freed.
 *
 * What the number does not show: calls. There are few, and nearly all the time is writing zeroes,
 * and for native allocators the page faults of memory that they gave back to the system and take
 * again; ours keeps its memory. In place of the original's Mersenne twister the generator of
 * random.ts is used here and in the C twin. An operation is a malloc, the zeroing and a free.
 */

import { xorshift } from './random.js';
import {
  type Allocator,
  type Outcome,
  type Part,
  type Program,
  type Run,
  requirePayload,
  type Workload,
} from './workload.js';

const SEED = 42;

export const mallocLarge: Workload = {
  name: 'malloc-large',
  threads: 'one',
  deterministic: true,
  /** Buffers, slots, minimum and maximum bytes. */
  parameters: (size) =>
    size === 'smoke' ? [16, 20, 5 << 16, 25 << 16] : [200, 20, 5 << 20, 25 << 20],
  create,
};

function create({ malloc, free, calloc, u32 }: Allocator): Program {
  let random = xorshift(SEED);

  /** A number below `count`, of up to 31 bits. */
  function pick(count: number): number {
    return (random() >>> 1) % count;
  }

  /** A slot is two words: the buffer's address, and its number of words. */
  function verifyAndFree(slot: number): number {
    const buffer = u32[slot] as number;
    if (buffer === 0) return 0;
    const first = buffer >>> 2;
    const words = u32[slot + 1] as number;
    const mark = u32[first] as number;
    requirePayload(u32[first + words - 1] as number, mark, 'malloc-large: last word');
    requirePayload(u32[first + (words >>> 1)] as number, 0, 'malloc-large: middle');
    free(buffer);
    return mark;
  }

  function replace(slot: number, bytes: number): number {
    const buffer = malloc(bytes);
    const first = buffer >>> 2;
    const words = bytes >>> 2;
    u32.fill(0, first, first + words);
    u32[first] = u32[first + words - 1] = random();
    const mark = verifyAndFree(slot);
    u32[slot] = buffer;
    u32[slot + 1] = words;
    return mark;
  }

  function setup({ parameters: [, slots = 0] }: Run): number {
    return calloc(slots, 8);
  }

  function work({ parameters, root }: Part): Outcome {
    const [buffers = 0, slots = 0, bytesMin = 0, bytesMax = 0] = parameters;
    let checksum = 0;
    random = xorshift(SEED);
    for (let n = 0; n < buffers; n++) {
      const slot = (root >>> 2) + 2 * pick(slots);
      checksum = (checksum + replace(slot, bytesMin + pick(bytesMax - bytesMin))) | 0;
    }
    return { operations: buffers, checksum };
  }

  function finish({ parameters: [, slots = 0] }: Run, root: number): number {
    let checksum = 0;
    for (let n = 0; n < slots; n++) checksum += verifyAndFree((root >>> 2) + 2 * n);
    free(root);
    return checksum;
  }

  return { setup, work, finish };
}
