/** Proves how sizes are parsed from numbers and texts, and which ones are refused. */

import test from 'ava';
import { parseBytes } from '../../src/options/index.js';

test('parseBytes: numbers are bytes, rounded down', (t) => {
  t.is(parseBytes(0), 0);
  t.is(parseBytes(65536), 65536);
  t.is(parseBytes(1.9), 1);
  t.is(parseBytes(2 ** 40), 2 ** 40);
});

test('parseBytes: B, KiB, MiB, GiB in any case, with or without a space', (t) => {
  t.is(parseBytes('65536'), 65536);
  t.is(parseBytes('12B'), 12);
  t.is(parseBytes('4KiB'), 4096);
  t.is(parseBytes('256MiB'), 256 * 2 ** 20);
  t.is(parseBytes('1GiB'), 2 ** 30);
  t.is(parseBytes('1 gib'), 2 ** 30);
  t.is(parseBytes(' 3 mIB '), 3 * 2 ** 20);
  t.is(parseBytes('0.5KiB'), 512);
  t.is(parseBytes('1.5GiB'), 1.5 * 2 ** 30);
  t.is(parseBytes('0.3B'), 0);
});

for (const text of ['', ' ', 'MiB', '1MB', '1kb', '1TiB', '-1', '1e6', '0x10', '1.', '.5', '1 2']) {
  test(`parseBytes: refuses '${text}'`, (t) => {
    t.throws(() => parseBytes(text), {
      instanceOf: RangeError,
      code: 'ERR_SHMALLOC_INVALID_OPTION',
      message: new RegExp(`got '${text}'`),
    });
  });
}

for (const value of [-1, -0.5, NaN, Infinity, -Infinity]) {
  test(`parseBytes: refuses the number ${value}`, (t) => {
    t.throws(() => parseBytes(value), {
      instanceOf: RangeError,
      code: 'ERR_SHMALLOC_INVALID_OPTION',
      message: new RegExp(`got ${value}`),
    });
  });
}

for (const value of [undefined, null, 5n, {}, [1], true]) {
  test(`parseBytes: refuses ${typeof value} ${String(value)} with a TypeError`, (t) => {
    t.throws(() => parseBytes(value as never), {
      instanceOf: TypeError,
      code: 'ERR_SHMALLOC_INVALID_OPTION',
    });
  });
}
