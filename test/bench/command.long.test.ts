/** Proves the benchmark's command: its output, its files, and its exit codes. */

import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import anyOrder, { type ExecutionContext } from 'ava';
import { OURS, type Section } from '../../bench/section.js';
import { short } from '../../bench/tables.js';
import type { Verdict } from '../../bench/targets.js';
import { ROOT, run } from '../workers.js';

const test = anyOrder.serial;

const BENCH = fileURLToPath(new URL('dist/bench/main.js', ROOT));

const bench = (...args: readonly string[]) => run(process.execPath, [BENCH, ...args]);

function folder(t: ExecutionContext): string {
  const path = mkdtempSync(join(tmpdir(), 'shmalloc-bench-test-'));
  t.teardown(() => {
    rmSync(path, { recursive: true });
  });
  return path;
}

interface Written {
  readonly label: string;
  readonly machine: { readonly node: string; readonly cores: number };
  readonly sections: readonly Section[];
  readonly targets: readonly Verdict[];
}

test('bench larson --smoke --node: measures ours alone, and writes the result', async (t) => {
  const output = folder(t);
  const args = ['larson', '--smoke', '--node', '--threads', '1,2', '--output', output];
  const { code, stdout, stderr } = await bench(...args);
  t.is(code, 0, stderr);
  const path = stdout.trim().split('\n').at(-1) as string;
  t.is(path, join(output, 'larson-smoke-node.json'));
  const { label, machine, sections, targets } = JSON.parse(readFileSync(path, 'utf8')) as Written;
  t.is(label, 'larson-smoke-node');
  t.is(machine.node, process.version);
  const timings = sections.flatMap((section) => section.timings ?? []);
  t.deepEqual(
    timings.map(({ name, threads, allocator }) => [name, threads, allocator]),
    [
      ['larson', 1, OURS],
      ['larson', 2, OURS],
    ],
  );
  for (const { ns, footprintBytes, peakLiveBytes } of timings) {
    t.is(ns.length, 1);
    t.true((ns[0] as number) > 0);
    t.true((footprintBytes as number) > (peakLiveBytes as number));
  }
  t.true(targets.every(({ verdict }) => verdict === 'not measured'));

  t.regex(stdout, /\n {2}larson +1 +[\d,.]+\n {2}larson +2 /);
  t.regex(stdout, /\nworkloads, scaling: .* \(\d+ cores\)\n/);
  t.regex(stdout, /\nmissing: all peers: left out by --node\n/);

  const page = readFileSync(join(output, 'larson-smoke-node.md'), 'utf8');
  t.regex(page, /\| Node \| v\d+\.\d+\.\d+ \|/);
  const plots = [...page.matchAll(/!\[[^\]]+\]\(([^)]+)\)/g)].map(([, file]) => file as string);
  t.true(plots.length > 0);
  const files = readdirSync(output);
  for (const file of plots) t.true(files.includes(file), file);
});

test('bench crowd --smoke: a full heap, fairness and rescue, each with threads per core', async (t) => {
  const output = folder(t);
  const { code, stdout, stderr } = await bench('crowd', '--smoke', '--node', '--output', output);
  t.is(code, 0, stderr);
  const path = stdout.trim().split('\n').at(-1) as string;
  const { sections } = JSON.parse(readFileSync(path, 'utf8')) as Written;
  const cores = availableParallelism();
  const [, full, fair, rescue] = sections as readonly Section[];
  for (const section of [full, fair, rescue]) {
    t.true(section?.title.endsWith(`${cores} cores`), section?.title);
  }
  t.true((full?.figures?.['malloc of a full heap, 1 idle'] as number) > 0);
  for (const section of [fair, rescue]) {
    t.deepEqual(
      section?.rows.map(([threads]) => threads),
      ['3'],
    );
    t.is(section?.columns[1], 'per core');
    t.is(section?.rows[0]?.[1], short(3 / cores));
  }
});

test('bench: a wrong call ends with code 2 and one line with the reason', async (t) => {
  const { code, stdout, stderr } = await bench('larson', '--threads', 'many');
  t.is(code, 2);
  t.is(stdout, '');
  t.regex(stderr, /^bench: --threads: whole numbers from 1 to 64, got 'many'\n/);
});

test('bench --help: lists all parts, and says that partial runs publish nothing', async (t) => {
  const { code, stdout } = await bench('--help');
  t.is(code, 0);
  t.regex(
    stdout,
    /--publish +also writes docs\/benchmarks\.md and its plots: only a whole run may/,
  );
});
