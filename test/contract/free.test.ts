/**
 * Proves the contract of free_ts: wrong frees are detected every time, with a code and a
 * reason, and the heap goes on as if nothing was. What no allocator of this kind can detect has a
 * title that says what happens.
 */

import test from 'ava';
import { InvalidAddressError, SharedHeap } from 'shmalloc';
import {
  assertIdentity,
  assertSound,
  fillPattern,
  findDamage,
  findNonZero,
  GIB,
  HEAP,
  heapAbove,
  hex,
  KIB,
  LARGEST_HEAP_BYTES,
  MIB,
  snapshot,
} from './helpers.js';
import { testMisuses, testWrongAddresses } from './refusals.js';

test('free_ts: of 0 does nothing', (t) => {
  using heap = SharedHeap.create(HEAP);
  const { free_ts, malloc_ts } = heap;
  malloc_ts(100);
  const before = snapshot(heap);
  free_ts(0);
  free_ts(-0);
  t.deepEqual(snapshot(heap), before);
});

testWrongAddresses('free_ts', 'free', (heap, p) => heap.free_ts(p));

for (const size of [8, 4096, 65536, 70000, 262144]) {
  test(`free_ts: of ${size} bytes twice is refused, and nothing else is lost`, (t) => {
    using heap = SharedHeap.create(HEAP);
    const { malloc_ts, free_ts } = heap;
    const p = malloc_ts(size);
    const q = malloc_ts(size);
    fillPattern(heap, q, size, 2);
    free_ts(p);
    for (let n = 0; n < 3; n++) {
      t.throws(() => free_ts(p), { instanceOf: InvalidAddressError, message: /freed already/ });
    }
    const again = malloc_ts(size);
    t.is(again, p, 'the freed block is handed out once more');
    t.not(malloc_ts(size), p, 'and only once');
    t.is(findDamage(heap, q, size, 2), -1);
    assertIdentity(t, heap);
  });
}

for (const bad of [16n, Symbol('address')]) {
  test(`free_ts: a ${typeof bad} is no address, and said so with a code`, (t) => {
    using heap = SharedHeap.create(HEAP);
    const { free_ts, realloc_ts } = heap;
    const before = snapshot(heap);
    const refusal = { instanceOf: InvalidAddressError, code: 'ERR_SHMALLOC_INVALID_ADDRESS' };
    t.throws(() => free_ts(bad as never), refusal);
    t.throws(() => realloc_ts(bad as never, 100), refusal);
    t.throws(() => heap.usableSize(bad as never), refusal);
    t.deepEqual(snapshot(heap), before);
  });
}

