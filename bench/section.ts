/**
 * Sections: the results of a part of the benchmark, as plain data. Text, markdown, JSON, plots and
 * verdicts on targets are made of them.
 */

import type { BarPlot } from './plots.js';

/** A table, and the data that it is made of. */
export interface Section {
  readonly title: string;
  readonly columns: readonly string[];
  readonly rows: readonly (readonly string[])[];
  /** Explanations under the table. */
  readonly notes: readonly string[];
  readonly plots?: readonly BarPlot[];
  readonly timings?: readonly Timing[];
  readonly figures?: Figures;
}

/** The times of one allocator for one thing, by round. */
export interface Timing {
  /** Its group: names are unique within a group. */
  readonly group: Group;
  readonly name: string;
  readonly threads: number;
  readonly allocator: string;
  /** Nanoseconds per operation, by round; empty if it was not measured. */
  readonly ns: readonly number[];
  /** Why it was not measured, in a few words: `over 10 s`. */
  readonly absent?: string;
  /** Maximum bytes from the system; for a peer, its resident set. */
  readonly footprintBytes?: number;
  /** Maximum requested bytes live at once; equal for all allocators. */
  readonly peakLiveBytes?: number;
}

/**
 * `-js`: beside allocators in JavaScript, which are so slow that they get less work. For traces,
 * `-short` ones are separate, since they say little; `-rate` is the work of all threads in the
 * whole time, whereas the others are the best repetition of one thread.
 */
export type Group =
  | 'calls'
  | 'calls-js'
  | 'traces'
  | 'traces-short'
  | 'traces-rate'
  | 'workloads'
  | 'workloads-apart'
  | 'workloads-js';

/** Other numbers that targets need, by name. */
export type Figures = Readonly<Record<string, number>>;

/** Our allocator's name, beside those of peers. */
export const OURS = 'shmalloc';
/** The system's own allocator, the first peer of ours. */
export const BASELINE = 'glibc';

export const MIB = 2 ** 20;
