/** Proves the layout of tables and the format of their numbers. */

import test from 'ava';
import {
  markdownTable,
  number,
  percent,
  short,
  textTable,
  within,
  wrapText,
} from '../../bench/tables.js';

const COLUMNS = ['name', 'ns'];
const ROWS = [
  ['larson', '12.3'],
  ['a|b', '4'],
];

test('textTable: columns of equal width, the first aligned to the left', (t) => {
  t.is(textTable(COLUMNS, ROWS), '  name      ns\n  larson  12.3\n  a|b        4\n');
});

test('markdownTable: a rule under the head; characters that would end a cell are escaped', (t) => {
  t.is(
    markdownTable(COLUMNS, [...ROWS, ['short']]),
    '| name | ns |\n| --- | ---: |\n| larson | 12.3 |\n| a\\|b | 4 |\n| short |  |\n',
  );
});

test('short: three significant digits', (t) => {
  t.deepEqual(
    [0.61234, 12.345, 0, 1234.5, 0.00123, Number.NaN].map((value) => short(value)),
    ['0.61', '12.3', '0.00', '1,235', '0.0012', '-'],
  );
});

test('number, percent, within: empty for a missing number', (t) => {
  t.is(number(undefined), '-');
  t.is(number(1.25, 2), '1.25');
  t.is(percent(Number.NaN), '');
  t.is(within(0.61, 0.034), '0.61 ±3 %');
  t.is(within(0.61, Number.NaN), '0.61');
});

test('wrapText: lines that fit, and no word is lost', (t) => {
  const words = Array.from({ length: 60 }, (_, n) => `word${n}`);
  const lines = wrapText(words.join(' '), '  ', 40).trimEnd().split('\n');
  t.true(lines.every((line) => line.startsWith('  ') && line.length <= 40));
  t.deepEqual(
    lines.flatMap((line) => line.trim().split(' ')),
    words,
  );
});
