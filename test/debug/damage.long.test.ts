/**
 * Proves that heaps with debug options find writes outside of blocks and into freed ones: the
 * overflows, underflows and uses after free of the misuse list, of one byte, 32 bytes and 1 MB,
 * written byte by byte and by a copy, for blocks of 8 B, 4 KiB and 256 KiB.
 */

import test, { type ExecutionContext } from 'ava';
import { type Address, type BlockDamage, BlockDamagedError, SharedHeap } from 'shmalloc';
import { type Calls, callsOf } from './calls.js';

const KIB = 1024;
const MIB = 1024 * KIB;
const GUARD = 32;
const SIZES: Record<string, number> = { '8 B': 8, '4 KiB': 4 * KIB, '256 KiB': 256 * KIB };
const WIDTHS: Record<string, number> = { '1 byte': 1, '32 bytes': 32, '1 MB': MIB };

/** Ways to write. */
const WRITES: Record<string, (heap: SharedHeap, from: number, bytes: number) => void> = {
  'byte by byte': (heap, from, bytes) => {
    for (let at = from; at < from + bytes; at++) heap.u8[at] = 0x41;
  },
  'by a copy': (heap, from, bytes) => {
    heap.u8.set(new Uint8Array(bytes).fill(0), from);
  },
};

interface Stage extends Calls {
  readonly t: ExecutionContext;
  readonly heap: SharedHeap;
  readonly block: Address;
  readonly size: number;
}

/** A block with 2 MiB of other blocks before and after it. */
function makeStage(t: ExecutionContext, size: number): Stage {
  const heap = SharedHeap.create({
    size: '64MiB',
    threads: 2,
    debug: { guard: GUARD, quarantine: MIB, scribble: true, history: 100, stacks: 3 },
  });
  const calls = callsOf(heap);
  // One of these is above a large block, which comes from the top; the other is below a small one.
  calls.malloc(2 * MIB);
  for (let n = 0; n < 300; n++) calls.malloc(8 * KIB - 100);
  const block = calls.malloc(size);
  for (let n = 0; n < 300; n++) calls.malloc(8 * KIB - 100);
  calls.malloc(2 * MIB);
  heap.u8.fill(0x5a, block, block + size);
  return { ...calls, t, heap, block, size };
}

function eachStage(title: string, play: (stage: Stage) => void): void {
  for (const [bytes, size] of Object.entries(SIZES)) {
    test(`${title} (${bytes})`, (t) => {
      const stage = makeStage(t, size);
      play(stage);
      stage.heap.detach();
    });
  }
}

/** Checks that the call throws this damage of the stage's block. */
function finds({ t, block }: Stage, damage: BlockDamage, call: () => unknown): BlockDamagedError {
  const error = t.throws(call, { instanceOf: BlockDamagedError }) as BlockDamagedError;
  t.is(error.code, 'ERR_SHMALLOC_BLOCK_DAMAGED');
  t.is(error.damage, damage, error.message);
  t.is(error.address, block);
  t.regex(error.message, /allocated by thread 0:(\n {4}.*)+damage\.long\.test\.[jt]s/);
  return error;
}

const hex = (address: number) => `0x${address.toString(16)}`;
const far = (bytes: number) => `${bytes} ${bytes === 1 ? 'byte' : 'bytes'}`;

for (const [width, bytes] of Object.entries(WIDTHS)) {
  for (const [how, write] of Object.entries(WRITES)) {
    eachStage(`guard: an overflow by ${width}, ${how}, is found at free`, (stage) => {
      const { t, heap, block, size, free } = stage;
      write(heap, block + size, bytes);
      const error = finds(stage, 'overrun', () => free(block));
      t.is(error.firstOffset, size);
      // Only inside the block's own zone: the memory behind it belongs to others.
      if (bytes <= GUARD) {
        t.is(error.lastOffset, size + bytes - 1);
        t.true(error.message.includes(`${far(bytes)} past the end of the block at ${hex(block)}`));
      } else t.true(error.lastOffset >= size + GUARD - 1);
      t.notThrows(() => free(block), 'reported once, then the block can be freed');
    });

    eachStage(`guard: an underflow by ${width}, ${how}, is found at free`, (stage) => {
      const { t, heap, block, free } = stage;
      write(heap, block - bytes, bytes);
      const error = finds(stage, 'underrun', () => free(block));
      t.is(error.lastOffset, -1);
      t.is(error.firstOffset, -Math.min(bytes, GUARD));
      t.true(error.message.includes(`${far(Math.min(bytes, GUARD))} before the block`));
      t.notThrows(() => free(block));
    });

    eachStage(`scribble, quarantine: a write of ${width} after free, ${how}, is found`, (stage) => {
      const { t, heap, block, size, malloc, free } = stage;
      const written = Math.min(bytes, size);
      free(block);
      write(heap, block, written);
      const { problems } = heap.verify();
      t.deepEqual(
        problems.map(({ invariant }) => invariant),
        ['block-checks I2'],
      );
      t.true(problems[0]?.message.includes(hex(block)));
      const error = finds(stage, 'write-after-free', () => {
        for (let n = 0; n < 400; n++) free(malloc(8 * KIB - 100));
      });
      t.is(error.firstOffset, 0);
      t.is(error.lastOffset, written - 1);
      t.regex(error.message, /freed by thread 0:(\n {4}.*)+damage\.long\.test\.[jt]s/);
      t.deepEqual(heap.verify({ quiet: true }).problems, []);
    });
  }
}

eachStage('guard: one damaged byte on either side is found by realloc and verify', (stage) => {
  const { t, heap, block, size, realloc } = stage;
  heap.u8[block - 1] = 0;
  heap.u8[block + size] = 0x55;
  const { problems } = heap.verify({ quiet: true });
  t.is(problems.length, 1, 'one problem per block, the underrun');
  finds(stage, 'underrun', () => realloc(block, size * 2));
  t.is(heap.u8[block + size - 1], 0x5a, 'the block was not moved or changed');
  heap.u8[block + size] = 0xff;
  finds(stage, 'overrun', () => realloc(block, 8));
  const moved = realloc(block, size + 1);
  t.not(moved, block);
  t.deepEqual(
    heap.u8.slice(moved, moved + size),
    new Uint8Array(size).fill(0x5a),
    'then the block can be moved',
  );
});

eachStage('guard: a write inside the block is not damage', ({ t, heap, block, size, free }) => {
  heap.u8.fill(0xff, block, block + size);
  t.deepEqual(heap.verify({ quiet: true }).problems, []);
  t.notThrows(() => free(block));
});

eachStage('scribble: a freed block is full of 0x55', ({ t, heap, block, size, free }) => {
  free(block);
  t.deepEqual(heap.u8.slice(block, block + size), new Uint8Array(size).fill(0x55));
});

eachStage('quarantine: a freed block is not handed out again', (stage) => {
  const { t, block, size, malloc, free } = stage;
  free(block);
  const others = Array.from({ length: 50 }, () => malloc(size));
  t.false(others.includes(block));
});

eachStage(
  'free: a block in quarantine counts as freed, and the error names the thread that freed it',
  (stage) => {
    const { t, block, free, realloc, heap } = stage;
    free(block);
    for (const call of [() => free(block), () => realloc(block, 4), () => heap.usableSize(block)]) {
      const error = t.throws(call, { code: 'ERR_SHMALLOC_INVALID_ADDRESS' });
      t.is((error as { reason?: string })?.reason, 'freed');
      t.regex(
        String(error?.message),
        /is freed already\n {2}allocated by.*\n(.*\n)*.*freed by thread 0:\n/,
      );
    }
  },
);
