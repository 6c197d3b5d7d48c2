/** The workloads, by name. */
import { cacheScratch } from './cache-scratch.js';
import { cacheThrash } from './cache-thrash.js';
import { glibcSimple } from './glibc-simple.js';
import { glibcThread } from './glibc-thread.js';
import { larson } from './larson.js';
<<<<<<< HEAD
import { mallocLarge } from './malloc-large.js';
import { mleak } from './mleak.js';
import { mstress } from './mstress.js';
import { rptest } from './rptest.js';
=======
import { threadtest } from './threadtest.js';
>>>>>>> w-wb
import type { Workload } from './workload.js';
import { xmallocTest } from './xmalloc-test.js';

export type { Allocator, Outcome, Part, Program, Run, Size, Workload } from './workload.js';

<<<<<<< HEAD
export const WORKLOADS: readonly Workload[] = [larson, mstress, rptest, mleak, mallocLarge];
=======
export const WORKLOADS: readonly Workload[] = [
  larson,
  xmallocTest,
  cacheScratch,
  cacheThrash,
  threadtest,
  glibcThread,
  glibcSimple,
];
>>>>>>> w-wb

/** @throws Error for a name that is none */
export function workloadNamed(name: string): Workload {
  const found = WORKLOADS.find((one) => one.name === name);
  if (found !== undefined) return found;
  throw new Error(
    `no workload '${name}': there are ${WORKLOADS.map((one) => one.name).join(', ')}`,
  );
}
