/**
 * Proves that each debug option works alone, and all of them together, set in code and by the
 * environment, in the main thread and in a worker that has another environment.
 */

import { fileURLToPath } from 'node:url';
import test from 'ava';
import type { DebugOptions } from 'shmalloc';
import { run } from '../workers.js';
import type { Seen } from './options.script.js';

const SCRIPT = fileURLToPath(new URL('./options.script.js', import.meta.url));

const OFF: Seen = {
  scribble: false,
  preScribble: false,
  guard: false,
  quarantine: false,
  checkEach: false,
  strict: false,
  onError: 'ERR_SHMALLOC_INVALID_ADDRESS',
  history: 0,
  stacks: false,
  direct: false,
};

interface Case {
  readonly code: DebugOptions;
  readonly variables: Record<string, string>;
  readonly seen: Partial<Seen>;
}

/** `strict` stands for block records, which every option except onError adds. */
const RECORDED: Partial<Seen> = { strict: true };

const CASES: Record<string, Case> = {
  none: { code: {}, variables: {}, seen: {} },
  scribble: {
    code: { scribble: true },
    variables: { SCRIBBLE: '1' },
    seen: { ...RECORDED, scribble: true },
  },
  preScribble: {
    code: { preScribble: true },
    variables: { PRESCRIBBLE: 'on' },
    seen: { ...RECORDED, preScribble: true },
  },
  guard: { code: { guard: 16 }, variables: { GUARD: '16' }, seen: { ...RECORDED, guard: true } },
  quarantine: {
    code: { quarantine: '1MiB' },
    variables: { QUARANTINE: '1MiB' },
    seen: { ...RECORDED, quarantine: true },
  },
  strict: { code: { strict: true }, variables: { STRICT: 'yes' }, seen: RECORDED },
  onError: {
    code: { onError: 'ignore' },
    variables: { ON_ERROR: 'ignore' },
    seen: { onError: 'none' },
  },
  history: { code: { history: 5 }, variables: { HISTORY: '5' }, seen: { ...RECORDED, history: 5 } },
  stacks: {
    code: { history: 5, stacks: 4 },
    variables: { HISTORY: '5', STACKS: '4' },
    seen: { ...RECORDED, history: 5, stacks: true },
  },
  direct: {
    code: { direct: true },
    variables: { DIRECT: '1' },
    seen: { ...RECORDED, direct: true },
  },
  checkEach: {
    code: { guard: 16, checkStart: 20, checkEach: 20 },
    variables: { GUARD: '16', CHECK_START: '20', CHECK_EACH: '20' },
    seen: { ...RECORDED, guard: true, checkEach: true },
  },
  all: {
    code: {
      scribble: true,
      preScribble: true,
      guard: 16,
      quarantine: '1MiB',
      strict: true,
      onError: 'ignore',
      history: 5,
      stacks: 4,
      direct: true,
      checkEach: 20,
    },
    variables: {
      SCRIBBLE: '1',
      PRESCRIBBLE: '1',
      GUARD: '16',
      QUARANTINE: '1MiB',
      STRICT: '1',
      ON_ERROR: 'ignore',
      HISTORY: '5',
      STACKS: '4',
      DIRECT: '1',
      CHECK_EACH: '20',
    },
    seen: {
      scribble: true,
      preScribble: true,
      guard: true,
      quarantine: true,
      checkEach: true,
      strict: true,
      onError: 'none',
      history: 5,
      stacks: true,
      direct: true,
    },
  },
};

for (const [name, { code, variables, seen }] of Object.entries(CASES)) {
  const env = Object.fromEntries(
    Object.entries(variables).map(([key, value]) => [`SHMALLOC_${key}`, value]),
  );
  for (const [how, args, given] of [
    ['in code', [JSON.stringify(code)], {}],
    ['by the environment', [], env],
  ] as const) {
    test(`debug options: ${name}, ${how}, in main thread and worker`, async (t) => {
      const finished = await run(process.execPath, [SCRIPT, ...args], { env: given });
      t.is(finished.code, 0, finished.stderr);
      const { main, inWorker } = JSON.parse(finished.stdout) as { main: Seen; inWorker: Seen };
      // A ring of five events also has events of the main thread.
      const expected = { ...OFF, ...seen };
      t.deepEqual(main, expected);
      t.deepEqual({ ...inWorker, history: Math.min(inWorker.history, 5) }, expected);
      t.is(inWorker.history, expected.history * 2);
    });
  }
}
