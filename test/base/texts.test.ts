/**
 * Proves that printable texts are harmless in a terminal, and that encoding and decoding keep every
 * text.
 */

import test from 'ava';
import fc from 'fast-check';
import {
  decodeText,
  encodeHalves,
  hasHalves,
  printable,
  printableLines,
} from '../../src/base/index.js';
import { seedOf } from '../helpers.js';

test('printable: escapes what commands a terminal or changes the direction of a line', (t) => {
  t.is(
    printable('GET /\u001b[2J\nnext\t\u009b1m\u007f'),
    'GET /\\u001b[2J\\nnext\\t\\u009b1m\\u007f',
  );
  t.is(printable('a\u202eb\u2066\u200f\u2028\ud800'), 'a\\u202eb\\u2066\\u200f\\u2028\\ud800');
  t.is(printable('Grüße 日本 👩‍🚀 \\'), 'Grüße 日本 👩‍🚀 \\');
  t.is(printableLines('a\u0007\nb'), 'a\\u0007\nb');
});

test('encodeHalves, decodeText: keep every text, and give UTF-8 where UTF-8 is possible', (t) => {
  const utf8 = (bytes: Uint8Array): string => Buffer.from(bytes).toString('utf8');
  const unit = fc.oneof(
    fc.integer({ min: 0xd7f0, max: 0xe010 }),
    fc.constantFrom(0xfffd, 0xfeff, 0, 0x41, 0x20ac),
  );
  fc.assert(
    fc.property(fc.array(unit, { maxLength: 12 }), (units) => {
      const text = String.fromCharCode(...units);
      const bytes = encodeHalves(text);
      const isUtf8 = Buffer.from(text).toString() === text;
      t.is(hasHalves(text), !isUtf8);
      t.is(decodeText(bytes, utf8), text);
      if (isUtf8) t.deepEqual(Buffer.from(bytes), Buffer.from(text));
    }),
    { numRuns: 2000, seed: seedOf(t) },
  );
});
