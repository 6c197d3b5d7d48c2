/**
 * The end of a thread: work that comes after everything that the program does at its own end.
 *
 * Used by exit-hooks.ts and shared-heap.ts. Any thread.
 *
 * A listener for 'exit' would not do: listeners run in the order in which they were added, and what a
 * program adds later could neither free its blocks any more nor be part of a leak report. A listener
 * that is added while 'exit' is emitted is not called. So the emission itself is wrapped: `emit` is a
 * property of `process` that Node looks up each time. Where the wrapper was replaced, a listener of
 * the old kind does the work.
 *
 * I1  Work runs once, after the last 'exit' listener, whatever that throws; also where a listener
 *     ends the process or the worker by process.exit().
 * I2  What work throws reaches nobody.
 */

import { threadState } from '../base/index.js';

type Process = typeof process & { reallyExit(code?: number): never };

/** Work by its name, in the order in which it was added. */
const works = threadState('end of the thread', () => new Map<string, () => void>());

/** Adds work to the end of this thread. A second one of the same name, of another copy say, is not. */
export function atThreadEnd(name: string, work: () => void): void {
  if (works.size === 0) listen();
  if (!works.has(name)) works.set(name, work);
}

function runAll(): void {
  const due = [...works.values()];
  works.clear();
  for (const work of due) {
    try {
      work();
    } catch {
      // The thread ends. What it could not give back, recovery will.
    }
  }
}

/** Test runners hand a copy of `process` to what they run: nothing is ever emitted on that. */
const realProcess = (): Process =>
  (process.getBuiltinModule?.('node:process') ?? process) as Process;

function listen(): void {
  const real = realProcess();
  const { emit } = real;
  let isEnding = false;
  const wrapped = function (this: unknown, ...given: unknown[]): boolean {
    if (given[0] !== 'exit') return Reflect.apply(emit, this, given);
    isEnding = true;
    const restore = interceptExit(real);
    try {
      return Reflect.apply(emit, this, given);
    } finally {
      restore();
      isEnding = false;
      runAll();
    }
  };
  real.emit = wrapped as typeof real.emit;
  real.once('exit', () => {
    if (!isEnding) runAll();
  });
}

/** Work comes before an exit in the middle of listeners, too; what it gives undoes that. */
function interceptExit(real: Process): () => void {
  const { reallyExit } = real;
  real.reallyExit = (code) => {
    runAll();
    return Reflect.apply(reallyExit, real, [code]) as never;
  };
  return () => {
    real.reallyExit = reallyExit;
  };
}
