/**
 * Calls in tight loops on one thread: ours beside the native allocators, and allocators in
 * JavaScript. The loops are micro.ts and native/pair.c; these say what they do
 * not show.
 */

import type { MicroResult } from './bodies.js';
import { NATIVE } from './native.js';
import type { Part, Setting } from './part.js';
import { runModule } from './processes.js';
import { type Contestant, takeTurns } from './rounds.js';
import { OURS, type Section, type Timing } from './section.js';
import { timeSection, versionsSection } from './timings.js';

const MICRO = new URL('./micro.js', import.meta.url);

const FULL = { milliseconds: 150, bodies: '200', slowBodies: '3' };
const SMOKE = { milliseconds: 20, bodies: '10', slowBodies: '1' };
/** Limit of a run: a body of replacements on @thi.ng/malloc takes tens of milliseconds. */
const SLOW_LIMIT_MS = 60_000;
const ROUNDS_IN_JAVASCRIPT = 3;

interface Call {
  readonly scenario: string;
  readonly size: number;
  /** Scenarios on allocators in JavaScript. */
  readonly inJavaScript?: Readonly<Record<string, string>>;
}

const SIZES = [64, 1024, 16_384, 65_536];

const CALLS: readonly Call[] = [
  {
    scenario: 'pair',
    size: 64,
    inJavaScript: { locked: 'pair-locked', 'thi.ng': 'pair-thi.ng' },
  },
  {
    scenario: 'replace',
    size: 0,
    inJavaScript: { 'thi.ng': 'replace-thi.ng' },
  },
  ...SIZES.map((size) => ({ scenario: 'calloc', size })),
  ...SIZES.map((size) => ({ scenario: 'realloc', size })),
];

/** Names in tables and in targets. */
export const PAIR = 'pair 64 B';
export const REPLACE = 'replace';

const nameOf = ({ scenario, size }: Call): string =>
  size === 0 ? scenario : `${scenario} ${size.toLocaleString('en-US')} B`;

export const calls: Part = {
  name: 'calls',
  about: 'malloc, free, calloc and realloc in tight loops, on 1 thread',
  measure,
};

function measure(setting: Setting): Section[] {
  const { alone, nodes } = setting;
  const native = CALLS.flatMap((call) => measureNative(call, setting));
  const inJavaScript = alone ? [] : CALLS.flatMap((call) => measureInJavaScript(call, setting));
  return [
    timeSection(native, {
      title: 'calls, ns a round',
      what: 'call',
      peers: NATIVE,
      plot: 'calls',
      notes: [
        'A round: malloc and free; in replace, of a random one of 4,096 blocks of 16 to 1,016 ' +
          'bytes; in realloc, with a realloc to twice the size in between.',
      ],
    }),
    versionsSection(
      native,
      'calls',
      'call',
      nodes.map(({ label }) => label),
    ),
    inJavaScript.length === 0
      ? null
      : timeSection(inJavaScript, {
          title: 'calls, beside allocators in JavaScript, ns a round',
          what: 'call',
          peers: ['locked', 'thi.ng'],
          notes: ['locked: our heap with one lock around every call. thi.ng: @thi.ng/malloc.'],
        }),
  ].filter((section) => section !== null);
}

function measureNative(call: Call, { smoke, rounds, peers, nodes, tell }: Setting) {
  const { milliseconds, bodies } = smoke ? SMOKE : FULL;
  const name = nameOf(call);
  const { scenario, size } = call;
  tell(name);
  const args = [String(size), String(milliseconds)];
  const ours = (which: string, executable?: string) =>
    runModule<MicroResult>(MICRO, [which, ...args, bodies], executable ? { executable } : {});
  const measured = takeTurns(rounds, [
    { allocator: OURS, run: () => ours(scenario) },
    ...peers.names.map((peer) => ({
      allocator: peer,
      run: () => peers.run<MicroResult>(peer, 'pair', [scenario, ...args]),
    })),
    ...nodes.map(({ label, executable }) => ({
      allocator: label,
      run: () => ours(scenario, executable),
    })),
  ]);
  return measured.map(
    ({ results: _, ...one }): Timing => ({ group: 'calls', name, threads: 1, ...one }),
  );
}

function measureInJavaScript(call: Call, { smoke, rounds, tell }: Setting): Timing[] {
  const { scenario, size, inJavaScript } = call;
  if (inJavaScript === undefined) return [];
  const { milliseconds, bodies, slowBodies } = smoke ? SMOKE : FULL;
  const name = nameOf(call);
  tell(`${name} on allocators in JavaScript`);
  const args = [String(size), String(milliseconds)];
  const measured = takeTurns(Math.min(rounds, ROUNDS_IN_JAVASCRIPT), [
    {
      allocator: OURS,
      run: () => runModule<MicroResult>(MICRO, [scenario, ...args, bodies]),
    },
    ...Object.entries(inJavaScript).map(
      ([allocator, which]): Contestant<MicroResult> => ({
        allocator,
        run: () => {
          const warmUp = allocator === 'thi.ng' ? slowBodies : bodies;
          return runModule(MICRO, [which, ...args, warmUp], { limitMs: SLOW_LIMIT_MS });
        },
        mayFail: true,
      }),
    ),
  ]);
  return measured.map(({ results: _, ...one }) => ({
    group: 'calls-js',
    name,
    threads: 1,
    ...one,
  }));
}
