/**
 * Proves that options objects are checked: what is none, and options that there are not.
 */

import test from 'ava';
import { checkOptions } from '../../src/base/index.js';

const check = (given: unknown, known = ['length', 'offset', 'from']) => {
  checkOptions('show', given, known);
};

test('checkOptions: nothing, and what is known, is right', (t) => {
  t.notThrows(() => check(undefined));
  t.notThrows(() => check({}));
  t.notThrows(() => check({ offset: 5, length: undefined }));
  t.notThrows(() => check(Object.assign(Object.create(null), { from: 1 })));
});

test('checkOptions: what is no object, and what is not known, says what is', (t) => {
  const all = "'length', 'offset' and 'from'";
  for (const [given, message] of [
    [{ offset: 5, lenght: 6 }, `show: there is no option 'lenght', only ${all}`],
    [null, `show: options are an object with ${all}, got null`],
    [['offset'], `show: options are an object with ${all}, got an array of 1`],
    ['offset', `show: options are an object with ${all}, got 'offset'`],
  ] as const) {
    t.throws(() => check(given), {
      instanceOf: TypeError,
      code: 'ERR_SHMALLOC_INVALID_OPTION',
      message,
    });
  }
  t.throws(() => check({ a: 1 }, ['b']), { message: "show: there is no option 'a', only 'b'" });
});
