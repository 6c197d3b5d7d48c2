/**
 * Proves what inspect.print takes and refuses, and that the text is that of its heap.
 * sync-output.long.test.ts has readers that are slow, or gone.
 */

import test from 'ava';
import { type PrintOptions, SharedHeap } from 'shmalloc';

test('inspect.print: a write option that is not a function is refused', (t) => {
  using heap = SharedHeap.create({ size: '4MiB', threads: 1, debug: { history: 10 } });
  for (const what of ['blocks', 'contents', 'leaks', 'history', 'contexts', 'stats'] as const) {
    const known = what === 'history' ? "'write', 'address', 'thread' and 'last'" : "'write'";
    for (const [options, message] of [
      [{ write: 'x' }, "inspect.print: write must be a function that gets the text, got 'x'"],
      [{ wirte: () => 0 }, "inspect.print: there is no option 'wirte'; the nearest is 'write'"],
      [() => 0, `inspect.print: options are an object with ${known}, got a function`],
    ] as const) {
      t.throws(() => heap.inspect.print(what, options as unknown as PrintOptions), {
        instanceOf: TypeError,
        code: 'ERR_SHMALLOC_INVALID_OPTION',
        message,
      });
    }
  }
});

test('inspect.print: what there is not is refused, with what there is', (t) => {
  using heap = SharedHeap.create({ size: '4MiB', threads: 1 });
  for (const what of ['block', 5, undefined, null]) {
    t.throws(() => heap.inspect.print(what as never), {
      instanceOf: TypeError,
      code: 'ERR_SHMALLOC_INVALID_OPTION',
      message: /^inspect\.print: what is printed must be 'blocks', 'contents', .*, got /,
    });
  }
});

test('inspect.print: each text is that of the heap it is asked of', (t) => {
  using heap = SharedHeap.create({ size: '4MiB', threads: 1 });
  heap.malloc_ts(100);
  const texts = (['blocks', 'contents', 'leaks', 'contexts', 'stats'] as const).map((what) => {
    let text = '';
    heap.inspect.print(what, { write: (piece) => (text += piece) });
    return text.split('\n').slice(0, 2).join(' ');
  });
  const patterns = [
    /^TINY : 0x/,
    /^TINY : 0x/,
    /^HEAP SUMMARY: in use at exit: 112 bytes/,
    /grand total/i,
    /4 MiB/,
  ];
  for (const [n, pattern] of patterns.entries()) t.regex(texts[n] ?? '', pattern);
});
