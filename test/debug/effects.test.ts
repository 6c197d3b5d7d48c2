/**
 * Proves the effect of each debug option on the calls; history and checks.
 */

import test, { type ExecutionContext } from 'ava';
import { type Address, type DebugOptions, type HistoryEvent, SharedHeap } from 'shmalloc';
import { type Calls, callsOf } from './calls.js';

const KIB = 1024;

interface Stage extends Calls {
  readonly t: ExecutionContext;
  readonly heap: SharedHeap;
}

function testCase(title: string, debug: DebugOptions, play: (stage: Stage) => void): void {
  test(title, (t) => {
    const heap = SharedHeap.create({ size: '16MiB', threads: 2, debug });
    play({ t, heap, ...callsOf(heap) });
    t.deepEqual(heap.verify({ quiet: true }).problems, []);
    heap.detach();
  });
}

const ALL: DebugOptions = {
  scribble: true,
  preScribble: true,
  guard: 16,
  quarantine: 64 * KIB,
  checkStart: 50,
  checkEach: 50,
  strict: true,
  history: 64,
  stacks: 4,
};

testCase(
  'preScribble: new blocks are full of 0xAA, except for calloc',
  { preScribble: true },
  (s) => {
    const { t, heap, malloc, calloc, realloc, alignedAlloc } = s;
    for (const size of [1, 100, 5000, 200_000]) {
      for (const address of [malloc(size), alignedAlloc(4096, size)]) {
        t.true(heap.u8.slice(address, address + size).every((byte) => byte === 0xaa));
      }
      const zeroed = calloc(1, size);
      t.true(heap.u8.slice(zeroed, zeroed + size).every((byte) => byte === 0));
      heap.u8.fill(7, zeroed, zeroed + size);
      const grown = realloc(zeroed, size * 2);
      t.true(heap.u8.slice(grown, grown + size).every((byte) => byte === 7));
      t.true(
        heap.u8.slice(grown + size, grown + 2 * size).every((byte) => byte === 0xaa || byte === 7),
      );
    }
  },
);

testCase(
  'all options: sizes, alignments and contents are the same as without options',
  ALL,
  (s) => {
    const { t, heap, malloc, free, calloc, realloc, alignedAlloc } = s;
    t.notThrows(() => free(0 as Address));
    t.not(malloc(0), 0);
    t.is(heap.usableSize(malloc(0)), 0);
    for (const size of [1, 15, 16, 17, 1000, 65_536, 65_537, 300_000]) {
      const p = malloc(size);
      t.is(p % 16, 0);
      t.is(heap.usableSize(p), size);
      heap.u8.fill(3, p, p + size);
      const q = realloc(p, size + 100);
      t.true(
        heap.u8.slice(q, q + size).every((byte) => byte === 3),
        'kept',
      );
      const r = realloc(q, Math.ceil(size / 2));
      t.is(heap.usableSize(r), Math.ceil(size / 2));
      t.true(heap.view(Uint8Array, r, Math.ceil(size / 2)).every((byte) => byte === 3));
      t.throws(() => heap.view(Uint8Array, r, Math.ceil(size / 2) + 1), { instanceOf: RangeError });
      t.true(realloc(r, 0) === 0);
      const z = calloc(size, 1);
      t.true(heap.u8.slice(z, z + size).every((byte) => byte === 0));
      free(z);
      for (let alignment = 1; alignment <= 65_536; alignment *= 2) {
        const a = alignedAlloc(alignment, size);
        t.is(a % alignment, 0);
        t.is(heap.usableSize(a), size);
        free(a);
      }
    }
    t.throws(() => malloc(-1), { code: 'ERR_SHMALLOC_INVALID_SIZE' });
    t.throws(() => malloc('1' as never), { code: 'ERR_SHMALLOC_INVALID_SIZE' });
    t.throws(() => calloc(1, Number.NaN), { code: 'ERR_SHMALLOC_INVALID_SIZE' });
    t.throws(() => realloc(0 as Address, 1.5), { code: 'ERR_SHMALLOC_INVALID_SIZE' });
    t.throws(() => alignedAlloc(3, 8), { code: 'ERR_SHMALLOC_INVALID_ALIGNMENT' });
    t.true(malloc(2 ** 40) === 0, 'no room');
  },
);

testCase('all options: a full heap empties its quarantine before malloc returns 0', ALL, (s) => {
  const { t, malloc, free } = s;
  const blocks: Address[] = [];
  for (let p = malloc(10_000); p !== 0; p = malloc(10_000)) blocks.push(p);
  t.true(blocks.length > 500);
  t.true(malloc(10_000) === 0);
  const last = blocks.pop() as Address;
  free(last);
  t.is(malloc(10_000), last, 'the freed block, taken out of the quarantine');
  for (const block of blocks) free(block);
  free(last);
});

