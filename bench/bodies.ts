/**
 * Bodies: how micro.ts and context-calls.ts time a piece of code repeatedly in one process.
 */

import { Bench } from 'tinybench';

/** Median and best nanoseconds of a round. */
export interface MicroResult {
  readonly scenario: string;
  readonly size: number;
  readonly bodies: number;
  readonly ns: number;
  readonly best: number;
}

/** The timed work: a body of some rounds; the untimed work is done before and after each body. */
export interface Work {
  readonly rounds: number;
  body(): void;
  before?(): void;
  after?(): void;
}

/** @param bodies minimum bodies that run before the timing */
export function timeBodies(
  scenario: string,
  size: number,
  { rounds, body, before, after }: Work,
  milliseconds: number,
  bodies: number,
): MicroResult {
  const bench = new Bench({
    time: milliseconds,
    warmupTime: milliseconds / 3,
    warmupIterations: bodies,
    // Fewer iterations are enough for slow calls.
    iterations: Math.min(64, bodies),
  });
  bench.add(scenario, body, {
    ...(before && { beforeEach: () => before() }),
    ...(after && { afterEach: () => after() }),
  });
  const [task] = bench.runSync();
  if (task?.result.state !== 'completed') throw new Error(`${scenario}: ${task?.result.state}`);
  const { latency } = task.result;
  const ns = (milliseconds: number) => (milliseconds * 1e6) / rounds;
  return {
    scenario,
    size,
    bodies: task.runs,
    ns: ns(latency.p50),
    best: ns(latency.min),
  };
}
