/**
 * Proves who can make and attach a heap, and how: by handle in other threads, in a buffer of one's
 * own, with every wrong option, handle and buffer refused by a clear error; and that slots come
 * back however a thread ends.
 */

import { fork } from 'node:child_process';
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import test from 'ava';
import { type Address, HeapError, type HeapHandle, type HeapOptions, SharedHeap } from 'shmalloc';
import * as Header from '../../src/layout/header.js';
import { headerWord } from '../../src/layout/index.js';
import { assertIdentity } from '../helpers.js';
import { countAttached, ended, nextMessage } from '../workers.js';
import type { GuestReport, GuestTask } from './guest.worker.js';

const GUEST = new URL('./guest.worker.js', import.meta.url);
const PAGE = 8192;
const MIB = 2 ** 20;
const GIB = 2 ** 30;

/** Words of the header, as src/layout/header.ts draws them. */
const MAGIC_WORD = 0;
const VERSION_WORD = 2;

function invite(task: GuestTask): Worker {
  // A worker that throws on purpose should not print that.
  return new Worker(GUEST, { workerData: task, stderr: true }).on('error', () => {});
}

// ---- attach

test('SharedHeap.attach: a second time in a thread gives the same instance', (t) => {
  using heap = SharedHeap.create({ size: '2MiB' });
  t.is(SharedHeap.attach(heap.handle), heap);
  t.is(SharedHeap.attach(structuredClone(heap.handle)), heap);
  t.is(countAttached(heap.stats()), 1);
});

test('SharedHeap.attach: after detach it gives a new instance', (t) => {
  const heap = SharedHeap.create({ size: '2MiB', threads: 1 });
  const address = heap.malloc_ts(100);
  heap.u8[address] = 77;
  heap.detach();
  const again = SharedHeap.attach(heap.handle);
  t.not(again, heap);
  t.is(again.u8[address], 77);
  again.free_ts(address);
  t.is(again.stats().inUseBytes, 0);
  again.detach();
  again.detach();
});

const calls: Record<string, (heap: SharedHeap, live: Address) => unknown> = {
  'malloc_ts of 64 bytes': (heap) => heap.malloc_ts(64),
  'malloc_ts of 64 KiB': (heap) => heap.malloc_ts(65536),
  'malloc_ts of 200,000 bytes': (heap) => heap.malloc_ts(200_000),
  'free_ts of a live block': (heap, live) => heap.free_ts(live),
  calloc_ts: (heap) => heap.calloc_ts(1, 64),
  'calloc_ts of 200,000 bytes': (heap) => heap.calloc_ts(1, 200_000),
  'realloc_ts to another class': (heap, live) => heap.realloc_ts(live, 64),
  'realloc_ts to 200,000 bytes': (heap, live) => heap.realloc_ts(live, 200_000),
  'realloc_ts to 0 bytes': (heap, live) => heap.realloc_ts(live, 0),
  'realloc_ts of 0': (heap) => heap.realloc_ts(0 as Address, 64),
  alignedAlloc_ts: (heap) => heap.alignedAlloc_ts(64, 64),
  malloc: (heap) => heap.malloc(64),
  'free of a live block': (heap, live) => heap.free(live),
  calloc: (heap) => heap.calloc(1, 64),
  'realloc to another class': (heap, live) => heap.realloc(live, 64),
  alignedAlloc: (heap) => heap.alignedAlloc(64, 64),
};

test('heap.contexts, heap.vectors: first asked for after detach, they make nothing and hold nothing', (t) => {
  const heap = SharedHeap.create({ size: '4MiB' });
  heap.detach();
  t.deepEqual(heap.contexts.list(), []);
  const leftOut = { code: 'ERR_SHMALLOC_DETACHED' };
  t.throws(() => heap.contexts.create('late'), leftOut);
  t.throws(() => heap.vectors.create(Int32Array), leftOut);
  t.is(heap.contexts, heap.contexts);
  t.is(heap.vectors, heap.vectors);
});

