/** Proves that frames are told by their place, where a package and a program are one file. */

import test from 'ava';
import { beginOwn, isOwnFrame } from '../../src/base/index.js';

/** Frames above a function, as debug/stacks.ts has them. */
function framesAbove(above: (...of: never[]) => unknown): string[] {
  const holder = { stack: '' };
  Error.captureStackTrace(holder, above);
  return holder.stack.split('\n').map((line) => line.trim().replace(/^at /, ''));
}

const before = (): string => inside()[2] ?? '';
const end = beginOwn();
function inside(): string[] {
  return framesAbove(framesAbove);
}
end();
const after = (): string => inside()[2] ?? '';

test('isOwnFrame: a frame between two marks of one file is, one before or behind them is not', (t) => {
  t.regex(before(), /before/);
  t.regex(after(), /after/);
  t.true(isOwnFrame(inside()[1] ?? ''));
  t.false(isOwnFrame(before()));
  t.false(isOwnFrame(after()));
  t.false(isOwnFrame('new Promise (<anonymous>)'));
});
