/**
 * Startup as a part of the benchmark: runs of startup.ts and worker-start.ts, with the bundles that the
 * package has.
 */

import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import type { Part, Setting } from './part.js';
import { ROOT, runModule } from './processes.js';
import { MIB, type Section } from './section.js';
import type { StartupResult } from './startup.js';
import { median, spread } from './statistics.js';
import { NOTHING, short, within } from './tables.js';
import type { Times, WorkerStarts } from './worker-start.js';

const STARTUP = new URL('./startup.js', import.meta.url);
const WORKER_START = new URL('./worker-start.js', import.meta.url);
/** Workers of each kind, for each round. */
const WORKERS = { smoke: 2, full: 4 };

export const startup: Part = {
  name: 'startup',
  about: 'the first heap of a process, and the start of a worker that uses it, cold',
  measure,
};

function measure({ smoke, rounds, tell }: Setting): Section[] {
  tell('startup');
  const folder = mkdtempSync(join(tmpdir(), 'shmalloc-startup-'));
  try {
    const entry = bundleInto(folder);
    const workers = rounds * WORKERS[smoke ? 'smoke' : 'full'];
    return [
      processSection(entry, rounds * 2 + 1),
      workerSection(runModule<WorkerStarts[]>(WORKER_START, [entry, `${workers}`])),
    ];
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Makes the bundles of the package in a folder; returns the URL of the main one. */
function bundleInto(folder: string): string {
  const dist = join(folder, 'dist');
  writeFileSync(join(folder, 'package.json'), '{ "type": "module" }');
  execFileSync(process.execPath, ['bundle.js', dist], { cwd: fileURLToPath(ROOT) });
  return pathToFileURL(join(dist, 'src/index.js')).href;
}

function processSection(entry: string, runs: number): Section {
  // One run takes a tenth of a second, and varies more than any other measurement here.
  const all = Array.from({ length: runs }, () => runModule<StartupResult>(STARTUP, [entry]));
  const resident = all.map(({ createResidentBytes }) => (createResidentBytes ?? Number.NaN) / MIB);
  const found: Record<string, number[]> = {
    'create 1 GiB, ms': all.map(({ createMs }) => createMs),
    'create 1 GiB, resident MiB': resident.filter((value) => !Number.isNaN(value)),
  };
  return {
    title: 'startup, cold',
    columns: ['', 'median', 'least'],
    rows: Object.entries(found).map(([name, values]) => [
      name,
      within(median(values), spread(values)),
      short(Math.min(...values)),
    ]),
    notes: ['Targets are for the minimum: other work of the machine can only add to it.'],
    figures: least(found),
  };
}

const least = (found: Readonly<Record<string, readonly number[]>>): Record<string, number> =>
  Object.fromEntries(
    Object.entries(found)
      .filter(([, values]) => values.length > 0)
      .map(([name, values]) => [name, Math.min(...values)]),
  );

/** Milliseconds from the import to the first allocation. */
const together = ({ importMs, attachMs, allocateMs }: Times): number =>
  importMs + attachMs + allocateMs;

function workerSection(starts: readonly WorkerStarts[]): Section {
  const of = (wanted: string): readonly Times[] =>
    starts.find(({ kind }) => kind === wanted)?.times ?? [];
  const leastOf = (times: readonly Times[], ask: (one: Times) => number): number =>
    Math.min(...times.map(ask));
  const ours = leastOf(of('shmalloc'), together);
  const absent = starts.filter((start) => start.absent !== undefined);
  return {
    title: 'start of a worker, cold, ms',
    columns: [
      'the worker loads',
      'import',
      'attach',
      'allocate',
      'all three',
      'to shmalloc',
      'start',
    ],
    rows: starts.map(({ kind, times }) => {
      if (times.length === 0) return [kind, NOTHING, NOTHING, NOTHING, NOTHING, NOTHING, NOTHING];
      const sum = leastOf(times, together);
      return [
        kind,
        short(leastOf(times, ({ importMs }) => importMs)),
        short(leastOf(times, ({ attachMs }) => attachMs)),
        short(leastOf(times, ({ allocateMs }) => allocateMs)),
        within(sum, spread(times.map(together))),
        short(sum / ours),
        short(leastOf(times, ({ startMs }) => startMs)),
      ];
    }),
    notes: [
      `The least of ${of('shmalloc').length} workers each, by turns; each is new and compiles all of its code.`,
      'shmalloc: the bundles of the npm package. attach: SharedHeap.attach, a MemPool over the same ' +
        'buffer, a SharedJsonBuffer, the open() of a database. allocate: 100 bytes, or a text of as many.',
      'start: from new Worker to its message; the first row is what Node takes by itself.',
      ...absent.map(({ kind, absent: why }) => `${kind} does not run on this Node: ${why}.`),
    ],
    figures: least({ 'attach, ms': of('shmalloc').map(({ attachMs }) => attachMs) }),
  };
}
