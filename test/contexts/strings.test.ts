/** Proves that texts come back from the heap as they went in, whatever is in them. */

import test from 'ava';
import { SharedHeap } from 'shmalloc';

const TEXTS = [
  '',
  'a\0b',
  'Grüße 日本',
  '\u{1f600}',
  '\ud800',
  'x\udc00y',
  '\udfff\ud800\ud83d',
  '\ufffd\ud800\ufffd',
];

test('allocString, readString: every text comes back, halves of characters too', (t) => {
  using heap = SharedHeap.create({ size: '4MiB' });
  const context = heap.contexts.create('texts', { kind: 'set' });
  for (const text of TEXTS) t.is(heap.readString(context.allocString(text)), text);
  t.true(heap.verify({ quiet: true }).ok);
});

test('allocString: four bytes of length, UTF-8, a zero byte; a half takes three bytes', (t) => {
  using heap = SharedHeap.create({ size: '4MiB' });
  const context = heap.contexts.create('texts');
  for (const [text, bytes] of [
    ['é\u{1f600}', [0xc3, 0xa9, 0xf0, 0x9f, 0x98, 0x80]],
    ['\ud800', [0xed, 0xa0, 0x80]],
  ] as const) {
    const address = context.allocString(text);
    t.is(heap.u32[address >>> 2], bytes.length);
    const from = address + 4;
    t.deepEqual([...heap.u8.subarray(from, from + bytes.length + 1)], [...bytes, 0]);
  }
});
