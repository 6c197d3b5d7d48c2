/**
 * Proves that broken invariants are reported with address, name and message; only the first of
 * many.
 */

import { spawnSync } from 'node:child_process';
import test from 'ava';
import { describeProblems, type Problem } from '../../src/cli/problems.js';

const PROBLEM: Problem = {
  invariant: 'spans I1',
  address: 0x4010,
  message: 'a free block is live',
};

test('describeProblems: one line per problem', (t) => {
  t.deepEqual(describeProblems([]), []);
  t.deepEqual(describeProblems([PROBLEM]), ['0x4010: spans I1: a free block is live']);
});

test('describeProblems: of many problems the first ones, and the number of the others', (t) => {
  const lines = describeProblems(Array.from({ length: 50 }, () => PROBLEM));
  t.is(lines.length, 21);
  t.is(lines.at(-1), 'and 30 more');
});

/** The output of a process that reports some problems, and whether it found any. */
function complain(problems: readonly Problem[]): { told: boolean; stderr: string } {
  const module = new URL('../../src/cli/problems.js', import.meta.url).href;
  const program = `
    const { complainOfProblems } = await import(${JSON.stringify(module)});
    console.log(complainOfProblems(${JSON.stringify(problems)}));`;
  const { stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', program]);
  return { told: String(stdout).trim() === 'true', stderr: String(stderr) };
}

test('complainOfProblems: prints on stderr, and returns whether there are problems', (t) => {
  t.deepEqual(complain([]), { told: false, stderr: '' });
  t.deepEqual(complain([PROBLEM]), {
    told: true,
    stderr:
      'shmalloc: the heap is broken, 1 problem(s):\n  0x4010: spans I1: a free block is live\n',
  });
});
