/**
 * Proves the contract of realloc_ts: contents come along bit by bit, blocks stay where they can, and a call that
 * cannot be served leaves the block as it was.
 */

import test from 'ava';
import { SharedHeap } from 'shmalloc';
import {
  assertEmpty,
  assertIdentity,
  fillPattern,
  findDamage,
  GIB,
  HEAP,
  heapAbove,
  MIB,
  SMALL_HEAP,
} from './helpers.js';
import { testBadSizes, testWrongAddresses } from './refusals.js';

test('realloc_ts: of 0 is malloc; to 0 frees and gives 0', (t) => {
  using heap = SharedHeap.create(HEAP);
  const { realloc_ts } = heap;
  for (const size of [0, 1, 100, 65536, 65537, 300000]) {
    const p = realloc_ts(0, size);
    t.true(p > 0 && heap.usableSize(p) >= size, `${size} bytes`);
    t.is(realloc_ts(p, 0) as number, 0);
    t.throws(() => heap.usableSize(p), { code: 'ERR_SHMALLOC_INVALID_ADDRESS' });
  }
  t.is(heap.stats().allocations, 6);
  assertEmpty(t, heap);
});

test('realloc_ts: keeps the contents between all kinds of sizes', (t) => {
  using heap = SharedHeap.create(HEAP);
  const { malloc_ts, realloc_ts, free_ts } = heap;
  const sizes = [1, 16, 17, 100, 255, 256, 257, 4096, 65535, 65536, 65537, 131072, 400000];
  for (const from of sizes) {
    for (const to of sizes) {
      const p = malloc_ts(from);
      const neighbour = malloc_ts(from);
      fillPattern(heap, p, from, from);
      fillPattern(heap, neighbour, from, 3);
      const q = realloc_ts(p, to);
      t.true(heap.usableSize(q) >= to);
      t.is(findDamage(heap, q, Math.min(from, to) & ~3, from), -1, `${from} to ${to}`);
      t.is(findDamage(heap, neighbour, from, 3), -1, `${from} to ${to}: neighbour`);
      free_ts(q);
      free_ts(neighbour);
    }
  }
  assertEmpty(t, heap);
});

test('realloc_ts: a size of the same class keeps the block where it is', (t) => {
  using heap = SharedHeap.create(HEAP);
  const { malloc_ts, realloc_ts } = heap;
  const p = malloc_ts(1000);
  t.is(realloc_ts(p, 1024), p);
  t.is(realloc_ts(p, 897), p);
  t.not(realloc_ts(p, 896), p);
});

test('realloc_ts: a large block gives back its tail and grows into it in place', (t) => {
  using heap = SharedHeap.create(HEAP);
  const { malloc_ts, realloc_ts } = heap;
  const p = malloc_ts(800000);
  fillPattern(heap, p, 100000, 5);
  t.is(realloc_ts(p, 100000), p);
  t.is(heap.usableSize(p), 13 * 8192);
  t.is(realloc_ts(p, 500000), p);
  t.true(heap.usableSize(p) >= 500000);
  t.is(findDamage(heap, p, 100000, 5), -1);
  assertIdentity(t, heap);
});

test('realloc_ts: a large block in a full heap stays as it was', (t) => {
  using heap = SharedHeap.create(SMALL_HEAP);
  const { malloc_ts, realloc_ts } = heap;
  const p = malloc_ts(200000);
  fillPattern(heap, p, 200000, 7);
  while (malloc_ts(70000) !== 0);
  while (malloc_ts(16) !== 0);
  const { inUseBytes } = assertIdentity(t, heap);
  t.is(realloc_ts(p, 400000) as number, 0);
  t.is(realloc_ts(p, 2 ** 32 + 16) as number, 0);
  t.is(assertIdentity(t, heap).inUseBytes, inUseBytes);
  t.is(findDamage(heap, p, 200000, 7), -1);
  t.is(realloc_ts(p, 200001), p, 'the same number of pages');
});

testBadSizes('realloc_ts', ({ realloc_ts }, bad, p) => [
  () => realloc_ts(p, bad),
  () => realloc_ts(0, bad),
]);

testWrongAddresses('realloc_ts', 'realloc', (heap, p) => heap.realloc_ts(p, 100));
testWrongAddresses('realloc_ts to 0', 'realloc', (heap, p) => heap.realloc_ts(p, 0));
testWrongAddresses('realloc_ts to large', 'realloc', (heap, p) => heap.realloc_ts(p, 200000));

// ---- addresses above 2 GiB

for (const gib of [2, 3]) {
  const floor = gib * GIB + 8192 * 3;

  test(`realloc_ts: grows, shrinks and moves above ${gib} GiB`, (t) => {
    const { heap } = heapAbove(floor);
    using _ = heap;
    const sizes = [10, 300, 5000, 65536, 65537, 300_000, 2 * MIB, 200_000, 66_000, 5000, 300, 10];
    let p = heap.malloc_ts(5);
    let kept = 4;
    fillPattern(heap, p, kept, gib);
    for (const size of sizes) {
      heap.malloc_ts(size);
      p = heap.realloc_ts(p, size);
      t.true(p >= floor, `${size} bytes at ${p}`);
      t.is(findDamage(heap, p, Math.min(kept, size & ~3), gib), -1, `${size} bytes`);
      kept = size & ~3;
      fillPattern(heap, p, kept, gib);
    }
    assertIdentity(t, heap);
  });
}

// ---- bits, not numbers

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
