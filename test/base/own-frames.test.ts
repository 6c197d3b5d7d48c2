/** Proves that frames are recognised by their place when the package and the program are one file. */

import test from 'ava';
import { beginOwn, isOwnFrame } from '../../src/base/index.js';

/** Frames above a function, in the form that debug/stacks.ts has them. */
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

test('isOwnFrame: true between two marks of one file, false before and after them', (t) => {
  t.regex(before(), /before/);
  t.regex(after(), /after/);
  t.true(isOwnFrame(inside()[1] ?? ''));
  t.false(isOwnFrame(before()));
  t.false(isOwnFrame(after()));
  t.false(isOwnFrame('new Promise (<anonymous>)'));
});