for (const taken of [false, true]) {
  const slot = taken ? 'its slot being taken by another' : 'its slot being free';
  for (const [name, call] of Object.entries(calls)) {
    test(`SharedHeap.detach: ${name} after it throws ERR_SHMALLOC_DETACHED, ${slot}`, (t) => {
      const heap = SharedHeap.create({ size: '4MiB', threads: 1 });
      const live = heap.malloc_ts(1000);
      heap.detach();
      // Attaches in the one slot that there is, and has blocks cached that are not the old one's.
      const other = taken ? SharedHeap.attach(heap.handle) : undefined;
      for (const size of [64, 65536]) other?.free_ts(other.malloc_ts(size));
      const before = other?.stats();
      t.throws(() => call(heap, live), { code: 'ERR_SHMALLOC_DETACHED' });
      t.deepEqual(other?.stats(), before, 'nothing was changed');
      other?.detach();
    });
  }
}

for (const how of ['workerData', 'postMessage'] as const) {
  test(`SharedHeap.attach: a worker attaches by a handle from ${how}`, async (t) => {
    using heap = SharedHeap.create({ size: '4MiB', threads: 2 });
    const task: GuestTask = { blocks: 50, keep: 20, end: 'return' };
    const worker = invite(how === 'workerData' ? { ...task, handle: heap.handle } : task);
    if (how === 'postMessage') worker.postMessage(heap.handle);
    const exit = ended(worker);
    const { addresses, sameTwice, code } = await nextMessage<GuestReport>(worker);
    t.is(code, undefined);
    t.true(sameTwice);
    t.is(addresses.length, 20);
    await exit;
    for (const address of addresses) {
      t.is(heap.u32[address >>> 2], address);
      heap.free_ts(address as Address);
    }
    t.is(heap.stats().inUseBytes, 0);
    assertIdentity(t, heap.stats());
  });
}

test('SharedHeap.attach: a buffer without a heap is ERR_SHMALLOC_NOT_A_HEAP', (t) => {
  using heap = SharedHeap.create({ size: '2MiB' });
  const handle = { ...heap.handle, buffer: new SharedArrayBuffer(2 * MIB) };
  t.throws(() => SharedHeap.attach(handle), {
    instanceOf: HeapError,
    code: 'ERR_SHMALLOC_NOT_A_HEAP',
    message: /magic/,
  });
  for (const word of [MAGIC_WORD, MAGIC_WORD + 1]) {
    const at = headerWord(0) + word;
    const before = heap.u32[at] as number;
    heap.u32[at] = before ^ 1;
    t.throws(() => SharedHeap.attach(heap.handle), { code: 'ERR_SHMALLOC_NOT_A_HEAP' });
    heap.u32[at] = before;
  }
  t.is(SharedHeap.attach(heap.handle), heap);
});

test('SharedHeap.attach: another layout version is ERR_SHMALLOC_LAYOUT_VERSION, naming both', (t) => {
  using heap = SharedHeap.create({ size: '2MiB' });
  const at = headerWord(0) + VERSION_WORD;
  t.is(heap.u32[at], Header.LAYOUT_VERSION);
  heap.u32[at] = Header.LAYOUT_VERSION + 41;
  t.throws(() => SharedHeap.attach(heap.handle), {
    instanceOf: HeapError,
    code: 'ERR_SHMALLOC_LAYOUT_VERSION',
    message: new RegExp(
      `layout ${Header.LAYOUT_VERSION + 41}\\b.*knows ${Header.LAYOUT_VERSION}\\b`,
    ),
  });
  heap.u32[at] = Header.LAYOUT_VERSION;
  t.is(SharedHeap.attach(heap.handle), heap);
});

test('SharedHeap.attach: a buffer that ends before its heap is ERR_SHMALLOC_TRUNCATED', (t) => {
  using heap = SharedHeap.create({ size: '4MiB' });
  for (const bytes of [0, 100, PAGE, 64 * 1024, MIB, 4 * MIB - PAGE, 4 * MIB - 1]) {
    const buffer = new SharedArrayBuffer(bytes);
    new Uint8Array(buffer).set(heap.u8.subarray(0, bytes));
    t.throws(
      () => SharedHeap.attach({ ...heap.handle, buffer }),
      { instanceOf: HeapError, code: 'ERR_SHMALLOC_TRUNCATED' },
      `${bytes} bytes`,
    );
  }
});