for (const [address, reason] of [
  [Number.NaN, 'nan'],
  [-16, 'negative'],
  [1.5, 'fractional'],
  ['a text', 'not-a-number'],
  [16, 'metadata'],
  [2 ** 31, 'out-of-range'],
] as const) {
  testCase(
    `all options: ${String(address)} is refused in the same way as without options`,
    ALL,
    ({ t, heap, free }) => {
      for (const call of [free, heap.usableSize.bind(heap)]) {
        const error = t.throws(() => call(address as Address), {
          code: 'ERR_SHMALLOC_INVALID_ADDRESS',
        });
        t.is((error as { reason?: string })?.reason, reason);
      }
    },
  );
}

testCase('direct: every block is a run of its own', { direct: true }, (s) => {
  const { t, heap, malloc, realloc, calloc, free } = s;
  const blocks = [malloc(1), malloc(100), calloc(3, 5), realloc(malloc(8), 9)];
  t.is(new Set(blocks.map((address) => address >>> 13)).size, 4);
  t.is(heap.stats().large.blocksInUse, 4);
  t.is(
    heap.stats().sizeClasses.reduce((sum, c) => sum + c.blocksInUse, 0),
    0,
  );
  for (const block of blocks) free(block);
  t.is(heap.stats().large.blocksInUse, 0);
});

testCase(
  "onError 'ignore': a bad free has no effect, a valid one works",
  { onError: 'ignore', guard: 16 },
  (s) => {
    const { t, heap, malloc, free, realloc } = s;
    const p = malloc(100);
    t.notThrows(() => free((p + 16) as Address));
    t.notThrows(() => free(3 as Address));
    heap.u8[p + 100] = 0;
    t.notThrows(() => free(p), 'freed despite its damage');
    t.notThrows(() => free(p));
    t.is(heap.inspect.blocks().length, 0);
    t.throws(() => realloc(p, 5), { code: 'ERR_SHMALLOC_INVALID_ADDRESS' });
  },
);

