/**
 * Proves that the fences of docs/memory-model.md are in the code: by a process that claims to be an
 * ARM64 one (memory-order.script.ts), and in the source where a plain and an atomic access look
 * alike.
 */

import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import test from 'ava';

const SCRIPT = fileURLToPath(new URL('./memory-order.script.js', import.meta.url));
const SRC = new URL('../../../src/', import.meta.url);

const lines = execFileSync(process.execPath, [SCRIPT], { encoding: 'utf8' }).trim().split('\n');
const steps = new Map(lines.map((line) => JSON.parse(line) as [string, string[]]));
const stepOf = (name: string): string => (steps.get(name) ?? []).join(', ');

test('orderReads: an element is read before the version is read again', (t) => {
  t.is(stepOf('get'), 'load version, load data, store own, load version, load data');
});

test('orderWrites: no byte of a record is written before its version is odd', (t) => {
  t.regex(stepOf('set'), /add version, load own, add version, load own$/);
});

test('publish: an atomic store gives a vector its new storage, between two versions', (t) => {
  t.regex(stepOf('reserve'), /add version, load own, store data, add version, load own$/);
});

test('orderWrites: a vector is seen to have ended before its memory is used again', (t) => {
  t.regex(stepOf('delete'), /store data, load own$/);
});

test("orderWrites: a new block's state is there before its tag; an event's number is 0 before it is written", (t) => {
  t.regex(
    stepOf('malloc'),
    /store state, load own, store number, load own, store number, store state/,
  );
});

test('orderReads: an event of the history is read before its number is read again', (t) => {
  t.regex(stepOf('history'), /load number, store own, load number$/);
});

test('context record: its owner alone reads the parent plainly, and no thread the state', (t) => {
  const plain = readdirSync(SRC, { recursive: true, encoding: 'utf8' }).filter(
    (file) =>
      file.endsWith('.ts') && /\b[gs]etParent\(u32/.test(readFileSync(new URL(file, SRC), 'utf8')),
  );
  t.deepEqual(plain, ['contexts/context-registry.ts']);
  // The owner writes it plainly once: before the context is LIVE.
  const registry = readFileSync(new URL('contexts/context-registry.ts', SRC), 'utf8');
  t.is([...registry.matchAll(/\bsetParent\(u32/g)].length, 1);
  t.regex(
    registry,
    /ContextRecord.setParent\(u32, record, parent\);[\s\S]{1,300}ContextRecord.LIVE/,
  );
});