test('SharedHeap.attach: a wrong byteOffset is refused', (t) => {
  using heap = SharedHeap.create({ size: '2MiB' });
  for (const byteOffset of [PAGE, MIB, 2 * MIB, -PAGE, 100, 0.5, Number.NaN, 2 ** 40]) {
    const error = t.throws(
      () => SharedHeap.attach({ ...heap.handle, byteOffset }),
      { instanceOf: HeapError, message: /^SharedHeap\.attach: no heap at byte/ },
      String(byteOffset),
    );
    t.regex(error?.code ?? '', /^ERR_SHMALLOC_(NOT_A_HEAP|TRUNCATED)$/);
  }
});

test('SharedHeap.attach: a heap moved to another place of its buffer is refused', (t) => {
  using heap = SharedHeap.create({ size: '2MiB' });
  const buffer = new SharedArrayBuffer(4 * MIB);
  new Uint8Array(buffer).set(heap.u8, PAGE);
  t.throws(() => SharedHeap.attach({ ...heap.handle, buffer, byteOffset: PAGE }), {
    code: 'ERR_SHMALLOC_TRUNCATED',
  });
});

const growable = () =>
  new (
    SharedArrayBuffer as unknown as new (
      bytes: number,
      options: { maxByteLength: number },
    ) => SharedArrayBuffer
  )(4 * MIB, { maxByteLength: 8 * MIB });

test('SharedHeap.attach: a growable buffer is a TypeError that says so', (t) => {
  using heap = SharedHeap.create({ size: '4MiB' });
  const buffer = growable();
  new Uint8Array(buffer).set(heap.u8);
  t.throws(() => SharedHeap.attach({ ...heap.handle, buffer }), {
    instanceOf: TypeError,
    code: 'ERR_SHMALLOC_INVALID_OPTION',
    message: /fixed length.*growable/,
  });
});

for (const [what, wrong] of [
  ['undefined', undefined],
  ['null', null],
  ['a number', 5],
  ['a text', 'heap'],
  ['an empty object', {}],
  ['a SharedArrayBuffer', new SharedArrayBuffer(2 * MIB)],
  ['the heap itself', SharedHeap.create({ size: '2MiB', threads: 1 })],
] as const) {
  test(`SharedHeap.attach: ${what} is no handle: TypeError ERR_SHMALLOC_NOT_A_HEAP`, (t) => {
    t.throws(() => SharedHeap.attach(wrong as unknown as HeapHandle), {
      instanceOf: TypeError,
      code: 'ERR_SHMALLOC_NOT_A_HEAP',
      message: /handle/,
    });
  });
}

for (const [what, buffer] of [
  ['an ArrayBuffer', new ArrayBuffer(2 * MIB)],
  ['a typed array', new Uint8Array(new SharedArrayBuffer(2 * MIB))],
  ['missing', undefined],
  ['null', null],
] as const) {
  test(`SharedHeap.attach, create: a buffer that is ${what} is a TypeError with a code`, (t) => {
    using heap = SharedHeap.create({ size: '2MiB', threads: 1 });
    const expected = {
      instanceOf: TypeError,
      code: 'ERR_SHMALLOC_INVALID_OPTION',
      message: /buffer must be a SharedArrayBuffer/,
    } as const;
    const handle = { ...heap.handle, buffer } as unknown as HeapHandle;
    t.throws(() => SharedHeap.attach(handle), expected);
    if (buffer === undefined) return;
    t.throws(() => SharedHeap.create({ buffer } as unknown as HeapOptions), expected);
  });
}

// ---- slots

test('SharedHeap.attach: all slots taken is ERR_SHMALLOC_NO_SLOT, and says what to do', async (t) => {
  using heap = SharedHeap.create({ size: '2MiB', threads: 1 });
  const worker = invite({ handle: heap.handle, end: 'return' });
  const { code, message } = await nextMessage<GuestReport>(worker);
  t.is(code, 'ERR_SHMALLOC_NO_SLOT');
  t.regex(message ?? '', /all 1 thread slots.*threads/);
  t.is(countAttached(heap.stats()), 1);
});