test("onError 'warn': a bad free is a warning with the error's code", async (t) => {
  using heap = SharedHeap.create({ size: '4MiB', debug: { onError: 'warn' } });
  const warned = new Promise<Error & { code?: string }>((resolve) => {
    process.once('warning', resolve);
  });
  heap.free_ts(24 as Address);
  const warning = await warned;
  t.is(warning.code, 'ERR_SHMALLOC_INVALID_ADDRESS');
  t.regex(warning.message, /cannot free 0x18: in the heap's metadata/);
});

testCase(
  'checkStart, checkEach: damage is found in time, by any call',
  { guard: 16, checkStart: 10, checkEach: 5 },
  (s) => {
    const { t, heap, malloc } = s;
    const p = malloc(10);
    heap.u8[p + 10] = 1;
    const thrownIn: number[] = [];
    for (let call = 2; call <= 25; call++) {
      try {
        malloc(10);
      } catch (error) {
        t.is((error as { code?: string }).code, 'ERR_SHMALLOC_CHECK_FAILED');
        t.regex((error as Error).message, /1 byte past the end of the block/);
        thrownIn.push(call);
      }
    }
    t.deepEqual(thrownIn, [10], 'reported once, so that later calls work');
    t.is(heap.inspect.blocks().length, 24, 'a call that threw did nothing');
    t.throws(() => heap.free_ts(p), { code: 'ERR_SHMALLOC_BLOCK_DAMAGED' });
  },
);

testCase(
  'history: has every call with its sizes, oldest first, up to its capacity',
  { history: 8, quarantine: 1000 },
  (s) => {
    const { t, heap, malloc, free, calloc, realloc, alignedAlloc } = s;
    const p = malloc(10);
    const q = calloc(2, 20);
    const r = realloc(q, 30);
    const a = alignedAlloc(64, 40);
    free(p);
    const seen = heap.inspect.history();
    t.deepEqual(
      seen.map(({ operation, address, requestedBytes }) => [operation, address, requestedBytes]),
      [
        ['malloc', p, 10],
        ['calloc', q, 40],
        ['realloc', r, 30],
        ['alignedAlloc', a, 40],
        ['free', p, 10],
      ],
    );
    t.is(seen[2]?.from, q);
    t.true(seen.every(({ threadId, usableBytes }) => threadId === 0 && usableBytes >= 10));
    t.true(Math.abs((seen[4] as HistoryEvent).time - Date.now()) < 60_000);
    const times = seen.map(({ time }) => time);
    t.deepEqual(
      times,
      times.toSorted((x, y) => x - y),
    );
    t.deepEqual(
      heap.inspect.history({ address: q }).map(({ operation }) => operation),
      ['calloc', 'realloc'],
    );
    t.deepEqual(heap.inspect.history({ last: 2 }), seen.slice(3));
    t.deepEqual(heap.inspect.history({ thread: 99 }), []);
    for (let n = 0; n < 20; n++) free(malloc(n));
    const later = heap.inspect.history();
    t.is(later.length, 8);
    t.deepEqual(
      later.map(({ requestedBytes }) => requestedBytes),
      [16, 16, 17, 17, 18, 18, 19, 19],
    );
  },
);

test('history: the error of a heap without history names the option', (t) => {
  using heap = SharedHeap.create({ size: '4MiB' });
  const error = t.throws(() => heap.inspect.history(), { code: 'ERR_SHMALLOC_OPTION_OFF' });
  t.regex(String(error?.message), /SHMALLOC_HISTORY/);
});

testCase(
  'stacks: each distinct stack is kept once, without frames of the package',
  { history: 100, stacks: 2 },
  (s) => {
    const { t, heap, malloc } = s;
    for (let n = 0; n < 9; n++) malloc(n);
    const stacks = heap.inspect.history().map(({ stack }) => String(stack));
    t.is(stacks.length, 9);
    t.is(new Set(stacks).size, 1);
    t.is(stacks[2]?.split('\n').length, 2);
    t.regex(String(stacks[2]), /effects\.test/);
    t.notRegex(String(stacks[2]), /src.debug|shared-heap/);
  },
);

testCase(
  'stacks: one call in `every` gets a stack, whatever the rhythm of the calls',
  { history: 4000, stacks: { depth: 1, every: 5 } },
  (s) => {
    const { t, heap, malloc, free } = s;
    for (let n = 0; n < 1000; n++) free(malloc(8));
    const seen = (operation: string): number =>
      heap.inspect
        .history()
        .filter((event) => event.operation === operation && event.stack !== undefined).length;
    const [mallocs, frees] = [seen('malloc'), seen('free')];
    t.true(mallocs > 120 && mallocs < 280, `${mallocs} of 1000 mallocs`);
    t.true(frees > 120 && frees < 280, `${frees} of 1000 frees`);
  },
);

testCase(
  'free: an address inside a live block is reported as such, at every granule',
  { strict: true, guard: 16 },
  (s) => {
    const { t, heap, malloc, free } = s;
    for (const size of [200, 5000, 300_000]) {
      const block = malloc(size);
      for (let offset = 16; offset < Math.min(size, 512); offset += 16) {
        const inside = (block + offset) as Address;
        for (const call of [() => free(inside), () => heap.inspect.hexdump(inside)]) {
          const error = t.throws(call, { code: 'ERR_SHMALLOC_INVALID_ADDRESS' });
          t.is((error as { reason?: string })?.reason, 'interior', `${size} + ${offset}`);
        }
        t.is(heap.inspect.whoAllocated(inside)?.address, block);
      }
      free(block);
      t.is(heap.inspect.whoAllocated(block)?.freedBy?.threadId, 0);
    }
  },
);

testCase(
  'usableSize, view: inspect a block and leave its red zones unchanged',
  { guard: 16 },
  (s) => {
    const { t, heap, malloc, free } = s;
    const block = malloc(100);
    heap.u8[block + 100] = 0;
    t.is(heap.usableSize(block), 100);
    t.is(heap.view(Uint8Array, block, 100).length, 100);
    t.is(heap.verify().problems.length, 1);
    heap.u8[block - 1] = 0;
    const error = t.throws(() => free(block), { code: 'ERR_SHMALLOC_BLOCK_DAMAGED' });
    t.regex(String(error?.message), /1 byte before the block .* and 1 byte past its end/);
    free(block);
  },
);

test('detach: blocks in quarantine are given back', (t) => {
  const debug = { quarantine: 2 ** 30, scribble: true };
  const heap = SharedHeap.create({ size: '16MiB', threads: 2, debug });
  for (const size of [8, 1000, 100_000])
    for (let n = 0; n < 20; n++) heap.free_ts(heap.malloc_ts(size));
  const before = heap.stats();
  t.true(before.inUseBytes > 2_000_000);
  t.is(heap.inspect.blocks().length, 0);
  t.is(heap.verify({ quiet: true }).liveBlocks, 0);
  heap.detach();
  const after = heap.stats();
  t.is(after.inUseBytes + after.cachedBytes, 0);
  t.throws(() => heap.malloc_ts(8), { code: 'ERR_SHMALLOC_DETACHED' });
  t.throws(() => heap.free_ts(16 as Address), { code: 'ERR_SHMALLOC_DETACHED' });
});
