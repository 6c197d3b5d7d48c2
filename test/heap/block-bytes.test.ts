/**
 * Proves that realloc copies bits, not numbers: signalling and quiet NaNs of both signs with all
 * kinds of payloads, as 32-bit and as 64-bit patterns, come along unchanged at all lengths around
 * the change of copying method and up to large blocks. Often enough for the compiled code, too.
 */

import test from 'ava';
import { type Address, SharedHeap } from 'shmalloc';
import { clearBytes, copyBytes } from '../../src/heap/block-bytes.js';
import { computeGeometry, viewMemory } from '../../src/layout/index.js';
import { findNonZero } from '../helpers.js';

/** Words that name a NaN to somebody: in a Float32Array, or as half of one in a Float64Array. */
const PATTERNS: Record<string, readonly number[]> = {
  // 32-bit words.
  'signalling, 32 bits, least payload': [0x7f800001],
  'signalling, 32 bits, full payload': [0x7fbfffff],
  'signalling, 32 bits, negative': [0xff800001, 0xffbfffff],
  'quiet, 32 bits, payload': [0x7fc00001, 0x7fffffff],
  'quiet, 32 bits, negative': [0xffc00000, 0xffc12345, 0xffffffff],
  // 64-bit words, low half first.
  'signalling, 64 bits, least payload': [0x00000001, 0x7ff00000],
  'signalling, 64 bits, high payload': [0x00000000, 0x7ff40000],
  'signalling, 64 bits, full payload': [0xffffffff, 0x7ff7ffff],
  'signalling, 64 bits, negative': [0x00000001, 0xfff00000, 0xdeadbeef, 0xfff7abcd],
  'quiet, 64 bits, payload': [0x00000001, 0x7ff80000, 0xffffffff, 0x7fffffff],
  'quiet, 64 bits, negative': [0x89abcdef, 0xfff81234, 0xffffffff, 0xffffffff],
  'infinities, denormals, minus zero': [0, 0xfff00000, 1, 0, 0, 0x80000000, 0, 0x7ff00000],
};

/** Fills with the pattern over and over, the last bytes with the start of it. */
function fillWords(heap: SharedHeap, p: number, bytes: number, pattern: readonly number[]): void {
  const source = new Uint8Array(Uint32Array.from(pattern).buffer);
  for (let at = 0; at < bytes; at++) heap.u8[p + at] = source[at % source.length];
}

/** The first byte that differs from the pattern; -1 when none does. */
function findChange(heap: SharedHeap, p: number, bytes: number, pattern: readonly number[]) {
  const source = new Uint8Array(Uint32Array.from(pattern).buffer);
  for (let at = 0; at < bytes; at++) if (heap.u8[p + at] !== source[at % source.length]) return at;
  return -1;
}

const LENGTHS_SHORT = Array.from({ length: 340 }, (_, n) => n + 1);
const LENGTHS_LONG = [511, 512, 1000, 4096, 5001, 8192, 33000, 65520, 65535, 65536];
const LENGTHS_LARGE = [65537, 81920, 131071, 131072, 250_001];

for (const [what, pattern] of Object.entries(PATTERNS)) {
  test(`realloc_ts: keeps every bit (${what}), growing and shrinking`, (t) => {
    using heap = SharedHeap.create({ size: '16MiB', threads: 1 });
    const changed: string[] = [];
    const moves: number[] = [];
    const move = (from: number, to: number) => {
      const p = heap.malloc_ts(from);
      fillWords(heap, p, from, pattern);
      const q = heap.realloc_ts(p, to);
      if (q !== p) moves.push(from);
      const at = findChange(heap, q, Math.min(from, to), pattern);
      if (at >= 0) changed.push(`${from} to ${to}: byte ${at}`);
      heap.free_ts(q);
    };
    for (const length of LENGTHS_SHORT) {
      move(length, length * 2 + 16);
      move(length * 2 + 16, length);
    }
    for (const length of LENGTHS_LONG) {
      move(length, length * 2);
      move(length * 2, length);
      move(200_000, length);
    }
    for (const length of LENGTHS_LARGE) {
      move(length, 3 * length);
      move(3 * length, length);
      move(length, 1000);
    }
    t.deepEqual(changed.slice(0, 5), []);
    t.true(moves.length > 600, `${moves.length} blocks moved`);
  });
}

test('realloc_ts: keeps every bit after 20,000 moves, when its code is compiled', (t) => {
  using heap = SharedHeap.create({ size: '4MiB', threads: 1 });
  const patterns = Object.values(PATTERNS);
  const changed: string[] = [];
  for (let n = 0; n < 20_000; n++) {
    const pattern = patterns[n % patterns.length];
    const bytes = 8 + (n % 32) * 8;
    const p = heap.malloc_ts(bytes);
    fillWords(heap, p, bytes, pattern);
    const q = heap.realloc_ts(p, bytes * 2 + 16);
    if (findChange(heap, q, bytes, pattern) >= 0) changed.push(`move ${n}, ${bytes} bytes`);
    heap.free_ts(q);
  }
  t.deepEqual(changed.slice(0, 5), []);
});

test('realloc: the plain call keeps every bit too', (t) => {
  using heap = SharedHeap.create({ size: '4MiB', threads: 1 });
  for (const pattern of Object.values(PATTERNS)) {
    for (const bytes of [16, 200, 256, 257, 4096, 65536, 70_000]) {
      const p = heap.malloc(bytes);
      fillWords(heap, p, bytes, pattern);
      const q = heap.realloc(p, bytes * 2);
      t.is(findChange(heap, q, bytes, pattern), -1, `${bytes} bytes`);
      heap.free(q);
    }
  }
});

// ---- the functions themselves

function memoryOf(bytes: number) {
  const buffer = new SharedArrayBuffer(bytes);
  return viewMemory(buffer, computeGeometry(0, bytes, 1));
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