for (const end of ['return', 'exit', 'throw', 'detach'] as const) {
  test(`SharedHeap.attach: a worker that ends by ${end} gives slot and cache back`, async (t) => {
    using heap = SharedHeap.create({ size: '4MiB', threads: 2 });
    for (let n = 0; n < 4; n++) {
      const worker = invite({ handle: heap.handle, blocks: 30, end });
      // Not once(): that would reject with what the worker throws.
      const exit = new Promise((resolve) => worker.on('exit', resolve));
      t.is((await nextMessage<GuestReport>(worker)).code, undefined, `worker ${n} got a slot`);
      await exit;
      t.is(countAttached(heap.stats()), 1);
      t.is(heap.stats().cachedBytes, 0);
    }
    t.is(heap.stats().inUseBytes, 0);
    t.deepEqual(heap.recover(), { slots: 0, locks: 0, blocks: 0, runs: 0, contexts: 0 });
    assertIdentity(t, heap.stats());
  });
}

test('SharedHeap.recover: takes back slot and cached blocks of a terminated worker, no live ones', async (t) => {
  using heap = SharedHeap.create({ size: '4MiB', threads: 2 });
  const worker = invite({ handle: heap.handle, blocks: 100, keep: 10, end: 'stay' });
  const { addresses } = await nextMessage<GuestReport>(worker);
  t.deepEqual(
    heap.recover(),
    { slots: 0, locks: 0, blocks: 0, runs: 0, contexts: 0 },
    'a living thread is left alone',
  );
  const cachedBytes = heap.stats().cachedBytes;
  t.true(cachedBytes > 0);
  await worker.terminate();
  t.is(countAttached(heap.stats()), 2, 'it could not detach');
  t.deepEqual(heap.recover(), {
    slots: 1,
    locks: 0,
    blocks: cachedBytes / 64,
    runs: 0,
    contexts: 0,
  });
  t.deepEqual(heap.recover(), { slots: 0, locks: 0, blocks: 0, runs: 0, contexts: 0 });
  const stats = heap.stats();
  t.is(countAttached(stats), 1);
  t.is(stats.cachedBytes, 0);
  t.is(stats.inUseBytes, 640, 'blocks that it had not freed stay live');
  assertIdentity(t, stats);
  for (const address of addresses) {
    t.is(heap.u32[address >>> 2], address);
    heap.free_ts(address as Address);
  }
  t.is(heap.stats().inUseBytes, 0);
  assertIdentity(t, heap.stats());
});

test('SharedHeap.recover: many workers terminated, each right after the other', async (t) => {
  using heap = SharedHeap.create({ size: '4MiB', threads: 2 });
  for (let n = 0; n < 8; n++) {
    const worker = invite({ handle: heap.handle, blocks: 100, end: 'stay' });
    t.is((await nextMessage<GuestReport>(worker)).code, undefined);
    await worker.terminate();
    t.is(heap.recover().slots, 1, `worker ${n}`);
  }
  t.is(heap.stats().inUseBytes, 0);
  assertIdentity(t, heap.stats());
});

test('SharedHeap.attach: when slots are full it takes back those of terminated workers by itself', async (t) => {
  using heap = SharedHeap.create({ size: '4MiB', threads: 2 });
  for (let n = 0; n < 4; n++) {
    const worker = invite({ handle: heap.handle, blocks: 10, end: 'stay' });
    t.is((await nextMessage<GuestReport>(worker)).code, undefined, `worker ${n} got a slot`);
    await worker.terminate();
  }
  t.is(heap.recover().slots, 1);
  t.is(heap.stats().cachedBytes, 0);
});

// ---- create

for (const [size, bytes] of [
  ['2MiB', 2 * MIB],
  ['2048KiB', 2 * MIB],
  ['2.5MiB', 2.5 * MIB],
  [' 3 mib ', 3 * MIB],
  ['4194304', 4 * MIB],
  ['4194304B', 4 * MIB],
  ['0.25GiB', GIB / 4],
  ['1GiB', GIB],
  [3 * MIB, 3 * MIB],
  [3 * MIB + 1, 3 * MIB + PAGE],
  [4 * GIB - 64 * 1024, 4 * GIB - 64 * 1024],
  [4 * GIB - 64 * 1024 + 1, 4 * GIB - 64 * 1024],
  ['4GiB', 4 * GIB - 64 * 1024],
] as const) {
  test(`SharedHeap.create: size ${JSON.stringify(size)} reserves ${bytes} bytes`, (t) => {
    using heap = SharedHeap.create({ size });
    t.is(heap.stats().reservedBytes, bytes);
    t.is(heap.handle.buffer.byteLength, bytes);
    t.is(heap.u8.length, bytes);
    const address = heap.malloc_ts(200_000);
    t.true(address > 0 && address + 200_000 <= bytes);
    assertIdentity(t, heap.stats());
  });
}

