/**
 * Proves, case by case of the usual list of misuses and attacks, that wrong frees and wrong sizes
 * are detected every time, with a code and a reason, and that the heap goes on as if nothing was.
 * What no allocator of this kind can detect has a title that says what happens instead.
 */

import type { Address } from 'shmalloc';
import { geometryOf } from '../helpers.js';
import { assertSound, type Case, KIB, testCases } from './misuse.js';

const GIB = 2 ** 30;

const CASES: Record<string, Case> = {
  // ---- frees
  'double_free is refused': ({ malloc, free, size, refuses }) => {
    const p = malloc(size);
    free(p);
    refuses(p, 'freed');
  },
  'double_free_delayed, 1024 pairs of calls between, is refused': ({
    malloc,
    free,
    size,
    refuses,
  }) => {
    const p = malloc(size);
    free(p);
    for (let n = 0; n < 1024; n++) free(malloc(n % 2 === 0 ? size : 100));
    refuses(p, 'freed');
  },
  'double_free_interleaved (p, q, p) is refused': ({ malloc, free, size, refuses }) => {
    const [p, q] = [malloc(size), malloc(size)];
    free(p);
    free(q);
    refuses(p, 'freed');
    refuses(q, 'freed');
  },
  'double_free of a block that realloc has moved is refused': ({
    malloc,
    realloc,
    size,
    refuses,
  }) => {
    const p = malloc(size);
    // In the way of growing in place.
    const behind = malloc(size);
    const q = realloc(p, size + 200 * KIB);
    if (q !== p) refuses(p, 'freed');
    refuses(behind + 1, 'misaligned');
    refuses(q + 16, 'interior');
  },
  'double_free of a block that realloc to 0 has freed is refused': ({
    malloc,
    realloc,
    size,
    refuses,
  }) => {
    const p = malloc(size);
    realloc(p, 0);
    refuses(p, 'freed');
  },
  'double_free_single_reuse frees the new block; the free of its owner is refused': ({
    t,
    heap,
    malloc,
    free,
    size,
    refuses,
  }) => {
    const p = malloc(size);
    free(p);
    t.is(malloc(size), p, 'handed out again');
    free(p);
    assertSound(t, heap);
    refuses(p, 'freed');
  },
  'double_free_reuse, many allocations between, frees the new block; its own free is refused': ({
    t,
    heap,
    malloc,
    free,
    size,
    refuses,
  }) => {
    const others = Array.from({ length: 20 }, () => malloc(size));
    const p = others.pop() as Address;
    free(p);
    for (const address of others.splice(5)) free(address);
    const again: Address[] = [];
    for (let n = 0; n < 100 && again.at(-1) !== p; n++) again.push(malloc(size));
    t.is(again.at(-1), p, 'handed out again');
    free(p);
    assertSound(t, heap);
    refuses(p, 'freed');
    for (const address of [...others, ...again.slice(0, -1)]) free(address);
    t.is(heap.stats().inUseBytes, 0, 'no other block was touched');
  },
  'invalid_free of small integers is refused': ({ malloc, size, refuses }) => {
    malloc(size);
    for (const address of [1, 8, 15, 16, 64, 4096, 65_536]) refuses(address, 'metadata');
  },
  "invalid_free of the heap's own structures is refused": ({ heap, malloc, size, refuses }) => {
    malloc(size);
    const { header, locks, slots, pageTable, firstPage, tagsStart, dataStart } = geometryOf(heap);
    const records = (pageTable + firstPage * 24) * 4;
    for (const address of [header * 4, locks * 4, slots * 4, records, tagsStart, dataStart - 16]) {
      refuses(address, 'metadata');
    }
  },
  'invalid_free of pages that were never allocated is refused': ({
    heap,
    malloc,
    size,
    refuses,
  }) => {
    malloc(size);
    const { dataStart } = geometryOf(heap);
    const { brkBytes, untouchedBytes } = heap.stats();
    refuses(dataStart + brkBytes, 'untouched');
    refuses(dataStart + brkBytes + untouchedBytes - 8192, 'untouched');
  },
  'invalid_free past the end, and of what is no address, is refused': ({
    heap,
    malloc,
    size,
    refuses,
  }) => {
    const p = malloc(size);
    const { end } = geometryOf(heap);
    for (const address of [end, end + 16, 2 ** 32 - 16, 2 ** 32, 2 ** 32 + p, 2 ** 53, Infinity]) {
      refuses(address, 'out-of-range');
    }
    for (const address of [-1, -16, -p, p - 2 ** 32, -Infinity]) refuses(address, 'negative');
    for (const address of [0.5, p + 0.5, p + 2 ** -20]) refuses(address, 'fractional');
    refuses(NaN, 'nan');
    for (const address of [String(p), undefined, null, {}, true, BigInt(p)]) {
      refuses(address, 'not-a-number');
    }
  },
  'invalid_free of block + 4 KiB (close) and + 1 GiB (far) is refused': ({
    malloc,
    size,
    refuses,
  }) => {
    const p = malloc(size);
    refuses(p + 4 * KIB, size > 4 * KIB ? 'interior' : 'freed');
    refuses(p + GIB, 'out-of-range');
  },
  'invalid_free of block + 1 (unaligned) and + 8 (unaligned multiple) is refused': ({
    malloc,
    size,
    refuses,
  }) => {
    const p = malloc(size);
    refuses(p + 1, 'misaligned');
    refuses(p + 8, 'misaligned');
  },
  'invalid_free inside a block is refused': ({ heap, malloc, size, refuses }) => {
    const p = malloc(size);
    for (let at = 16; at < heap.usableSize(p); at *= 2) refuses(p + at, 'interior');
  },

  // ---- sizes
  'impossibly_large_malloc: sizes below 0 are refused, sizes past the heap give 0': ({
    t,
    heap,
    malloc,
    calloc,
    realloc,
    alignedAlloc,
    size,
  }) => {
    const p = malloc(size);
    const { inUseBytes } = heap.stats();
    for (const bad of [-2, -1, -size, -(2 ** 31), -(2 ** 32)]) {
      const refusal = { instanceOf: RangeError, code: 'ERR_SHMALLOC_INVALID_SIZE' };
      t.throws(() => malloc(bad), refusal);
      t.throws(() => calloc(1, bad), refusal);
      t.throws(() => calloc(bad, bad), refusal);
      t.throws(() => realloc(p, bad), refusal);
      t.throws(() => alignedAlloc(16, bad), refusal);
    }
    for (const large of [2 ** 24, 2 ** 31, 2 ** 32 - 2, 2 ** 32 + size, 2 ** 53 - 2, 2 ** 64 - 2]) {
      t.is(malloc(large), 0 as Address);
      t.is(calloc(1, large), 0 as Address);
      t.is(calloc(large, large), 0 as Address);
      t.is(realloc(p, large), 0 as Address);
      t.is(alignedAlloc(16, large), 0 as Address);
    }
    assertSound(t, heap);
    t.is(heap.stats().inUseBytes, inUseBytes);
  },
  'read_zero_size, write_zero_size: a block of 0 bytes has 16 that can be used': ({
    t,
    heap,
    malloc,
    free,
    calloc,
    size,
  }) => {
    const [p, q, r] = [malloc(0), calloc(0, size), calloc(size, 0)];
    t.is(new Set([p, q, r]).size, 3);
    for (const block of [p, q, r]) {
      t.is(heap.usableSize(block), 16);
      heap.u8.fill(0xff, block, block + 16);
    }
    assertSound(t, heap);
    for (const block of [p, q, r]) {
      free(block);
      heap.u8.fill(0xee, block, block + 16);
    }
    assertSound(t, heap);
    t.is(heap.stats().inUseBytes, 0);
  },
};

testCases(CASES);
