/** The workloads, by name. */
import { allocTest } from './alloc-test.js';
import { larson } from './larson.js';
import { sh6bench } from './sh6bench.js';
import { sh8bench } from './sh8bench.js';
import type { Workload } from './workload.js';

export type { Allocator, Outcome, Part, Program, Run, Size, Workload } from './workload.js';

export const WORKLOADS: readonly Workload[] = [larson, sh6bench, sh8bench, allocTest];

/** @throws Error for a name that is none */
export function workloadNamed(name: string): Workload {
  const found = WORKLOADS.find((one) => one.name === name);
  if (found !== undefined) return found;
  throw new Error(
    `no workload '${name}': there are ${WORKLOADS.map((one) => one.name).join(', ')}`,
  );
}