testMisuses('free_ts', {
  'double_free is refused': ({ heap, size, refuses }) => {
    const { malloc_ts, free_ts } = heap;
    const p = malloc_ts(size);
    free_ts(p);
    refuses(p, 'freed');
  },
  'double_free_delayed, 1024 pairs of calls between, is refused': ({ heap, size, refuses }) => {
    const { malloc_ts, free_ts } = heap;
    const p = malloc_ts(size);
    free_ts(p);
    for (let n = 0; n < 1024; n++) free_ts(malloc_ts(n % 2 === 0 ? size : 100));
    refuses(p, 'freed');
  },
  'double_free_interleaved (p, q, p) is refused': ({ heap, size, refuses }) => {
    const { malloc_ts, free_ts } = heap;
    const [p, q] = [malloc_ts(size), malloc_ts(size)];
    free_ts(p);
    free_ts(q);
    refuses(p, 'freed');
    refuses(q, 'freed');
  },
  'double_free of a block that realloc has moved is refused': ({ heap, size, refuses }) => {
    const { malloc_ts, realloc_ts } = heap;
    const p = malloc_ts(size);
    // In the way of growing in place.
    const behind = malloc_ts(size);
    const q = realloc_ts(p, size + 200 * KIB);
    if (q !== p) refuses(p, 'freed');
    refuses(behind + 1, 'misaligned');
    refuses(q + 16, 'interior');
  },
  'double_free of a block that realloc to 0 has freed is refused': ({ heap, size, refuses }) => {
    const { malloc_ts, realloc_ts } = heap;
    const p = malloc_ts(size);
    realloc_ts(p, 0);
    refuses(p, 'freed');
  },
  'double_free_single_reuse frees the new block; the free of its owner is refused': ({
    t,
    heap,
    size,
    refuses,
  }) => {
    const { malloc_ts, free_ts } = heap;
    const p = malloc_ts(size);
    free_ts(p);
    t.is(malloc_ts(size), p, 'handed out again');
    free_ts(p);
    assertSound(t, heap);
    refuses(p, 'freed');
  },
  'double_free_reuse, many allocations between, frees the new block; its own free is refused': ({
    t,
    heap,
    size,
    refuses,
  }) => {
    const { malloc_ts, free_ts } = heap;
    const others = Array.from({ length: 20 }, () => malloc_ts(size));
    const p = others.pop() as number;
    free_ts(p);
    for (const address of others.splice(5)) free_ts(address);
    const again: number[] = [];
    for (let n = 0; n < 100 && again.at(-1) !== p; n++) again.push(malloc_ts(size));
    t.is(again.at(-1), p, 'handed out again');
    free_ts(p);
    assertSound(t, heap);
    refuses(p, 'freed');
    for (const address of [...others, ...again.slice(0, -1)]) free_ts(address);
    t.is(heap.stats().inUseBytes, 0, 'no other block was touched');
  },
  'invalid_free of small integers is refused': ({ heap, size, refuses }) => {
    heap.malloc_ts(size);
    for (const address of [1, 8, 15, 16, 64, 4096, 65_536]) refuses(address, 'metadata');
  },
  "invalid_free of the heap's own structures is refused": ({ heap, size, refuses }) => {
    heap.malloc_ts(size);
    const { metadata, dataStart } = heap.inspect.map();
    for (const { address, bytes } of metadata) {
      if (address > 0) refuses(address, 'metadata');
      refuses(address + Math.floor(bytes / 32) * 16, 'metadata');
    }
    refuses(dataStart - 16, 'metadata');
  },
  'invalid_free of pages that were never allocated is refused': ({ heap, size, refuses }) => {
    heap.malloc_ts(size);
    const { dataStart } = heap.inspect.map();
    const { brkBytes, untouchedBytes } = heap.stats();
    refuses(dataStart + brkBytes, 'untouched');
    refuses(dataStart + brkBytes + untouchedBytes - 8192, 'untouched');
  },
  'invalid_free past the end, and of what is no address, is refused': ({ heap, size, refuses }) => {
    const p = heap.malloc_ts(size);
    const { end } = heap.inspect.map();
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
    heap,
    size,
    refuses,
  }) => {
    const p = heap.malloc_ts(size);
    refuses(p + 4 * KIB, size > 4 * KIB ? 'interior' : 'freed');
    refuses(p + GIB, 'out-of-range');
  },
  'invalid_free of block + 1 (unaligned) and + 8 (unaligned multiple) is refused': ({
    heap,
    size,
    refuses,
  }) => {
    const p = heap.malloc_ts(size);
    refuses(p + 1, 'misaligned');
    refuses(p + 8, 'misaligned');
  },
  'invalid_free inside a block is refused': ({ heap, size, refuses }) => {
    const p = heap.malloc_ts(size);
    for (let at = 16; at < heap.usableSize(p); at *= 2) refuses(p + at, 'interior');
  },
  'write_after_free, write_after_free_reuse: hit whatever is there, and never the heap': ({
    t,
    heap,
    size,
  }) => {
    const { malloc_ts, calloc_ts, free_ts } = heap;
    const p = malloc_ts(size);
    free_ts(p);
    heap.u8.fill(0xff, p, p + size);
    assertSound(t, heap);
    t.is(calloc_ts(1, size), p);
    t.is(findNonZero(heap, p, size), -1);
    heap.u8.fill(0xff, p, p + size);
    assertSound(t, heap);
    t.is(heap.u8[p], 0xff, 'the new block has it');
    free_ts(p);
    const blocks = Array.from({ length: 40 }, () => malloc_ts(size));
    t.is(new Set(blocks).size, 40, 'a free block holds nothing that leads malloc anywhere');
  },
  'zero_after_free: what was in a block stays there': ({ t, heap, size }) => {
    const { malloc_ts, free_ts } = heap;
    const p = malloc_ts(size);
    heap.u8.fill(0xab, p, p + size);
    free_ts(p);
    t.true(heap.u8.subarray(p, p + size).every((byte) => byte === 0xab));
  },
});

// ---- addresses above 2 GiB

for (const gib of [2, 3]) {
  const floor = gib * GIB + 8192 * 3;

  test(`free_ts, usableSize: name what is wrong with addresses above ${gib} GiB`, (t) => {
    const { heap } = heapAbove(floor);
    using _ = heap;
    const small = heap.malloc_ts(48);
    const large = heap.malloc_ts(300_000);
    const freed = heap.malloc_ts(500);
    const freedLarge = heap.malloc_ts(MIB);
    heap.free_ts(freed);
    heap.free_ts(freedLarge);
    t.true(Math.min(small, large, freed, freedLarge) >= floor);
    const cases: [number, string, RegExp][] = [
      [small + 16, 'interior', new RegExp(`inside the block at ${hex(small)}, 48 bytes, class 3`)],
      [small + 4, 'misaligned', /not a multiple of 16/],
      [small - 2 ** 32, 'negative', /not negative/],
      [small + 2 ** 32, 'out-of-range', /past the heap's end/],
      [small + 0.5, 'fractional', /whole numbers/],
      [large + 8192, 'interior', new RegExp(`inside the block at ${hex(large)}, .* large`)],
      [freed, 'freed', new RegExp(`the block at ${hex(freed)}, 512 bytes, class 16, is free`)],
      [freedLarge, 'freed', /in free pages at/],
      [LARGEST_HEAP_BYTES, 'out-of-range', /past the heap's end at 0xffff0000/],
      [2 ** 32 - 16, 'out-of-range', /past the heap's end/],
    ];
    const before = heap.stats();
    for (const [address, reason, message] of cases) {
      for (const call of [
        () => heap.free_ts(address),
        () => heap.realloc_ts(address, 9),
        () => heap.usableSize(address),
        () => heap.free(address),
      ]) {
        const error = t.throws(call, { instanceOf: InvalidAddressError, message });
        t.is(error?.reason as string, reason);
      }
    }
    const after = heap.stats();
    t.deepEqual({ ...after, locks: 0 }, { ...before, locks: 0 });
  });
}

test('free_ts: an untouched page above 3 GiB is said to be untouched', (t) => {
  using heap = SharedHeap.create({ size: LARGEST_HEAP_BYTES, threads: 2 });
  t.throws(() => heap.free_ts(3 * GIB), {
    instanceOf: InvalidAddressError,
    message: 'cannot free 0xc0000000: in pages that were never allocated',
  });
});
