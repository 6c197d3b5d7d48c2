/**
 * Proves the pictures of `shmalloc replay`: they show the heap when it held most, a film has the
 * requested frames, and a wrong call is reported in one line before anything runs.
 */

import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import anyOrder, { type ExecutionContext } from 'ava';
import { planMaps } from '../../src/cli/replay-pictures.js';
import type { Trace } from '../../src/trace/index.js';
import { TraceFolder } from '../trace/make-trace.js';
import { ROOT, shmalloc } from '../workers.js';

// Each test starts processes: one at a time is enough for a small machine.
const test = anyOrder.serial;

const shipped = (name: string) => fileURLToPath(new URL(`bench/traces/${name}.mtr.gz`, ROOT));

/** A trace that holds most after operation 100 of 220: 100 blocks of 5000 bytes. */
const hill = (folder: TraceFolder): string =>
  folder.trace(
    'hill',
    [
      ...Array.from({ length: 100 }, (_, slot) => ['malloc', slot, 5000] as const),
      ...Array.from({ length: 100 }, (_, slot) => ['free', slot] as const),
      ...Array.from({ length: 20 }, (_, slot) => ['malloc', slot, 16] as const),
    ],
    128,
  );

interface PageData {
  start: number;
  frames: { label: string }[];
}

function dataOf(file: string): PageData {
  const [, json] = /<script type="application\/json" id="data">(.*?)<\/script>/s.exec(
    readFileSync(file, 'utf8'),
  ) as RegExpExecArray;
  return JSON.parse(json) as PageData;
}

test('replay --show: draws the heap when it held most, below the statistics', async (t) => {
  const trace = hill(new TraceFolder(t));
  for (const extra of [[], ['--verify']]) {
    const { code, stdout, stderr } = await shmalloc('replay', trace, '--show', ...extra);
    t.is(code, 0, stderr);
    t.regex(
      stdout,
      /\nThe heap when it held most: hill, after operation 100 of 220\n\nheap map: 1 GiB/,
    );
    t.regex(stdout, /^ +5,120 +\d+ +100 +\d+ +\d+ /m, 'a hundred live blocks of that class');
    t.true(stdout.indexOf('size classes') < stdout.indexOf('heap map'));
    // biome-ignore lint/suspicious/noControlCharactersInRegex: it must not be there
    t.notRegex(stdout, /\u001b/, 'no colours, since stdout is not a terminal');
  }
});

test('replay --svg, --html: files of the same map; --json stays JSON', async (t) => {
  const folder = new TraceFolder(t);
  const [svg, html] = [folder.path('map.svg'), folder.path('map.html')];
  const { code, stdout, stderr } = await shmalloc(
    ...['replay', hill(folder), '--json', '--svg', svg, '--html', html],
  );
  t.is(code, 0, stderr);
  t.is((JSON.parse(stdout) as { operations: number }).operations, 5 * 220);
  t.regex(readFileSync(svg, 'utf8'), /^<svg [\s\S]*Heap map: hill, after operation 100 of 220/);
  t.deepEqual(
    dataOf(html).frames.map(({ label }) => label),
    ['hill, after operation 100 of 220'],
  );
});

test('replay --frames: makes the requested number of maps, evenly over the run', async (t) => {
  const folder = new TraceFolder(t);
  const html = folder.path('film.html');
  const { code, stderr } = await shmalloc(
    ...['replay', hill(folder), '--frames', '11', '--html', html],
  );
  t.is(code, 0, stderr);
  const { frames, start } = dataOf(html);
  t.deepEqual(
    frames.map(({ label }) => label),
    Array.from({ length: 11 }, (_, n) => `hill, after operation ${20 * n + 10} of 220`),
  );
  t.is(start, 4, 'begins with the first of the fullest, after operation 90');
});

test('replay --frames: several traces on several threads', async (t) => {
  const html = new TraceFolder(t).path('film.html');
  const { code, stdout, stderr } = await shmalloc(
    ...['replay', ...['ls', 'git', 'make', 'ps'].map(shipped), '--threads', '2', '--show'],
    ...['--frames', '20', '--html', html, '--repeat', '2'],
  );
  t.is(code, 0, stderr);
  t.is(dataOf(html).frames.length, 20);
  t.regex(stdout, /The heap when it held most: (ls|git|make|ps), after operation/);
});

test('replay --show: a full heap is shown at that moment', async (t) => {
  const { code, stdout } = await shmalloc(
    ...['replay', shipped('perl'), '--heap', '2MiB', '--repeat', '1', '--show'],
  );
  t.is(code, 1);
  t.regex(stdout, /held most: perl, after operation [\d,]+ of [\d,]+, the heap is full\n/);
});

test('replay --show: an empty trace shows the empty heap', async (t) => {
  const path = new TraceFolder(t).trace('empty', [], 0);
  const { code, stdout } = await shmalloc('replay', path, '--show');
  t.is(code, 0);
  t.regex(stdout, /0 live blocks/);
});

function assertRefused(
  t: ExecutionContext,
  { code, stdout, stderr }: { code: number | null; stdout: string; stderr: string },
  says: RegExp,
): void {
  t.is(code, 2, stderr);
  t.is(stdout, '');
  t.regex(stderr, says);
  t.is(stderr.split('\n').length, 2, 'one line');
}

for (const [args, says] of [
  [['--frames', '10'], /--frames.*--html/],
  [['--frames', '0', '--html', 'x.html'], /--frames.*'0'/],
  [['--frames', '501', '--html', 'x.html'], /--frames.*'501'/],
  [['--show', '--json'], /--show.*--json/],
  [['--svg', 'x', '--html', 'x'], /both write x/],
  [['--svg', '/nowhere/at/all.svg'], /--svg.*\/nowhere\/at\/all\.svg.*no such file/],
  [['--html', '/nowhere/at/all.html'], /--html.*no such file/],
  [['--svg', '.'], /--svg.*\..*directory/],
  [['--svg'], /svg/],
] as const) {
  test(`replay ${args.join(' ')}: exit code 2, with the reason`, async (t) => {
    assertRefused(t, await shmalloc('replay', shipped('hostname'), ...args), says);
    t.false(existsSync('x.html'));
  });
}

test('planMaps: frames are evenly spread over all tasks, and none is lost between two', (t) => {
  const trace = (operations: number): Trace => ({
    name: 'x',
    operations,
    blockIds: 1,
    threads: 1,
    peakLiveBytes: 0,
    peakOperations: 0,
    words: new Uint32Array(new SharedArrayBuffer(0)),
  });
  const options = { show: false, svg: undefined, html: 'x', frames: 100 };
  for (const counts of [[1000, 10, 1], [7, 5, 3, 0], [36_851], [100, 100, 100]]) {
    const plan = planMaps(counts.map(trace), options);
    t.is(plan.flat().length, 100);
    plan.forEach((wanted, n) => {
      t.true(wanted.every(({ after }) => after >= 0 && after < counts[n]));
    });
  }
  t.deepEqual(planMaps([trace(0)], options), [[]]);
});
