/** Proves the bit functions against plain arithmetic, over edge values and seeded random values. */

import test from 'ava';
import fc from 'fast-check';
import {
  countBits,
  hex,
  isPowerOfTwo,
  lowestBit,
  roundDown,
  roundUp,
  show,
} from '../../src/base/index.js';
import { seedOf } from '../helpers.js';

const naiveBits = (word: number): number[] =>
  [...(word >>> 0).toString(2).padStart(32, '0')].map(Number).reverse();

test('countBits: counts the ones in the binary text', (t) => {
  for (const word of [0, 1, -1, 0x80000000 | 0, 0x7fffffff, 0x55555555, 0xaaaaaaaa | 0]) {
    t.is(countBits(word), naiveBits(word).filter(Boolean).length, hex(word >>> 0));
  }
  const seed = seedOf(t);
  t.notThrows(() =>
    fc.assert(
      fc.property(
        fc.integer(),
        (word) => countBits(word) === naiveBits(word).filter(Boolean).length,
      ),
      { seed, numRuns: 2000 },
    ),
  );
});

test('lowestBit: finds the last one in the binary text', (t) => {
  for (let bit = 0; bit < 32; bit++) {
    t.is(lowestBit(1 << bit), bit);
    t.is(lowestBit(-1 << bit), bit);
  }
  const seed = seedOf(t);
  t.notThrows(() =>
    fc.assert(
      fc.property(
        fc.integer().filter((word) => word !== 0),
        (word) => lowestBit(word) === naiveBits(word).indexOf(1),
      ),
      { seed, numRuns: 2000 },
    ),
  );
});

test('isPowerOfTwo: true for 1, 2, 4 to 2^31 and nothing else', (t) => {
  for (let bit = 0; bit < 32; bit++) t.true(isPowerOfTwo(2 ** bit), `2^${bit}`);
  for (let bit = 2; bit < 32; bit++) {
    t.false(isPowerOfTwo(2 ** bit - 1), `2^${bit} - 1`);
    t.false(isPowerOfTwo(2 ** bit + 1), `2^${bit} + 1`);
  }
  for (const value of [0, -0, -1, -2, -8, 0.5, 1.5, 2 ** 32, 2 ** 40, Infinity, NaN]) {
    t.false(isPowerOfTwo(value), String(value));
  }
});

test('roundUp, roundDown: give the nearest multiples, also past 32 bits', (t) => {
  const seed = seedOf(t);
  t.notThrows(() =>
    fc.assert(
      fc.property(fc.nat(2 ** 53 - 2 ** 20), fc.nat(16), (value, shift) => {
        const step = 2 ** shift;
        const up = roundUp(value, step);
        const down = roundDown(value, step);
        return (
          up % step === 0 &&
          down % step === 0 &&
          down <= value &&
          value <= up &&
          up - value < step &&
          value - down < step
        );
      }),
      { seed, numRuns: 2000 },
    ),
  );
  t.is(roundUp(2 ** 32 + 1, 8192), 2 ** 32 + 8192);
  t.is(roundDown(2 ** 32 + 8191, 8192), 2 ** 32);
});

test('show, hex: values as error messages name them', (t) => {
  t.deepEqual(
    ['12', 12, -1, NaN, undefined, null, 7n, {}, [1, 2], new Map(), () => 0, true].map(show),
    [
      "'12'",
      '12',
      '-1',
      'NaN',
      'undefined',
      'null',
      '7n',
      'an object',
      'an array of 2',
      'an object (Map)',
      'a function',
      'true',
    ],
  );
  t.is(show(Object.create(null)), 'an object');
  t.is(hex(0x4010), '0x4010');
  t.is(hex(0xfffeffff), '0xfffeffff');
});
