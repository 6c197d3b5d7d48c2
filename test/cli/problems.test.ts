/** Proves that broken invariants are told: where, which, and what; and that many are cut short. */

import test from 'ava';
import { complainOfProblems, describeProblems, type Problem } from '../../src/cli/problems.js';

const PROBLEM: Problem = {
  invariant: 'spans I1',
  address: 0x4010,
  message: 'a free block is live',
};

test('describeProblems: a line each', (t) => {
  t.deepEqual(describeProblems([]), []);
  t.deepEqual(describeProblems([PROBLEM]), ['0x4010: spans I1: a free block is live']);
});

test('describeProblems: of many only the first, and how many more', (t) => {
  const lines = describeProblems(Array.from({ length: 50 }, () => PROBLEM));
  t.is(lines.length, 21);
  t.is(lines.at(-1), 'and 30 more');
});

test.serial('complainOfProblems: tells on stderr, and whether there was anything', (t) => {
  const told: string[] = [];
  const { error } = console;
  console.error = (line: string) => told.push(line);
  try {
    t.false(complainOfProblems([]));
    t.deepEqual(told, []);
    t.true(complainOfProblems([PROBLEM]));
  } finally {
    console.error = error;
  }
  t.deepEqual(told, [
    'shmalloc: the heap is broken, 1 problem(s):',
    '  0x4010: spans I1: a free block is live',
  ]);
});
