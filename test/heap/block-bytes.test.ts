/**
 * Proves that blocks are copied and cleared in whole granules, at all lengths, and nothing beside them.
 */

import test from 'ava';
import type { Address, SharedHeap } from 'shmalloc';
import { clearBytes, copyBytes } from '../../src/heap/block-bytes.js';
import { computeGeometry, viewMemory } from '../../src/layout/index.js';
import { findNonZero } from '../helpers.js';

function memoryOf(bytes: number) {
  const buffer = new SharedArrayBuffer(bytes);
  return viewMemory(buffer, computeGeometry({ base: 0, bytes, threads: 1 }));
}

test('copyBytes: whole granules to the target, nothing beside it', (t) => {
  const memory = memoryOf(2 * 2 ** 20);
  const from = 1_000_000 as Address;
  const to = 1_400_000 as Address;
  for (const bytes of [1, 15, 16, 17, 255, 256, 257, 258, 300, 4096, 65537, 200_000]) {
    const granules = Math.ceil(bytes / 16) * 16;
    memory.u8.fill(0xaa, to - 64, to + granules + 64);
    for (let at = 0; at < granules; at++) memory.u8[from + at] = (at * 7 + (at >> 8)) & 0x7f;
    copyBytes(memory, to, from, bytes);
    const wrong: number[] = [];
    for (let at = 0; at < bytes; at++) {
      if (memory.u8[to + at] !== ((at * 7 + (at >> 8)) & 0x7f)) wrong.push(at);
    }
    t.deepEqual(wrong.slice(0, 3), [], `${bytes} bytes`);
    t.true(memory.u8.subarray(to - 64, to).every((byte) => byte === 0xaa));
    t.true(memory.u8.subarray(to + granules, to + granules + 64).every((byte) => byte === 0xaa));
  }
});

test('clearBytes: whole granules, nothing beside them, at all lengths', (t) => {
  const memory = memoryOf(2 * 2 ** 20);
  const at = 1_000_000 as Address;
  for (const bytes of [1, 8, 16, 17, 31, 33, 100, 4096, 65535, 65536, 65537, 300_000]) {
    const granules = Math.ceil(bytes / 16) * 16;
    memory.u8.fill(0xaa, at - 64, at + granules + 64);
    clearBytes(memory, at, bytes);
    t.is(findNonZero({ u8: memory.u8 } as SharedHeap, at, bytes), -1, `${bytes} bytes`);
    t.true(memory.u8.subarray(at - 64, at).every((byte) => byte === 0xaa));
    t.true(memory.u8.subarray(at + granules, at + granules + 64).every((byte) => byte === 0xaa));
  }
});
