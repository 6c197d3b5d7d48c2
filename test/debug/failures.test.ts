/**
 * Proves that a call of an instrumented heap that fails has changed nothing, and that a call that
 * succeeds loses nothing when it finds damage.
 */

import test, { type ExecutionContext } from 'ava';
import { type Address, SharedHeap } from 'shmalloc';
import { heldIn } from '../helpers.js';

const HELD = 64 * 1024;

function assertWhole(t: ExecutionContext, heap: SharedHeap, live: Address[]): void {
  t.deepEqual(
    heap.inspect.blocks().map(({ address }) => address),
    live,
  );
  t.deepEqual(heldIn(heap), []);
  const { problems, liveBlocks } = heap.verify({ quiet: true });
  t.deepEqual(problems, []);
  t.is(liveBlocks, live.length, 'allocated, but lost');
}

test('realloc: a write after free that it finds is reported by the next call; it returns its block', (t) => {
  using heap = SharedHeap.create({
    size: '8MiB',
    threads: 2,
    debug: { scribble: true, quarantine: HELD },
  });
  const stale = heap.malloc_ts(1000);
  const block = heap.malloc_ts(HELD);
  heap.u8.fill(7, block, block + HELD);
  heap.free_ts(stale);
  heap.u8[stale] = 1;
  const moved = heap.realloc_ts(block, HELD + 100);
  t.not(moved, 0 as Address);
  t.true(heap.u8.subarray(moved, moved + HELD).every((byte) => byte === 7));
  const error = t.throws(() => heap.malloc_ts(10), { code: 'ERR_SHMALLOC_BLOCK_DAMAGED' });
  t.regex((error as Error).message, /written to after its free/);
  assertWhole(t, heap, [moved]);
  heap.free_ts(moved);
});

test.serial('stacks: a call goes on without a stack if the formatter throws', (t) => {
  using heap = SharedHeap.create({
    size: '8MiB',
    threads: 2,
    debug: { stacks: 4, guard: 16, quarantine: HELD },
  });
  const block = heap.malloc_ts(1000);
  const before = Error.prepareStackTrace;
  const outcomes: string[] = [];
  const calls = [
    () => heap.malloc_ts(10),
    () => heap.calloc_ts(1, 300_000),
    () => heap.realloc_ts(block, 5000),
    () => heap.free_ts(block),
  ];
  const limit = Error.stackTraceLimit;
  for (const call of calls) {
    Error.prepareStackTrace = () => {
      throw new RangeError('of the formatter');
    };
    try {
      call();
      outcomes.push('returned');
    } catch {
      outcomes.push('threw');
    } finally {
      Error.prepareStackTrace = before;
    }
  }
  // The last call frees a block that realloc has freed.
  t.deepEqual(outcomes, ['returned', 'returned', 'returned', 'threw']);
  t.is(Error.stackTraceLimit, limit);
  const { length } = heap.inspect.blocks();
  t.is(length, 3);
  assertWhole(
    t,
    heap,
    heap.inspect.blocks().map(({ address }) => address),
  );
});
