/** The workloads, by name. */

import { allocTest } from './alloc-test.js';
import { cacheScratch } from './cache-scratch.js';
import { cacheThrash } from './cache-thrash.js';
import { glibcSimple } from './glibc-simple.js';
import { glibcThread } from './glibc-thread.js';
import { larson } from './larson.js';
import { mallocLarge } from './malloc-large.js';
import { mleak } from './mleak.js';
import { mstress } from './mstress.js';
import { rptest } from './rptest.js';
import { sh6bench } from './sh6bench.js';
import { sh8bench } from './sh8bench.js';
import { threadtest } from './threadtest.js';
import type { Workload } from './workload.js';
import { xmallocTest } from './xmalloc-test.js';

export type { Allocator, Outcome, Part, Program, Run, Size, Workload } from './workload.js';

export const WORKLOADS: readonly Workload[] = [
  larson,
  mstress,
  rptest,
  xmallocTest,
  cacheScratch,
  cacheThrash,
  sh6bench,
  sh8bench,
  allocTest,
  glibcSimple,
  glibcThread,
  mleak,
  mallocLarge,
  threadtest,
];

/** @throws Error for an unknown name */
export function workloadNamed(name: string): Workload {
  const found = WORKLOADS.find((one) => one.name === name);
  if (found !== undefined) return found;
  throw new Error(
    `no workload '${name}': there are ${WORKLOADS.map((one) => one.name).join(', ')}`,
  );
}
