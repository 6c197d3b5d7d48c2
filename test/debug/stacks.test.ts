/**
 * Proves that the call stacks that a heap keeps begin with the frame of the program that made a public
 * call, whichever it was, and also where the heap had called the program back.
 */

import test from 'ava';
import { type DebugOptions, SharedHeap } from 'shmalloc';

const debug: DebugOptions = { history: 200, stacks: 3 };
const make = (): SharedHeap => SharedHeap.create({ size: '16MiB', threads: 2, debug });

/** The first frames of all stacks that a piece of work leaves, each once. */
function firstFrames(heap: SharedHeap, work: () => void): string[] {
  work();
  const stacks = heap.inspect
    .history()
    .flatMap(({ stack }) => (stack === undefined ? [] : [stack]));
  return [...new Set(stacks.map((stack) => String(stack).split('\n')[0] ?? ''))];
}

const CALLS: Record<string, (heap: SharedHeap) => unknown> = {
  'malloc_ts and free_ts': (heap) => heap.free_ts(heap.malloc_ts(100)),
  'calloc_ts, realloc_ts': (heap) => heap.realloc_ts(heap.calloc_ts(10, 10), 200),
  alignedAlloc_ts: (heap) => heap.alignedAlloc_ts(64, 100),
  'malloc, free': (heap) => heap.free(heap.malloc(100)),
  'calloc, realloc': (heap) => heap.realloc(heap.calloc(10, 10), 200),
  alignedAlloc: (heap) => heap.alignedAlloc(64, 100),
};

for (const [name, call] of Object.entries(CALLS)) {
  test(`stacks: the first frame is the program's after ${name}`, (t) => {
    using heap = make();
    const frames = firstFrames(heap, function program() {
      call(heap);
    });
    t.true(frames.length > 0);
    for (const frame of frames) t.regex(frame, /stacks\.test/);
  });
}

test('stacks: what the program allocates when it is called back begins with its own frame', (t) => {
  using heap = make();
  const frames = firstFrames(heap, () => {
    heap.contexts.run('one', function work(context) {
      context.onReset(function atReset() {
        heap.malloc_ts(10);
      });
      heap.contexts.run('two', function inner() {
        heap.malloc_ts(20);
      });
      heap.malloc_ts(30);
    });
  });
  t.deepEqual(frames.map((frame) => frame.split(' ')[0]).sort(), ['atReset', 'inner', 'work']);
});

test('stacks: a formatter of the program and Error.stackTraceLimit are as they were', (t) => {
  using heap = make();
  const { prepareStackTrace, stackTraceLimit } = Error;
  heap.malloc_ts(100);
  t.is(Error.prepareStackTrace, prepareStackTrace);
  t.is(Error.stackTraceLimit, stackTraceLimit);
});
