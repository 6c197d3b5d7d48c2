/** The workloads, by name. */
import { larson } from './larson.js';
import { mallocLarge } from './malloc-large.js';
import { mleak } from './mleak.js';
import { mstress } from './mstress.js';
import { rptest } from './rptest.js';
import type { Workload } from './workload.js';

export type { Allocator, Outcome, Part, Program, Run, Size, Workload } from './workload.js';

export const WORKLOADS: readonly Workload[] = [larson, mstress, rptest, mleak, mallocLarge];

/** @throws Error for a name that is none */
export function workloadNamed(name: string): Workload {
  const found = WORKLOADS.find((one) => one.name === name);
  if (found !== undefined) return found;
  throw new Error(
    `no workload '${name}': there are ${WORKLOADS.map((one) => one.name).join(', ')}`,
  );
}