test('SharedHeap.create: 1 GiB without options', (t) => {
  using heap = SharedHeap.create();
  t.is(heap.stats().reservedBytes, GIB);
});

const sharedBuffer = new SharedArrayBuffer(4 * MIB);

for (const [options, error] of [
  [{ size: 0 }, /size.*2 MiB.*got 0/],
  [{ size: 2 * MIB - PAGE }, /size.*2 MiB/],
  [{ size: '1MiB' }, /size.*'1MiB'/],
  [{ size: 4 * GIB + 1 }, /size.*\(4 GiB\).*got 4294967297/],
  [{ size: '5GiB' }, /size.*'5GiB'/],
  [{ size: 2 ** 60 }, /size/],
  [{ size: -1 }, /size.*-1/],
  [{ size: Number.NaN }, /size.*NaN/],
  [{ size: Number.POSITIVE_INFINITY }, /size.*Infinity/],
  [{ size: '' }, /size.*''/],
  [{ size: 'much' }, /size.*'much'/],
  [{ size: '10 MB' }, /size.*'10 MB'/],
  [{ size: '-5MiB' }, /size.*'-5MiB'/],
  [{ size: '1e9' }, /size.*'1e9'/],
  [{ threads: 0 }, /threads.*1 to 255.*got 0/],
  [{ threads: -1 }, /threads.*-1/],
  [{ threads: 257 }, /threads.*257/],
  [{ threads: 1.5 }, /threads.*1\.5/],
  [{ threads: Number.NaN }, /threads.*NaN/],
  [{ size: '2MiB', threads: 255 }, /255 thread slots .* leave no room/],
  [{ byteOffset: PAGE }, /byteOffset.*without a buffer/],
  [{ buffer: sharedBuffer, byteOffset: 100 }, /byteOffset.*8192.*got 100/],
  [{ buffer: sharedBuffer, byteOffset: 4096 }, /byteOffset.*8192/],
  [{ buffer: sharedBuffer, byteOffset: -PAGE }, /byteOffset/],
  [{ buffer: sharedBuffer, byteOffset: 4 * MIB + PAGE }, /byteOffset.*inside/],
  [{ buffer: sharedBuffer, byteOffset: 4 * MIB }, /size/],
  [{ buffer: sharedBuffer, byteOffset: 3 * MIB }, /size/],
  [{ buffer: sharedBuffer, size: '5MiB' }, /size.*at most 4194304 bytes/],
  [{ buffer: sharedBuffer, size: '3MiB', byteOffset: 2 * MIB }, /size.*at most 2097152 bytes/],
] satisfies [HeapOptions, RegExp][]) {
  const { buffer, ...shown } = options as HeapOptions;
  const what = `${buffer === undefined ? '' : 'buffer of 4 MiB, '}${Object.entries(shown)
    .map(([name, value]) => `${name} ${typeof value === 'string' ? `'${value}'` : value}`)
    .join(', ')}`;
  test(`SharedHeap.create: ${what} is a RangeError that says what is allowed`, (t) => {
    t.throws(() => SharedHeap.create(options), {
      instanceOf: RangeError,
      code: 'ERR_SHMALLOC_INVALID_OPTION',
      message: error,
    });
  });
}

for (const [name, value] of [
  ['size', true],
  ['size', {}],
  ['size', 5n],
  ['threads', '4'],
  ['threads', null],
  ['byteOffset', '0'],
] as const) {
  test(`SharedHeap.create: ${name} of type ${value === null ? 'null' : typeof value} is refused`, (t) => {
    const options = { [name]: value, ...(name === 'byteOffset' ? { buffer: sharedBuffer } : {}) };
    t.throws(() => SharedHeap.create(options as HeapOptions), {
      code: 'ERR_SHMALLOC_INVALID_OPTION',
    });
  });
}

test('SharedHeap.create: a growable buffer is a TypeError that says so', (t) => {
  t.throws(() => SharedHeap.create({ buffer: growable() }), {
    instanceOf: TypeError,
    code: 'ERR_SHMALLOC_INVALID_OPTION',
    message: /growable/,
  });
});

