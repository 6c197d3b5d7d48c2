/**
 * Proves that what a program does wrong in its own data stays there: writes outside of a block or
 * after its free hit other data, or nothing, and never the heap. None of it is detected; the titles
 * say what happens.
 */

import type { Address } from 'shmalloc';
import { findNonZero, geometryOf } from '../helpers.js';
import { assertSound, type Case, KIB, testCases } from './misuse.js';

const CASES: Record<string, Case> = {
  'malloc_reuse, _reuse_downsize, realloc_reuse: a freed address is handed out again at once': ({
    t,
    malloc,
    realloc,
    free,
    size,
  }) => {
    const p = malloc(size);
    free(p);
    t.is(malloc(size), p, 'to malloc');
    free(p);
    t.is(malloc(size - 1), p, 'to a malloc of a little less');
    free(p);
    t.is(realloc(0 as Address, size), p, 'to realloc');
  },
  'write_after_free, write_after_free_reuse: hit whatever is there, and never the heap': ({
    t,
    heap,
    malloc,
    calloc,
    free,
    size,
  }) => {
    const p = malloc(size);
    free(p);
    heap.u8.fill(0xff, p, p + size);
    assertSound(t, heap);
    t.is(calloc(1, size), p);
    t.is(findNonZero(heap, p, size), -1);
    heap.u8.fill(0xff, p, p + size);
    assertSound(t, heap);
    t.is(heap.u8[p], 0xff, 'the new block has it');
    free(p);
    const blocks = Array.from({ length: 40 }, () => malloc(size));
    t.is(new Set(blocks).size, 40, 'a free block holds nothing that leads malloc anywhere');
  },
  "overflow and underflow, by 1 byte, 32 bytes and 1 MB: hit neighbours' data, never the heap": ({
    t,
    heap,
    malloc,
    free,
    size,
  }) => {
    const blocks = Array.from({ length: 20 }, () => malloc(size));
    const p = blocks[10] as Address;
    const { dataStart, end } = geometryOf(heap);
    for (const bytes of [1, 32, 1_000_000]) {
      const usable = heap.usableSize(p);
      heap.u8.fill(0xff, p, Math.min(p + usable + bytes, end));
      heap.u8.fill(0xff, Math.max(p - bytes, dataStart), p);
      heap.u8.copyWithin(Math.max(p - bytes, dataStart), p, p + usable);
      assertSound(t, heap);
    }
    for (const address of blocks) free(address);
    t.is(heap.stats().inUseBytes, 0);
    assertSound(t, heap);
  },
  'zero_after_free: what was in a block stays there': ({ t, heap, malloc, free, size }) => {
    const p = malloc(size);
    heap.u8.fill(0xab, p, p + size);
    free(p);
    t.true(heap.u8.subarray(p, p + size).every((byte) => byte === 0xab));
  },
  'zero_on_malloc: zero in pages never used before, and always from calloc': ({
    t,
    heap,
    malloc,
    calloc,
    free,
    size,
  }) => {
    const count = Math.min(4096, (8 * 1024 * KIB) / size);
    const dirty: Address[] = [];
    for (let n = 0; n < count; n++) {
      const p = malloc(size);
      if (findNonZero(heap, p, size) >= 0) t.fail(`block ${n} is not zero`);
      heap.u8.fill(0xff, p, p + size);
      dirty.push(p);
    }
    for (const address of dirty) free(address);
    for (let n = 0; n < count; n++) {
      if (findNonZero(heap, calloc(1, size), size) >= 0) t.fail(`block ${n} of calloc is not zero`);
    }
    assertSound(t, heap);
  },
};

testCases(CASES);
