/** The command line of the benchmark. */

import { parseArgs } from 'node:util';
import { traceNames } from './measure-traces.js';
import { PARTS } from './parts.js';
import { WORKLOADS } from './workloads/index.js';

/** A mistake of the caller: printed as one line, ends with code 2. */
export class UsageError extends Error {}

/** Plain data, since it is sent to the threads that measure. */
export interface Options {
  /** Names of the parts to run. */
  readonly parts: readonly string[];
  /** Workloads and traces to run; empty = all. */
  readonly workloads: readonly string[];
  readonly traces: readonly string[];
  readonly threads: readonly number[] | null;
  readonly rounds: number;
  readonly alone: boolean;
  readonly versions: readonly string[];
  readonly scaling: boolean;
  readonly smoke: boolean;
  readonly publish: boolean;
  readonly output: string | null;
  readonly help: boolean;
  /** A short name of the run, for file names: `larson-smoke`. */
  readonly label: string;
}

const ROUNDS = 5;
const ROUNDS_MAX = 1000;
const THREADS_MAX = 64;
const SCALING_THREADS = [1, 2, 4, 8, 16];

/** @throws UsageError */
export function parseOptions(args: readonly string[]): Options {
  const { values, positionals } = parse(args);
  const { smoke, scaling, publish, node: alone } = values;
  const named = readNames(positionals, scaling);
  const threads = values.threads === undefined ? null : readThreads(values.threads);
  const versions = values.versions === undefined ? [] : readVersions(values.versions);
  const rounds = values.rounds === undefined ? (smoke ? 1 : ROUNDS) : readRounds(values.rounds);
  if (scaling && threads !== null) {
    throw new UsageError('--scaling has thread counts of its own: leave out --threads');
  }
  const partial = positionals.length > 0 || smoke || alone || scaling || threads !== null;
  if (publish && (partial || rounds < ROUNDS)) {
    throw new UsageError(
      'docs/benchmarks.md shows a whole run: --publish takes no names, no --smoke, --node, ' +
        `--scaling or --threads, and not fewer than ${ROUNDS} rounds`,
    );
  }
  return {
    ...named,
    threads: scaling ? SCALING_THREADS : threads,
    rounds,
    alone,
    versions,
    scaling,
    smoke,
    publish,
    output: values.output ?? null,
    help: values.help,
    label: [
      positionals.length === 0 ? (scaling ? 'workloads' : 'all') : positionals.join('+'),
      ...(scaling ? ['scaling'] : []),
      ...(smoke ? ['smoke'] : []),
      ...(alone ? ['node'] : []),
    ]
      .join('-')
      .replaceAll(':', '-'),
  };
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        threads: { type: 'string' },
        rounds: { type: 'string' },
        versions: { type: 'string' },
        output: { type: 'string' },
        node: { type: 'boolean', default: false },
        scaling: { type: 'boolean', default: false },
        smoke: { type: 'boolean', default: false },
        publish: { type: 'boolean', default: false },
        help: { type: 'boolean', default: false },
      },
    });
  } catch (error) {
    throw new UsageError((error as Error).message);
  }
}

function readNames(
  names: readonly string[],
  scaling: boolean,
): Pick<Options, 'parts' | 'workloads' | 'traces'> {
  const wanted = new Set<string>();
  const workloads: string[] = [];
  const traces: string[] = [];
  for (const name of names) {
    if (PARTS.some((part) => part.name === name)) {
      wanted.add(name);
    } else if (WORKLOADS.some((workload) => workload.name === name)) {
      workloads.push(name);
    } else if (name.startsWith('trace:') && traceNames().includes(name.slice('trace:'.length))) {
      traces.push(name.slice('trace:'.length));
    } else {
      throw new UsageError(`nothing is named '${name}': there are ${listNames()}`);
    }
  }
  if (workloads.length > 0) wanted.add('workloads');
  if (traces.length > 0) wanted.add('traces');
  if (scaling) {
    if (wanted.size > 0 && !(wanted.size === 1 && wanted.has('workloads'))) {
      throw new UsageError('--scaling is for workloads alone');
    }
    wanted.add('workloads');
  }
  const parts = PARTS.map(({ name }) => name).filter(
    (name) => wanted.size === 0 || wanted.has(name),
  );
  return {
    parts,
    // If all workloads and one of them are named, all run.
    workloads: names.includes('workloads') ? [] : scalable(workloads, scaling),
    traces: names.includes('traces') ? [] : traces,
  };
}

/** With --scaling, the workloads that are meaningful on several threads. */
function scalable(names: readonly string[], scaling: boolean): readonly string[] {
  if (!scaling) return names;
  const all = WORKLOADS.filter(({ threads }) => threads === 'many').map(({ name }) => name);
  const found = names.length === 0 ? all : names.filter((name) => all.includes(name));
  if (found.length > 0) return found;
  throw new UsageError(`--scaling: ${names.join(', ')} is not meaningful on several threads`);
}

const listNames = (): string =>
  [
    ...PARTS.map(({ name }) => name),
    ...WORKLOADS.map(({ name }) => name),
    `trace:NAME of ${traceNames().join(', ')}`,
  ].join(', ');

function readThreads(text: string): number[] {
  const counts = text.split(',').map((one) => readCount('--threads', one, THREADS_MAX));
  return [...new Set(counts)].sort((a, b) => a - b);
}

const readRounds = (text: string): number => readCount('--rounds', text, ROUNDS_MAX);

function readCount(option: string, text: string, most: number): number {
  const count = Number(text);
  if (/^\d+$/.test(text) && count >= 1 && count <= most) return count;
  throw new UsageError(`${option}: whole numbers from 1 to ${most}, got '${text}'`);
}

function readVersions(text: string): string[] {
  const versions = text.split(',');
  for (const version of versions) {
    if (/^\d+(\.\d+){0,2}$/.test(version)) continue;
    throw new UsageError(`--versions: Node versions as 24 or 24.1.0, got '${version}'`);
  }
  return [...new Set(versions)];
}

export function helpText(): string {
  const width = Math.max(...PARTS.map(({ name }) => name.length)) + 2;
  return `npm run bench -- [NAME...] [option...]

Measures the heap beside the allocators of C programs and of JavaScript that this machine has. Prints
tables, and writes them to bench/results/ as JSON, and as markdown with plots. Without a name: all.

Names
${PARTS.map(({ name, about }) => `  ${name.padEnd(width)}${about}`).join('\n')}
  trace:NAME  ${wrap(traceNames(), 14)}
  workloads   ${wrap(
    WORKLOADS.map(({ name }) => name),
    14,
  )}

Options
  --threads N[,N]   numbers of threads for the workloads
  --rounds N        number of rounds; ${ROUNDS}, or 1 with --smoke
  --node            ours alone, without any peer
  --versions V[,V]  ours on other Node versions too, such as 22,24,26; npm fetches them
  --scaling         workloads on ${SCALING_THREADS.join(', ')} threads
  --smoke           the smallest size, once, to see that it runs: the numbers are meaningless
  --publish         also writes docs/benchmarks.md and its plots: only a whole run may
  --output FOLDER   instead of bench/results
  --help            this help
`;
}

/** Names in lines that fit, continued under the first name. */
function wrap(names: readonly string[], indent: number): string {
  let column = indent;
  return names
    .map((name, n) => {
      const word = n === names.length - 1 ? name : `${name}, `;
      const breaks = column + word.length > 100;
      column = (breaks ? indent : column) + word.length;
      return breaks ? `\n${' '.repeat(indent)}${word}` : word;
    })
    .join('')
    .replace(/ +\n/g, '\n');
}