test('SharedHeap.create: threads 1 and 255 are allowed', (t) => {
  for (const [size, threads] of [
    ['2MiB', 1],
    ['64MiB', 255],
  ] as const) {
    using heap = SharedHeap.create({ size, threads });
    t.true(heap.malloc_ts(16) > 0, `${threads} threads`);
  }
});

// ---- buffers of one's own

/** As much of WebAssembly as is used here: the types of Node do not have it. */
type MemoryConstructor = new (pages: {
  initial: number;
  maximum: number;
  shared: true;
}) => { buffer: SharedArrayBuffer };

test('SharedHeap.create: in a buffer with other things in it, touches only its own part', async (t) => {
  const { Memory } = (globalThis as unknown as { WebAssembly: { Memory: MemoryConstructor } })
    .WebAssembly;
  const { buffer } = new Memory({ initial: 128, maximum: 128, shared: true });
  const bytes = new Uint8Array(buffer);
  bytes.fill(0xa5);
  const byteOffset = 3 * PAGE;
  const size = 3 * MIB;
  using heap = SharedHeap.create({ buffer, byteOffset, size, threads: 2 });
  const inside = (address: number) => address >= byteOffset && address < byteOffset + size;
  t.is(heap.handle.byteOffset, byteOffset);
  t.is(heap.stats().reservedBytes, size);

  const small = Array.from({ length: 5000 }, () => heap.calloc_ts(1, 200));
  const large = Array.from({ length: 5 }, () => heap.calloc_ts(1, 150_000));
  t.true([...small, ...large].every(inside), 'addresses count from the start of the buffer');
  t.true(
    small.every((p) => bytes.subarray(p, p + 200).every((byte) => byte === 0)),
    'calloc clears, whatever the buffer held before',
  );
  t.true(large.every((p) => bytes.subarray(p, p + 150_000).every((byte) => byte === 0)));
  while (heap.malloc_ts(4096) !== 0);
  t.is(heap.stats().untouchedBytes, 0, 'it was filled to its last page');
  for (const address of [...small, ...large]) heap.free_ts(address);
  assertIdentity(t, heap.stats());

  const worker = invite({ handle: heap.handle, blocks: 50, keep: 5, end: 'return' });
  const exit = ended(worker);
  const { addresses } = await nextMessage<GuestReport>(worker);
  await exit;
  t.true(addresses.every(inside));
  for (const address of addresses) heap.free_ts(address as Address);

  t.true(bytes.subarray(0, byteOffset).every((byte) => byte === 0xa5));
  t.true(bytes.subarray(byteOffset + size).every((byte) => byte === 0xa5));
  t.throws(() => heap.free_ts(PAGE as Address), { code: 'ERR_SHMALLOC_INVALID_ADDRESS' });
  t.throws(() => heap.free_ts((byteOffset + size) as Address), {
    code: 'ERR_SHMALLOC_INVALID_ADDRESS',
  });
});

test('SharedHeap.create: takes what a buffer has from byteOffset on, where no size is given', (t) => {
  const buffer = new SharedArrayBuffer(5 * MIB + 100);
  using heap = SharedHeap.create({ buffer, byteOffset: MIB });
  t.is(heap.stats().reservedBytes, 4 * MIB);
});

test('SharedHeap.create: two heaps in one buffer do not meet', (t) => {
  const buffer = new SharedArrayBuffer(6 * MIB);
  using low = SharedHeap.create({ buffer, size: '3MiB', threads: 1 });
  using high = SharedHeap.create({ buffer, byteOffset: 3 * MIB, threads: 1 });
  const fill = (heap: SharedHeap): Address[] => {
    const addresses: Address[] = [];
    for (let p = heap.malloc_ts(1000); p !== 0; p = heap.malloc_ts(1000)) {
      heap.u8.fill(heap === low ? 1 : 2, p, p + 1000);
      addresses.push(p);
    }
    return addresses;
  };
  const lows = fill(low);
  const highs = fill(high);
  t.true(lows.every((p) => p < 3 * MIB) && highs.every((p) => p >= 3 * MIB));
  for (const p of lows) t.is(low.u8[p + 999], 1);
  for (const p of highs) t.is(low.u8[p + 999], 2);
  t.throws(() => low.free_ts(highs[0] as Address), { code: 'ERR_SHMALLOC_INVALID_ADDRESS' });
  for (const p of lows) low.free_ts(p);
  for (const p of highs) high.free_ts(p);
  for (const heap of [low, high]) {
    t.is(heap.stats().inUseBytes, 0);
    assertIdentity(t, heap.stats());
  }
});

