/**
 * Proves that options objects are checked: values that are not objects, unknown options, and values
 * that are not allowed; and that the call says what is wrong whatever a getter does.
 */

import test from 'ava';
import {
  ANYTHING,
  callback,
  checkOptions,
  FLAG,
  lookAt,
  type OptionValues,
  oneOf,
  rangeError,
  readOptions,
  TEXT,
  wholeFrom,
} from '../../src/base/index.js';

interface Options {
  length?: number;
  offset?: number;
  from?: string;
  mode?: 'fast' | 'slow';
  quiet?: boolean;
  write?: (text: string) => void;
  rest?: unknown;
}

const VALUES: OptionValues<Options> = {
  length: wholeFrom('a whole number from 1 to 9', 1, 9),
  offset: wholeFrom('a whole number from -5', -5),
  from: TEXT,
  mode: oneOf('fast', 'slow'),
  quiet: FLAG,
  write: callback('a function that gets the text'),
  rest: ANYTHING,
};

const read = (given: unknown, within?: string) => readOptions('show', given, VALUES, within);
const refused = (instanceOf: ErrorConstructor, message: string) => ({
  instanceOf,
  code: 'ERR_SHMALLOC_INVALID_OPTION',
  message,
});

test('readOptions: returns what is given and known; undefined counts as not given', (t) => {
  const write = () => {};
  t.deepEqual(read(undefined), {});
  t.deepEqual(read({}), {});
  t.deepEqual(read({ offset: -5, length: undefined, mode: 'slow' }), { offset: -5, mode: 'slow' });
  t.deepEqual(read({ quiet: false, from: '', write }), { quiet: false, from: '', write });
  t.deepEqual(read({ rest: null }), { rest: null } as never);
  t.deepEqual(read(Object.assign(Object.create(null), { from: 'x' })), { from: 'x' });
  t.deepEqual(read(Object.create({ length: 3 })), { length: 3 }, 'defaults may be inherited');
});

test('readOptions, checkOptions: refuse what is not an object, and unknown options', (t) => {
  const all = "'length', 'offset', 'from', 'mode', 'quiet', 'write' and 'rest'";
  for (const [given, message] of [
    [{ offset: 5, lenght: 6 }, "show: there is no option 'lenght'; the nearest is 'length'"],
    [{ zzzzzz: 6 }, `show: there is no option 'zzzzzz'; it takes ${all}`],
    [{ toString: 6 }, `show: there is no option 'toString'; it takes ${all}`],
    [null, `show: options are an object with ${all}, got null`],
    [['offset'], `show: options are an object with ${all}, got an array of 1`],
    ['offset', `show: options are an object with ${all}, got 'offset'`],
    [() => 0, `show: options are an object with ${all}, got a function`],
  ] as const) {
    t.throws(() => read(given), refused(TypeError, message));
    t.throws(() => checkOptions('show', given, Object.keys(VALUES)), refused(TypeError, message));
  }
  t.throws(
    () => read({ lenght: 5 }, 'part'),
    refused(TypeError, "show: part has no option 'lenght'; the nearest is 'length'"),
  );
});

test('readOptions: refuses a value of the wrong type or outside of the limits', (t) => {
  for (const [given, kind, message] of [
    [{ length: 10 }, RangeError, 'length must be a whole number from 1 to 9, got 10'],
    [{ length: Number.NaN }, RangeError, 'length must be a whole number from 1 to 9, got NaN'],
    [{ length: '5' }, TypeError, "length must be a whole number from 1 to 9, got '5'"],
    [{ length: 5n }, TypeError, 'length must be a whole number from 1 to 9, got 5n'],
    [{ offset: -6 }, RangeError, 'offset must be a whole number from -5, got -6'],
    [{ from: null }, TypeError, 'from must be a text, got null'],
    [
      { from: { a: [1], b: 'x' } },
      TypeError,
      "from must be a text, got { a: an array of 1, b: 'x' }",
    ],
    [{ mode: 'fsat' }, TypeError, "mode must be 'fast' or 'slow', got 'fsat'"],
    [{ quiet: 1 }, TypeError, 'quiet must be true or false, got 1'],
    [{ write: 'x' }, TypeError, "write must be a function that gets the text, got 'x'"],
  ] as const) {
    t.throws(() => read(given), refused(kind, `show: ${message}`));
    t.throws(() => read(given, 'part'), refused(kind, `show: part.${message}`));
  }
});

test('readOptions: reads each option once', (t) => {
  let reads = 0;
  const given = Object.defineProperty({}, 'length', { get: () => ++reads, enumerable: true });
  t.deepEqual(read(given), { length: 1 });
  t.is(reads, 1);
});

test('readOptions: what a getter or a proxy throws is the cause of our error', (t) => {
  const cause = new Error('no');
  const refuse = () => {
    throw cause;
  };
  const getter = Object.defineProperty({}, 'from', { get: refuse, enumerable: true });
  const text = 'show: cannot read option from: looking at it threw Error: no';
  t.is(t.throws(() => read(getter), refused(TypeError, text))?.cause, cause);
  const proxy = new Proxy({}, { ownKeys: refuse });
  const all = 'show: cannot read the options: looking at it threw Error: no';
  t.is(t.throws(() => read(proxy), refused(TypeError, all))?.cause, cause);
  const { proxy: revoked, revoke } = Proxy.revocable({}, {});
  revoke();
  t.throws(() => read(revoked), { code: 'ERR_SHMALLOC_INVALID_OPTION' });
  t.throws(() => read({ from: revoked }), {
    message: 'show: from must be a text, got an object that cannot be looked at',
  });
});

test('lookAt: an error of ours stays, any other error becomes one of ours', (t) => {
  const ours = rangeError('ERR_SHMALLOC_INVALID_SIZE', 'ours');
  const give = (error: unknown) => () => {
    throw error;
  };
  t.is(
    lookAt('call', 'it', () => 5),
    5,
  );
  t.is(
    t.throws(() => lookAt('call', 'it', give(ours))),
    ours,
  );
  for (const [thrown, text] of [
    [new TypeError('theirs'), 'TypeError: theirs'],
    ['text', "'text'"],
    [undefined, 'undefined'],
    [new Proxy({}, { get: give('no') }), 'an object that cannot be looked at'],
  ] as const) {
    const message = `call: cannot read it: looking at it threw ${text}`;
    t.throws(() => lookAt('call', 'it', give(thrown)), refused(TypeError, message));
  }
});
