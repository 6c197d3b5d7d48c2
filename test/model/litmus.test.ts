/**
 * Proves the order of memory accesses: every litmus test says what herd7 must find, and
 * docs/memory-model.md names all of them and no other. If herd7 is installed, it runs them.
 */

import { readFileSync } from 'node:fs';
import test from 'ava';
import { familyOf, findHerd, readLitmus, runHerd } from './litmus.js';

const tests = readLitmus();
const page = readFileSync(new URL('../../../docs/memory-model.md', import.meta.url), 'utf8');
const herd = findHerd();

/** Names in the last column of the page's tables. */
function namedTests(): Set<string> {
  const rows = page.split('\n').filter((line) => /^\|.*\|$/.test(line));
  const cells = rows.map((row) => row.split('|').at(-2) ?? '');
  return new Set(
    cells.flatMap((cell) => [...cell.matchAll(/`([a-z\d-]+)`/g)].map(([, n = '']) => n)),
  );
}

test('litmus: a file that shows a fault is named -was; every other one says Never, or why not', (t) => {
  for (const { name, expect, architecture } of tests) {
    t.true(expect === 'Never' || expect === 'Sometimes', name);
    t.true(architecture === 'AArch64' || architecture === 'X86', name);
  }
  const faults = tests.filter(({ name }) => familyOf(name).endsWith('-was'));
  for (const family of new Set(faults.map(({ name }) => familyOf(name).replace(/^x86-/, '')))) {
    const outcomes = tests.filter(({ name }) => familyOf(name).replace(/^x86-/, '') === family);
    t.true(
      outcomes.some(({ expect }) => expect === 'Sometimes'),
      `${family} shows no fault`,
    );
    const now = tests.filter(({ name }) => familyOf(name).startsWith(family.replace(/-was$/, '')));
    t.true(
      now.some(({ name, expect }) => !familyOf(name).endsWith('-was') && expect === 'Never'),
      `${family} has no test of what it is now`,
    );
  }
});

test('litmus: docs/memory-model.md names every test, and every named test exists', (t) => {
  const named = namedTests();
  const there = new Set(tests.map(({ name }) => familyOf(name)));
  t.deepEqual(
    [...there].filter((name) => !named.has(name)),
    [],
  );
  t.deepEqual(
    [...named].filter((name) => !there.has(name)),
    [],
  );
});

for (const architecture of ['AArch64', 'X86']) {
  test(`litmus: herd7 finds what the tests for ${architecture} expect`, (t) => {
    const some = tests.filter((one) => one.architecture === architecture);
    t.true(some.length > 0);
    if (herd === null) {
      const loud =
        `herd7 is not installed: ${some.length} litmus tests for ${architecture} were NOT run; ` +
        'CONTRIBUTING.md says how to get it';
      t.log(loud);
      process.emitWarning(loud);
      return;
    }
    const observed = runHerd(herd, some);
    for (const { name, says, expect } of some) t.is(observed.get(name), expect, `${name}: ${says}`);
  });
}