test('SharedHeap.create: addresses above 2 GiB work like any others', (t) => {
  using heap = SharedHeap.create({ size: 4 * GIB - 64 * 1024, threads: 1 });
  const high = heap.malloc_ts(300_000);
  t.true(high > 2 ** 31, 'large blocks come from the top');
  heap.u8.fill(0x3c, high, high + 300_000);
  t.is(heap.usableSize(high), 303_104);
  t.is(heap.view(Uint8Array, high, 300_000)[299_999], 0x3c);
  const moved = heap.realloc_ts(high, 500_000);
  t.true(heap.u8.subarray(moved, moved + 300_000).every((byte) => byte === 0x3c));
  // A reserve used up by large blocks leaves spans no room but above 2 GiB.
  const rest = heap.malloc_ts(3.5 * GIB);
  t.not(rest, 0);
  const small: Address[] = [];
  for (let p = heap.malloc_ts(60_000); p !== 0; p = heap.malloc_ts(60_000)) small.push(p);
  heap.free_ts(rest);
  t.throws(() => heap.free_ts(rest), { code: 'ERR_SHMALLOC_INVALID_ADDRESS' });
  for (const p of small) heap.free_ts(p);
  heap.free_ts(moved);
  t.is(heap.stats().inUseBytes, 0);
  assertIdentity(t, heap.stats());
});

test('SharedHeap.create: a heap high in a large buffer has all its addresses above 2 GiB', (t) => {
  const byteOffset = 3 * GIB;
  const buffer = new SharedArrayBuffer(byteOffset + 8 * MIB);
  using heap = SharedHeap.create({ buffer, byteOffset, threads: 1 });
  const blocks = Array.from({ length: 3000 }, (_, n) => ({
    address: heap.calloc_ts(1, 16 + (n % 100) * 16),
    size: 16 + (n % 100) * 16,
  }));
  t.true(blocks.every(({ address }) => address > byteOffset));
  for (const { address } of blocks) heap.u32[address >>> 2] = address;
  blocks.forEach((block, n) => {
    if (n % 3 !== 0) return;
    block.size *= 2;
    block.address = heap.realloc_ts(block.address, block.size);
    t.not(block.address, 0);
    heap.u32[block.address >>> 2] = block.address;
  });
  t.true(blocks.every(({ address }) => heap.u32[address >>> 2] === address));
  for (const { address } of blocks) heap.free_ts(address);
  t.is(heap.stats().inUseBytes, 0);
  assertIdentity(t, heap.stats());
});

test('SharedHeap.attach: a handle that has left the process says that a heap cannot', async (t) => {
  using heap = SharedHeap.create({ size: '4MiB' });
  const throughJson = JSON.parse(JSON.stringify(heap.handle));
  const child = fork(new URL('echo.script.js', import.meta.url), [], { serialization: 'json' });
  t.teardown(() => child.kill());
  child.send(heap.handle);
  const [throughChild] = await once(child, 'message');
  const bytes = { ...heap.handle, buffer: Buffer.alloc(100) };
  const copied = { ...heap.handle, buffer: new ArrayBuffer(100) };
  for (const handle of [
    throughJson,
    throughChild,
    bytes,
    copied,
    { ...heap.handle, buffer: null },
  ]) {
    t.throws(() => SharedHeap.attach(handle as never), {
      code: 'ERR_SHMALLOC_INVALID_OPTION',
      message: /a heap cannot leave its process.*JSON, process\.send/,
    });
  }
  const advanced = fork(new URL('echo.script.js', import.meta.url), [], {
    serialization: 'advanced',
  });
  t.teardown(() => advanced.kill());
  // Node's own error: a bare SharedArrayBuffer is not serialised.
  t.throws(() => advanced.send(heap.handle), { message: /could not be cloned|SharedArrayBuffer/ });
});
