/**
 * Proves the contract of the calls, line by line, for the `_ts` calls and for the plain ones: what
 * each gives, what it refuses and how it says so, and that a refusal changes nothing in the heap.
 */

import test, { type ExecutionContext } from 'ava';
import {
  type Address,
  InvalidAddressError,
  type InvalidAddressReason,
  SharedHeap,
  type ViewConstructor,
} from 'shmalloc';
import {
  assertIdentity,
  BIGINT_ARRAYS,
  fillPattern,
  findDamage,
  findNonZero,
  geometryOf,
  metadataHash,
  NUMBER_ARRAYS,
  statsButLocks,
} from '../helpers.js';

/** One of the two sets of calls, as functions of their own. */
interface Calls {
  malloc(size: number): Address;
  free(address: Address): void;
  calloc(count: number, size: number): Address;
  realloc(address: Address, size: number): Address;
  alignedAlloc(alignment: number, size: number): Address;
}

const CALL_SETS: Record<string, (heap: SharedHeap) => Calls> = {
  plain: (heap) => ({
    malloc: (size) => heap.malloc(size),
    free: (address) => heap.free(address),
    calloc: (count, size) => heap.calloc(count, size),
    realloc: (address, size) => heap.realloc(address, size),
    alignedAlloc: (alignment, size) => heap.alignedAlloc(alignment, size),
  }),
  _ts: ({ malloc_ts, free_ts, calloc_ts, realloc_ts, alignedAlloc_ts }) => ({
    malloc: malloc_ts,
    free: free_ts,
    calloc: calloc_ts,
    realloc: realloc_ts,
    alignedAlloc: alignedAlloc_ts,
  }),
};

const SMALL_HEAP = { size: '2MiB', threads: 1 };
const HEAP = { size: '8MiB', threads: 2 };

/** Nothing is live any more, and every byte is accounted for. */
function assertEmpty(t: ExecutionContext, heap: SharedHeap): void {
  const stats = assertIdentity(t, heap);
  t.is(stats.inUseBytes, 0);
  t.is(stats.allocations, stats.frees);
}

/** Everything that a refused call must leave as it was. */
function snapshot(heap: SharedHeap): { stats: object; metadata: number } {
  return { stats: statsButLocks(heap), metadata: metadataHash(heap) };
}

// ---- each call is tested through both faces

