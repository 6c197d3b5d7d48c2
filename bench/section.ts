/**
 * Sections: what a part of the benchmark found, as plain data. Text, markdown, JSON, plots and
 * verdicts on targets are all made of it.
 */

import type { BarPlot } from './plots.js';

/** A table, and what it is made of. */
export interface Section {
  readonly title: string;
  readonly columns: readonly string[];
  readonly rows: readonly (readonly string[])[];
  /** What one has to know to read it: under the table. */
  readonly notes: readonly string[];
  readonly plots?: readonly BarPlot[];
  readonly timings?: readonly Timing[];
  readonly figures?: Figures;
}

/** What one allocator took for one thing, round by round. */
export interface Timing {
  /** What it belongs to: names are told apart within a group. */
  readonly group: Group;
  readonly name: string;
  readonly threads: number;
  readonly allocator: string;
  /** Nanoseconds an operation, by round; empty when it was not measured. */
  readonly ns: readonly number[];
  /** Why it was not measured, in a few words: `over 10 s`. */
  readonly absent?: string;
  /** Most bytes that it had of the system; of a peer, its resident set. */
  readonly footprintBytes?: number;
  /** Most bytes asked for that lived at once; the same for all allocators. */
  readonly peakLiveBytes?: number;
}

/**
 * `-js`: beside allocators in JavaScript, which are so slow that they get less to do. Of traces,
 * `-short` ones are told apart, since they say little; `-rate` is what all threads did in the whole
 * time, where the others are the best repetition of one.
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

/** Other numbers that targets ask for, by name. */
export type Figures = Readonly<Record<string, number>>;

/** Our allocator's name, beside those of peers. */
export const OURS = 'shmalloc';
/** The system's own allocator: what ours is compared with first. */
export const BASELINE = 'glibc';

export const MIB = 2 ** 20;
