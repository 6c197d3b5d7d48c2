/**
 * Proves the contract of heap.allocString and heap.readString: texts that any thread reads, and errors with a code.
 */

import test from 'ava';
import { SharedHeap } from 'shmalloc';

test('heap.allocString: readString gives the text back, and free_ts frees it', (t) => {
  using heap = SharedHeap.create({ size: '2MiB', threads: 1 });
  for (const text of ['', 'plain', 'naïve ☃ 🜁', '\ud800 half', '\0']) {
    const address = heap.allocString(text);
    // As it arrives from a message or a word of the heap: a number.
    const word: number = Number(address);
    t.is(heap.readString(word), text);
    heap.free_ts(word);
  }
  t.is(heap.stats().inUseBytes, 0);
});

test('heap.allocString: what is no text, or finds no room, is an error and allocates nothing', (t) => {
  using heap = SharedHeap.create({ size: '2MiB', threads: 1 });
  t.throws(() => heap.allocString(5 as never), { code: 'ERR_SHMALLOC_INVALID_OPTION' });
  t.throws(() => heap.allocString('x'.repeat(4_000_000)), {
    code: 'ERR_SHMALLOC_HEAP_EXHAUSTED',
    message: /^allocString: the heap has no 4000005 bytes left/,
  });
  t.is(heap.stats().inUseBytes, 0);
});
