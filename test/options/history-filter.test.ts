/**
 * Proves that the filter of a history is checked, and that valid filters select the right events.
 */

import test from 'ava';
import { SharedHeap } from 'shmalloc';

const withHistory = () =>
  SharedHeap.create({ size: '4MiB', threads: 1, debug: { history: 100, onError: 'throw' } });

for (const [filter, kind, message] of [
  [{ last: -1 }, RangeError, 'last must be how many events, a whole number from 0, got -1'],
  [{ last: 1.5 }, RangeError, 'last must be how many events, a whole number from 0, got 1.5'],
  [{ last: 'x' }, TypeError, "last must be how many events, a whole number from 0, got 'x'"],
  [{ last: null }, TypeError, 'last must be how many events, a whole number from 0, got null'],
  [
    { thread: Number.NaN },
    RangeError,
    'thread must be a threadId of worker_threads, a whole number from 0, got NaN',
  ],
  [
    { address: '16' },
    TypeError,
    "address must be a block's address, a whole number from 0, got '16'",
  ],
  [{ threadId: 0 }, TypeError, "there is no option 'threadId'; the nearest is 'thread'"],
  [null, TypeError, "options are an object with 'address', 'thread' and 'last', got null"],
  [5, TypeError, "options are an object with 'address', 'thread' and 'last', got 5"],
] as const) {
  test(`inspect.history, inspect.print: the filter ${JSON.stringify(filter)} is refused`, (t) => {
    using heap = withHistory();
    const refused = { instanceOf: kind, code: 'ERR_SHMALLOC_INVALID_OPTION' };
    t.throws(() => heap.inspect.history(filter as never), {
      ...refused,
      message: `inspect.history: ${message}`,
    });
    const write = () => t.fail('something is printed');
    // Only of an object can there be one with a writer.
    if (filter === null || typeof filter === 'number') return;
    t.throws(() => heap.inspect.print('history', { ...(filter as object), write }), {
      ...refused,
      message: `inspect.print: ${message}`,
    });
  });
}

test('history, inspect.print history: filters select events', (t) => {
  using heap = withHistory();
  const blocks = [1, 2, 3].map(() => heap.malloc_ts(10));
  const [address = 0] = blocks;
  t.is(heap.inspect.history().length, 3);
  t.is(heap.inspect.history({}).length, 3);
  t.is(heap.inspect.history({ last: 0 }).length, 0);
  t.is(heap.inspect.history({ last: 2, address: undefined } as never).length, 2);
  t.deepEqual(
    heap.inspect.history({ address }).map((event) => event.address),
    [address],
  );
  t.is(
    heap.inspect.history({ thread: 0 }).length,
    3 * Number(heap.inspect.history()[0]?.threadId === 0),
  );
  let text = '';
  heap.inspect.print('history', {
    last: 2,
    write(piece) {
      text += piece;
    },
  });
  t.is(text.split('\n').length, 3);
});
