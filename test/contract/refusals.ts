/**
 * What the calls refuse, and the tests that they do: sizes that are none, addresses that are no live
 * block's, and the usual list of misuses. A refusal has a code and a reason, and changes nothing.
 */

import test, { type ExecutionContext } from 'ava';
import { InvalidAddressError, type InvalidAddressReason, SharedHeap } from 'shmalloc';
import { assertSound, fillPattern, findDamage, HEAP, hex, KIB, MIB, snapshot } from './helpers.js';

// ---- sizes

const BAD_SIZES: [unknown, typeof RangeError | typeof TypeError][] = [
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

/** Makes the tests that a call refuses each bad size, in each of these ways to give it. */
export function testBadSizes(
  call: string,
  attempts: (heap: SharedHeap, bad: number, p: number) => readonly (() => unknown)[],
): void {
  const message = new RegExp(`^${call.replace('_ts', '')}: a size is`);
  for (const [size, instanceOf] of BAD_SIZES) {
    test(`${call}: refuses the size ${String(size)} (${typeof size})`, (t) => {
      using heap = SharedHeap.create(HEAP);
      const p = heap.malloc_ts(100);
      fillPattern(heap, p, 100, 9);
      const before = snapshot(heap);
      for (const attempt of attempts(heap, size as number, p)) {
        t.throws(attempt, { instanceOf, code: 'ERR_SHMALLOC_INVALID_SIZE', message });
      }
      t.deepEqual(snapshot(heap), before);
      t.is(findDamage(heap, p, 100, 9), -1);
    });
  }
}

// ---- addresses

/** A heap with something of every kind in it, and an address of every wrong kind. */
function wrongAddresses(heap: SharedHeap): [what: string, unknown, InvalidAddressReason, RegExp][] {
  const { malloc_ts, free_ts, alignedAlloc_ts } = heap;
  const { base, dataStart, end } = heap.inspect.map();
  const small = malloc_ts(48);
  const large = malloc_ts(100000);
  const last = alignedAlloc_ts(16, 200);
  const freed = [8, 4096, 262144].map((size) => malloc_ts(size));
  for (const p of freed) free_ts(p);
  const span = Math.floor(small / 8192) * 8192;
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

const PLACES: Record<string, () => SharedHeap> = {
  '': () => SharedHeap.create(HEAP),
  ' (heap inside a buffer)': () => {
    const buffer = new SharedArrayBuffer(12 * MIB);
    return SharedHeap.create({ buffer, byteOffset: 2 * MIB, ...HEAP });
  },
};

/** Makes the tests that a call refuses each wrong address; its errors begin with "cannot `asked`". */
export function testWrongAddresses(
  call: string,
  asked: string,
  ask: (heap: SharedHeap, address: number) => unknown,
): void {
  for (const [place, makeHeap] of Object.entries(PLACES)) {
    test(`${call}: names what is wrong with an address${place}`, (t) => {
      using heap = makeHeap();
      const cases = wrongAddresses(heap);
      const before = snapshot(heap);
      for (const [what, address, reason, message] of cases) {
        const error = t.throws(
          () => ask(heap, address as number),
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

// ---- the usual list of misuses, for blocks of three sizes

const SIZES: Record<string, number> = { '8 B': 8, '4 KiB': 4 * KIB, '256 KiB': 256 * KIB };

export interface Stage {
  readonly t: ExecutionContext;
  readonly heap: SharedHeap;
  readonly size: number;
  /** Checks that each call which takes an address refuses this one for this reason. */
  refuses(address: unknown, reason: InvalidAddressReason): void;
}

function makeStage(t: ExecutionContext, size: number): Stage {
  const heap = SharedHeap.create({ size: '16MiB', threads: 2 });
  return {
    t,
    heap,
    size,
    refuses(given, reason) {
      const address = given as number;
      const before = snapshot(heap);
      const attempts: Record<string, () => unknown> = {
        free_ts: () => heap.free_ts(address),
        'realloc_ts to less': () => heap.realloc_ts(address, 8),
        'realloc_ts to more': () => heap.realloc_ts(address, 300 * KIB),
        usableSize: () => heap.usableSize(address),
        view: () => heap.view(Uint8Array, address, 1),
      };
      for (const [what, attempt] of Object.entries(attempts)) {
        const error = t.throws(attempt, { instanceOf: InvalidAddressError }, what);
        t.is(error?.code, 'ERR_SHMALLOC_INVALID_ADDRESS');
        t.is(error?.reason, reason, `${what}: ${error?.message}`);
        t.is(error?.address, given);
      }
      assertSound(t, heap);
      t.deepEqual(snapshot(heap), before);
    },
  };
}

/** Makes the tests of these misuses of a call: title to case. */
export function testMisuses(call: string, cases: Record<string, (stage: Stage) => void>): void {
  for (const [title, play] of Object.entries(cases)) {
    for (const [bytes, size] of Object.entries(SIZES)) {
      test(`${call}: ${title} (${bytes})`, (t) => {
        const stage = makeStage(t, size);
        play(stage);
        assertSound(t, stage.heap);
        stage.heap.detach();
      });
    }
  }
}