for (const [face, callsOf] of Object.entries(CALL_SETS)) {
  const name = (call: string) => (face === 'plain' ? call : `${call}_ts`);

  test(`${name('malloc')}: size 0 gives a smallest block, which can be freed`, (t) => {
    using heap = SharedHeap.create(HEAP);
    const { malloc, free } = callsOf(heap);
    const blocks = [malloc(0), malloc(0), malloc(-0)];
    t.is(new Set(blocks).size, 3);
    for (const p of blocks) {
      t.true(p > 0);
      t.is(heap.usableSize(p), 16);
      free(p);
    }
    assertEmpty(t, heap);
  });

  test(`${name('malloc')}: addresses are multiples of 16, blocks hold what was asked`, (t) => {
    using heap = SharedHeap.create(HEAP);
    const { malloc, free } = callsOf(heap);
    const sizes = [1, 2, 8, 15, 16, 17, 24, 100, 128, 129, 1000, 4096, 5000, 8192, 40000];
    sizes.push(65535, 65536, 65537, 131071, 131072, 200000, 500000);
    const blocks = sizes.map((size, i) => {
      const p = malloc(size);
      t.true(p > 0 && p % 16 === 0, `${size} bytes at ${p}`);
      t.true(heap.usableSize(p) >= size, `${size} bytes`);
      fillPattern(heap, p, heap.usableSize(p), i);
      return p;
    });
    blocks.forEach((p, i) => {
      t.is(findDamage(heap, p, heap.usableSize(p), i), -1, `${sizes[i]} bytes`);
      free(p);
    });
    assertEmpty(t, heap);
  });

  test(`${name('malloc')}: a full heap gives 0 and loses nothing`, (t) => {
    using heap = SharedHeap.create(SMALL_HEAP);
    const { malloc, free, calloc, realloc, alignedAlloc } = callsOf(heap);
    const blocks: Address[] = [];
    for (let p = malloc(1000); p !== 0; p = malloc(1000)) {
      fillPattern(heap, p, 1000, blocks.length);
      blocks.push(p);
    }
    t.true(blocks.length > 1500);
    const before = assertIdentity(t, heap);
    const last = blocks.at(-1) as Address;
    for (const [what, got] of [
      ['malloc, same class', malloc(1000)],
      ['malloc, large', malloc(200000)],
      ['malloc, 64 KiB', malloc(65536)],
      ['calloc', calloc(10, 100)],
      ['calloc, large', calloc(1000, 1000)],
      ['alignedAlloc', alignedAlloc(64, 1000)],
      ['alignedAlloc, more than a page', alignedAlloc(65536, 1)],
      ['realloc, small', realloc(last, 60000)],
      ['realloc, large', realloc(last, 300000)],
      ['realloc, longer than the heap', realloc(last, 5e9)],
    ] as const) {
      t.is(got as number, 0, what);
    }
    const after = assertIdentity(t, heap);
    t.is(after.inUseBytes, before.inUseBytes);
    t.is(after.allocations, before.allocations);
    blocks.forEach((p, i) => {
      t.is(findDamage(heap, p, 1000, i), -1, `block ${i}`);
      free(p);
    });
    assertEmpty(t, heap);
    t.true(malloc(60000) > 0, 'what was freed can be had again');
  });

  test(`${name('realloc')}: a large block in a full heap stays as it was`, (t) => {
    using heap = SharedHeap.create(SMALL_HEAP);
    const { malloc, realloc } = callsOf(heap);
    const p = malloc(200000);
    fillPattern(heap, p, 200000, 7);
    while (malloc(70000) !== 0);
    while (malloc(16) !== 0);
    const { inUseBytes } = assertIdentity(t, heap);
    t.is(realloc(p, 400000) as number, 0);
    t.is(realloc(p, 2 ** 32 + 16) as number, 0);
    t.is(assertIdentity(t, heap).inUseBytes, inUseBytes);
    t.is(findDamage(heap, p, 200000, 7), -1);
    t.is(realloc(p, 200001), p, 'the same number of pages');
  });

  test(`${name('calloc')}: gives zeros, in blocks that were dirty before`, (t) => {
    using heap = SharedHeap.create(HEAP);
    const { malloc, calloc, free } = callsOf(heap);
    for (const [count, size] of [
      [1, 1],
      [3, 5],
      [7, 16],
      [100, 1],
      [1000, 4],
      [1, 65536],
      [65537, 1],
      [1000, 700],
    ]) {
      const bytes = count * size;
      for (let round = 0; round < 3; round++) {
        const dirty = Array.from({ length: 4 }, () => malloc(bytes));
        for (const p of dirty) heap.u8.fill(0xee, p, p + bytes);
        for (const p of dirty) free(p);
        const p = calloc(count, size);
        t.is(findNonZero(heap, p, bytes), -1, `${count} of ${size} bytes`);
        heap.u8.fill(0xdd, p, p + heap.usableSize(p));
        free(p);
      }
    }
    assertEmpty(t, heap);
  });

  test(`${name('calloc')}: a count or size of 0 gives a smallest block`, (t) => {
    using heap = SharedHeap.create(HEAP);
    const { calloc, free } = callsOf(heap);
    for (const p of [calloc(0, 0), calloc(0, 100), calloc(100, 0), calloc(0, 2 ** 53)]) {
      t.is(heap.usableSize(p), 16);
      free(p);
    }
    assertEmpty(t, heap);
  });

  test(`${name('calloc')}: a product that no heap can hold gives 0, however it wraps`, (t) => {
    using heap = SharedHeap.create(HEAP);
    const { calloc } = callsOf(heap);
    for (const [count, size] of [
      [65536, 65536],
      [2 ** 31, 2],
      [2 ** 32, 1],
      [2 ** 32 + 1, 16],
      [2 ** 16 + 1, 2 ** 16],
      [2 ** 27, 2 ** 27],
      [2 ** 53, 2 ** 53],
      [3, 2 ** 52 - 1],
      [1e200, 1e200],
      [Number.MAX_VALUE, 2],
    ]) {
      t.is(calloc(count, size) as number, 0, `${count} of ${size}`);
    }
    assertEmpty(t, heap);
  });

  test(`${name('malloc')}: sizes past the heap give 0, however they wrap`, (t) => {
    using heap = SharedHeap.create(HEAP);
    const { malloc, alignedAlloc, realloc, free } = callsOf(heap);
    const p = malloc(100);
    fillPattern(heap, p, 100, 1);
    // Free runs of many lengths, which a size that wrapped would find.
    const holes = [9, 10, 12, 16, 31, 32, 64, 100].map((pages) => {
      const hole = malloc(pages * 8192);
      malloc(70_000);
      return hole;
    });
    for (const hole of holes) free(hole);
    const { inUseBytes } = heap.stats();
    for (const size of [
      8 * 2 ** 20,
      2 ** 31,
      2 ** 32,
      2 ** 32 + 16,
      2 ** 33,
      5e9,
      2 ** 40,
      Number.MAX_SAFE_INTEGER,
      2 ** 53,
      Number.MAX_VALUE,
    ]) {
      t.is(malloc(size) as number, 0, `malloc ${size}`);
      t.is(realloc(p, size) as number, 0, `realloc ${size}`);
      t.is(alignedAlloc(4096, size) as number, 0, `alignedAlloc ${size}`);
      t.is(alignedAlloc(65536, size) as number, 0, `alignedAlloc ${size}`);
    }
    t.is(findDamage(heap, p, 100, 1), -1);
    t.is(assertIdentity(t, heap).inUseBytes, inUseBytes);
  });

  test(`${name('realloc')}: of 0 is malloc; to 0 frees and gives 0`, (t) => {
    using heap = SharedHeap.create(HEAP);
    const { realloc } = callsOf(heap);
    for (const size of [0, 1, 100, 65536, 65537, 300000]) {
      const p = realloc(0 as Address, size);
      t.true(p > 0 && heap.usableSize(p) >= size, `${size} bytes`);
      t.is(realloc(p, 0) as number, 0);
      t.throws(() => heap.usableSize(p), { code: 'ERR_SHMALLOC_INVALID_ADDRESS' });
    }
    t.is(heap.stats().allocations, 6);
    assertEmpty(t, heap);
  });

  test(`${name('realloc')}: keeps the contents between all kinds of sizes`, (t) => {
    using heap = SharedHeap.create(HEAP);
    const { malloc, realloc, free } = callsOf(heap);
    const sizes = [1, 16, 17, 100, 255, 256, 257, 4096, 65535, 65536, 65537, 131072, 400000];
    for (const from of sizes) {
      for (const to of sizes) {
        const p = malloc(from);
        const neighbour = malloc(from);
        fillPattern(heap, p, from, from);
        fillPattern(heap, neighbour, from, 3);
        const q = realloc(p, to);
        t.true(heap.usableSize(q) >= to);
        t.is(findDamage(heap, q, Math.min(from, to) & ~3, from), -1, `${from} to ${to}`);
        t.is(findDamage(heap, neighbour, from, 3), -1, `${from} to ${to}: neighbour`);
        free(q);
        free(neighbour);
      }
    }
    assertEmpty(t, heap);
  });

  test(`${name('realloc')}: a size of the same class keeps the block where it is`, (t) => {
    using heap = SharedHeap.create(HEAP);
    const { malloc, realloc } = callsOf(heap);
    const p = malloc(1000);
    t.is(realloc(p, 1024), p);
    t.is(realloc(p, 897), p);
    t.not(realloc(p, 896), p);
  });

  test(`${name('realloc')}: a large block gives back its tail and grows into it in place`, (t) => {
    using heap = SharedHeap.create(HEAP);
    const { malloc, realloc } = callsOf(heap);
    const p = malloc(800000);
    fillPattern(heap, p, 100000, 5);
    t.is(realloc(p, 100000), p);
    t.is(heap.usableSize(p), 13 * 8192);
    t.is(realloc(p, 500000), p);
    t.true(heap.usableSize(p) >= 500000);
    t.is(findDamage(heap, p, 100000, 5), -1);
    assertIdentity(t, heap);
  });

  test(`${name('free')}: of 0 does nothing`, (t) => {
    using heap = SharedHeap.create(HEAP);
    const { free, malloc } = callsOf(heap);
    malloc(100);
    const before = snapshot(heap);
    free(0 as Address);
    free(-0 as Address);
    t.deepEqual(snapshot(heap), before);
  });

  test(`${name('alignedAlloc')}: all powers of two to 64 KiB, all kinds of sizes`, (t) => {
    using heap = SharedHeap.create({ size: '32MiB', threads: 1 });
    const { alignedAlloc, free } = callsOf(heap);
    const live: { p: Address; size: number; alignment: number }[] = [];
    for (let alignment = 1; alignment <= 65536; alignment *= 2) {
      for (const size of [0, 1, 15, 16, 100, 4096, 8193, 65536, 65537, 200000]) {
        const p = alignedAlloc(alignment, size);
        t.true(p > 0, `${alignment}, ${size}`);
        t.is(p % Math.max(alignment, 16), 0, `${alignment}, ${size}`);
        t.true(heap.usableSize(p) >= Math.max(size, 1), `${alignment}, ${size}`);
        fillPattern(heap, p, heap.usableSize(p), live.length);
        live.push({ p, size, alignment });
      }
    }
    assertIdentity(t, heap);
    live.forEach(({ p, size, alignment }, i) => {
      t.is(findDamage(heap, p, heap.usableSize(p), i), -1, `${alignment}, ${size}`);
      free(p);
    });
    assertEmpty(t, heap);
  });

  for (const alignment of [3, 0, -2, 24, 131072, 2 ** 32, 0.5, 16.5, NaN, Infinity, '16', null]) {
    test(`${name('alignedAlloc')}: refuses the alignment ${alignment} (${typeof alignment})`, (t) => {
      using heap = SharedHeap.create(HEAP);
      const { alignedAlloc } = callsOf(heap);
      const before = snapshot(heap);
      t.throws(() => alignedAlloc(alignment as number, 100), {
        instanceOf: RangeError,
        code: 'ERR_SHMALLOC_INVALID_ALIGNMENT',
        message: /power of two/,
      });
      t.deepEqual(snapshot(heap), before);
    });
  }

  const badSizes: [unknown, typeof RangeError | typeof TypeError][] = [
    [-1, RangeError],
    [-16, RangeError],
    [0.5, RangeError],
    [100.25, RangeError],
    [1e9 + 0.5, RangeError],
    [NaN, RangeError],
    [Infinity, RangeError],
    [-Infinity, RangeError],
    ['16', TypeError],
    ['', TypeError],
    [null, TypeError],
    [undefined, TypeError],
    [16n, TypeError],
    [{}, TypeError],
    [[16], TypeError],
    [true, TypeError],
    [() => 16, TypeError],
    [Symbol('size'), TypeError],
  ];
  for (const [size, instanceOf] of badSizes) {
    test(`${name('malloc')}: refuses the size ${String(size)} (${typeof size})`, (t) => {
      using heap = SharedHeap.create(HEAP);
      const { malloc, calloc, realloc, alignedAlloc } = callsOf(heap);
      const p = malloc(100);
      fillPattern(heap, p, 100, 9);
      const before = snapshot(heap);
      const refusal = { instanceOf, code: 'ERR_SHMALLOC_INVALID_SIZE' };
      const bad = size as number;
      t.throws(() => malloc(bad), { ...refusal, message: /^malloc: a size is/ });
      t.throws(() => calloc(bad, 4), { ...refusal, message: /^calloc: a size is/ });
      t.throws(() => calloc(4, bad), { ...refusal, message: /^calloc: a size is/ });
      t.throws(() => calloc(0, bad), { ...refusal, message: /^calloc: a size is/ });
      t.throws(() => realloc(p, bad), { ...refusal, message: /^realloc: a size is/ });
      t.throws(() => realloc(0 as Address, bad), { ...refusal, message: /^realloc: a size is/ });
      t.throws(() => alignedAlloc(64, bad), { ...refusal, message: /^alignedAlloc: a size is/ });
      t.deepEqual(snapshot(heap), before);
      t.is(findDamage(heap, p, 100, 9), -1);
    });
  }

  // ---- addresses

  /** A heap with something of every kind in it, and an address of every wrong kind. */
  function wrongAddresses(
    heap: SharedHeap,
  ): [what: string, unknown, InvalidAddressReason, RegExp][] {
    const { malloc, free, alignedAlloc } = callsOf(heap);
    const { base, dataStart, end } = geometryOf(heap);
    const small = malloc(48);
    const large = malloc(100000);
    const last = alignedAlloc(16, 200);
    const freed = [8, 4096, 262144].map((size) => malloc(size));
    for (const p of freed) free(p);
    const span = Math.floor(small / 8192) * 8192;
    const hex = (n: number) => `0x${n.toString(16)}`;
    const inside = new RegExp(`inside the block at ${hex(small)}, 48 bytes, class 3$`);
    const { untouchedBytes, brkBytes } = heap.stats();
    const untouched = dataStart + brkBytes + Math.floor(untouchedBytes / 2 / 8192) * 8192;
    const below: [string, unknown, InvalidAddressReason, RegExp][] =
      base === 0
        ? [
            ['null page', 16, 'metadata', /0x10: in the heap's metadata/],
            ['null page, odd', 1, 'metadata', /metadata/],
          ]
        : [
            ['below the base', base - 16, 'out-of-range', /below the heap's start/],
            ['a page below the base', base - 8192, 'out-of-range', /below the heap's start/],
            ['start of the buffer', 16, 'out-of-range', /below the heap's start/],
            ['null page', base + 16, 'metadata', /in the heap's metadata/],
            ['base', base, 'metadata', /in the heap's metadata/],
          ];
    return [
      [
        'freed, 8 bytes',
        freed[0],
        'freed',
        /the block at .*, 16 bytes, class 1, is free: freed already/,
      ],
      [
        'freed, 4 KiB',
        freed[1],
        'freed',
        /the block at .*, 4096 bytes, class 28, is free: freed already/,
      ],
      ['freed, 256 KiB', freed[2], 'freed', /in free pages at .*freed already/],
      ['inside a block', small + 16, 'interior', inside],
      ['inside a block, its last granule', small + 32, 'interior', inside],
      ['inside another block', last + 192, 'interior', /inside the block at .*, 224 bytes/],
      ['inside a free block', freed[1] + 16, 'freed', /inside the free block at/],
      ['end of a span', span + 8192 - 32, 'interior', /unused end of the span at .* class 3/],
      ['inside a large block', large + 16, 'interior', /inside the block at .*106496 bytes, large/],
      ['a later page of a large block', large + 8192, 'interior', /inside the block at .* large/],
      ['misaligned by 1', small + 1, 'misaligned', /not a multiple of 16, and inside the block/],
      ['misaligned by 8', small + 8, 'misaligned', /not a multiple of 16, and inside the block/],
      ['misaligned, of a freed block', freed[0] + 4, 'misaligned', /not a multiple of 16/],
      ['misaligned, large', large + 8, 'misaligned', /not a multiple of 16/],
      ['misaligned, untouched', untouched + 8, 'misaligned', /never allocated/],
      ['header', base + 8192, 'metadata', /in the heap's metadata, which ends at/],
      ['last of the metadata', dataStart - 16, 'metadata', /in the heap's metadata/],
      ['untouched', untouched, 'untouched', /in pages that were never allocated/],
      ['end', end, 'out-of-range', /past the heap's end at/],
      ['past the end', end + 16, 'out-of-range', /past the heap's end at/],
      ['4 GiB', 2 ** 32, 'out-of-range', /past the heap's end/],
      ['4 GiB above a live block', 2 ** 32 + small, 'out-of-range', /past the heap's end/],
      ['2^53', 2 ** 53, 'out-of-range', /past the heap's end/],
      ['Infinity', Infinity, 'out-of-range', /past the heap's end/],
      ['negative', -16, 'negative', /-16: addresses are not negative/],
      ['minus a live block', -small, 'negative', /not negative/],
      ['a live block as signed 32 bits', small - 2 ** 32, 'negative', /not negative/],
      ['-Infinity', -Infinity, 'negative', /not negative/],
      ['fractional', small + 0.5, 'fractional', /whole numbers of bytes/],
      ['a fraction', 0.25, 'fractional', /whole numbers of bytes/],
      ['NaN', NaN, 'nan', /NaN is no address/],
      ['string', String(small), 'not-a-number', /a string is no address/],
      ['empty string', '', 'not-a-number', /a string is no address/],
      ['undefined', undefined, 'not-a-number', /undefined is no address/],
      ['null', null, 'not-a-number', /null is no address/],
      ['object', {}, 'not-a-number', /an object is no address/],
      ['array of a live block', [small], 'not-a-number', /an array of 1 is no address/],
      ['boolean', true, 'not-a-number', /true is no address/],
      ...below,
    ];
  }

  const places: [string, () => SharedHeap][] = [
    ['', () => SharedHeap.create(HEAP)],
    [
      ' (heap inside a buffer)',
      () => {
        const buffer = new SharedArrayBuffer(12 * 2 ** 20);
        return SharedHeap.create({ buffer, byteOffset: 2 ** 21, size: '8MiB', threads: 2 });
      },
    ],
  ];
  for (const [place, makeHeap] of places) {
    const asking: [string, string, (heap: SharedHeap, address: Address) => unknown][] = [
      [name('free'), 'free', (heap, p) => callsOf(heap).free(p)],
      [name('realloc'), 'realloc', (heap, p) => callsOf(heap).realloc(p, 100)],
      [`${name('realloc')} to 0`, 'realloc', (heap, p) => callsOf(heap).realloc(p, 0)],
      [`${name('realloc')} to large`, 'realloc', (heap, p) => callsOf(heap).realloc(p, 200000)],
      ['usableSize', 'measure', (heap, p) => heap.usableSize(p)],
      ['view', 'view', (heap, p) => heap.view(Uint8Array, p, 1)],
    ];
    for (const [call, asked, ask] of asking) {
      const title = `${call}: names what is wrong with an address${place}, ${face} heap`;
      test(title, (t) => {
        using heap = makeHeap();
        const cases = wrongAddresses(heap);
        const before = snapshot(heap);
        for (const [what, address, reason, message] of cases) {
          const error = t.throws(
            () => ask(heap, address as Address),
            { instanceOf: InvalidAddressError, code: 'ERR_SHMALLOC_INVALID_ADDRESS', message },
            what,
          );
          t.is(error?.reason, reason, what);
          t.is(error?.address, address, what);
          t.true(error?.message.startsWith(`cannot ${asked} `), what);
          t.deepEqual(snapshot(heap), before, what);
        }
      });
    }
  }

  for (const size of [8, 4096, 65536, 70000, 262144]) {
    test(`${name('free')}: of ${size} bytes twice is refused, and nothing else is lost`, (t) => {
      using heap = SharedHeap.create(HEAP);
      const { malloc, free } = callsOf(heap);
      const p = malloc(size);
      const q = malloc(size);
      fillPattern(heap, q, size, 2);
      free(p);
      for (let n = 0; n < 3; n++) {
        t.throws(() => free(p), { instanceOf: InvalidAddressError, message: /freed already/ });
      }
      const again = malloc(size);
      t.is(again, p, 'the freed block is handed out once more');
      t.not(malloc(size), p, 'and only once');
      t.is(findDamage(heap, q, size, 2), -1);
      assertIdentity(t, heap);
    });
  }

  for (const bad of [16n, Symbol('address')]) {
    test(`${name('free')}: a ${typeof bad} is no address, and said so with a code`, (t) => {
      using heap = SharedHeap.create(HEAP);
      const { free, realloc } = callsOf(heap);
      const before = snapshot(heap);
      const refusal = { instanceOf: InvalidAddressError, code: 'ERR_SHMALLOC_INVALID_ADDRESS' };
      t.throws(() => free(bad as never), refusal);
      t.throws(() => realloc(bad as never, 100), refusal);
      t.throws(() => heap.usableSize(bad as never), refusal);
      t.deepEqual(snapshot(heap), before);
    });
  }

  // ---- after detach

  /** Which of these calls do anything else than refuse with ERR_SHMALLOC_DETACHED, and what. */
  function notRefused(calls: Record<string, () => unknown>): string[] {
    return Object.entries(calls).flatMap(([what, call]) => {
      try {
        return [`${what} gave ${call()}`];
      } catch (error) {
        const { code, message } = error as { code?: string; message: string };
        return code === 'ERR_SHMALLOC_DETACHED' ? [] : [`${what} threw ${code}: ${message}`];
      }
    });
  }

  test(`${name('malloc')}, ${name('free')} and the others: refuse after detach`, (t) => {
    const heap = SharedHeap.create(HEAP);
    const { malloc, free, calloc, realloc, alignedAlloc } = callsOf(heap);
    const small = malloc(100);
    const large = malloc(100000);
    heap.detach();
    const before = metadataHash(heap);
    const wrong = notRefused({
      'malloc(0)': () => malloc(0),
      'malloc(100)': () => malloc(100),
      'malloc(65536)': () => malloc(65536),
      'malloc(100000)': () => malloc(100000),
      'calloc(1, 1)': () => calloc(1, 1),
      'calloc(1000, 100)': () => calloc(1000, 100),
      'alignedAlloc(64, 100)': () => alignedAlloc(64, 100),
      'alignedAlloc(65536, 1)': () => alignedAlloc(65536, 1),
      'realloc(0, 100)': () => realloc(0 as Address, 100),
      'realloc(small, 110), the same class': () => realloc(small, 110),
      'realloc(small, 1000)': () => realloc(small, 1000),
      'realloc(small, 100000)': () => realloc(small, 100000),
      'realloc(small, 0)': () => realloc(small, 0),
      'realloc(large, 200000)': () => realloc(large, 200000),
      'free(small)': () => free(small),
      'free(large)': () => free(large),
    });
    const after = metadataHash(heap);
    using again = SharedHeap.attach(heap.handle);
    t.deepEqual(wrong, []);
    t.is(after, before, 'nothing was changed');
    again.free_ts(small);
    again.free_ts(large);
    assertEmpty(t, again);
  });

  test(`${name('malloc')} and the others of a detached heap: leave the reused slot alone`, (t) => {
    const old = SharedHeap.create({ size: '8MiB', threads: 1 });
    const { malloc, free, calloc, realloc, alignedAlloc } = callsOf(old);
    malloc(10);
    old.detach();
    using heap = SharedHeap.attach(old.handle);
    t.not(heap, old);
    // Every class's cache has blocks in it and room left, so that a fast path would go through.
    const sizes = [16, 100, 1000, 4096, 65536];
    const live = sizes.map((size) => {
      const blocks = [1, 2, 3, 4].map(() => heap.malloc_ts(size));
      heap.free_ts(blocks[0]);
      heap.free_ts(blocks[1]);
      return blocks[2];
    });
    const before = snapshot(heap);
    const wrong = sizes.flatMap((size) =>
      notRefused({
        [`malloc(${size})`]: () => malloc(size),
        [`calloc(1, ${size})`]: () => calloc(1, size),
        [`alignedAlloc(16, ${size})`]: () => alignedAlloc(16, size),
        [`realloc(0, ${size})`]: () => realloc(0 as Address, size),
        [`realloc(live block of 16, ${size})`]: () => realloc(live[0], size),
      }),
    );
    live.forEach((p, i) => {
      wrong.push(...notRefused({ [`free(live block of ${sizes[i]})`]: () => free(p) }));
    });
    const after = snapshot(heap);
    t.deepEqual(wrong, []);
    t.deepEqual(after, before, 'the slot of the new attachment is as it was');
  });
}

// ---- looking

test('usableSize: at least what was asked for, all of it writable, for every small size', (t) => {
  using heap = SharedHeap.create(HEAP);
  const wrong: number[] = [];
  for (let size = 0; size <= 66000; size += size < 2000 ? 1 : 61) {
    const p = heap.malloc_ts(size);
    if (heap.usableSize(p) < Math.max(1, size)) wrong.push(size);
    heap.free_ts(p);
  }
  t.deepEqual(wrong, []);
  t.is(heap.usableSize(heap.malloc_ts(65537)), 9 * 8192);
});

test('usableSize, view: 0 is no block', (t) => {
  using heap = SharedHeap.create(HEAP);
  t.throws(() => heap.usableSize(0 as Address), { instanceOf: InvalidAddressError });
  t.throws(() => heap.view(Uint8Array, 0 as Address, 1), { instanceOf: InvalidAddressError });
});

const CONSTRUCTORS: readonly ViewConstructor[] = [...NUMBER_ARRAYS, ...BIGINT_ARRAYS];

test('view: every kind of typed array lies over the block itself', (t) => {
  using heap = SharedHeap.create(HEAP);
  const p = heap.malloc_ts(1000);
  for (const ArrayType of CONSTRUCTORS) {
    const bytes = ArrayType.BYTES_PER_ELEMENT;
    heap.u8.fill(0, p, p + 1000);
    const view = heap.view(ArrayType, p, 1000 / bytes);
    t.true(view instanceof ArrayType);
    t.is(view.length, 1000 / bytes);
    t.is(view.byteOffset, p as number);
    t.is(view.buffer as unknown, heap.handle.buffer);
    new Uint8Array(heap.handle.buffer, view.byteOffset, view.byteLength).fill(0x3f);
    t.true(heap.u8.subarray(p, p + 1000).every((byte) => byte === 0x3f));
    const second = heap.view(ArrayType, p, 1, bytes);
    t.is(second.byteOffset, p + bytes);
    t.is(String(second[0]), String(view[1]));
  }
});

test('view: up to the usable size, not a byte further', (t) => {
  using heap = SharedHeap.create(HEAP);
  for (const size of [1, 100, 1000, 65536, 100000]) {
    const p = heap.malloc_ts(size);
    const usable = heap.usableSize(p);
    t.is(heap.view(Uint8Array, p, usable).length, usable);
    t.is(heap.view(Uint8Array, p, 0, usable).length, 0);
    t.is(heap.view(Float64Array, p, 1, usable - 8).length, 1);
    const refusal = { instanceOf: RangeError, code: 'ERR_SHMALLOC_INVALID_SIZE' };
    t.throws(() => heap.view(Uint8Array, p, usable + 1), refusal);
    t.throws(() => heap.view(Uint8Array, p, 1, usable), refusal);
    t.throws(() => heap.view(Uint32Array, p, usable / 4, 4), refusal);
    t.throws(() => heap.view(Float64Array, p, usable), refusal);
  }
});

test('view: refuses lengths and offsets that are no whole elements inside the block', (t) => {
  using heap = SharedHeap.create(HEAP);
  const p = heap.malloc_ts(128);
  const refusal = { instanceOf: RangeError, code: 'ERR_SHMALLOC_INVALID_SIZE' };
  for (const length of [-1, 0.5, NaN, Infinity, '4', null, undefined, 4n]) {
    t.throws(() => heap.view(Uint8Array, p, length as number), refusal, String(length));
  }
  for (const offset of [-4, 0.5, NaN, Infinity, '4', null, 4n]) {
    t.throws(() => heap.view(Uint8Array, p, 1, offset as number), refusal, String(offset));
  }
  for (const offset of [1, 2, 3, 5]) t.throws(() => heap.view(Int32Array, p, 1, offset), refusal);
  t.throws(() => heap.view(Int16Array, p, 1, 1), refusal);
  t.throws(() => heap.view(Float64Array, p, 1, 4), refusal);
});
