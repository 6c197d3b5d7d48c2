/** Parts of the benchmark, and their settings. */

import type { Peers } from './native.js';
import type { NodeVersion } from './node-versions.js';
import type { Section } from './section.js';

export interface Part {
  /** Its name on the command line. */
  readonly name: string;
  /** One line for --help. */
  readonly about: string;
  measure(setting: Setting): Section[] | Promise<Section[]>;
}

/** The settings of a part. */
export interface Setting {
  /** Whether the run only shows that everything runs. */
  readonly smoke: boolean;
  readonly rounds: number;
  /** For workloads: the requested numbers of threads; null = those that each workload is for. */
  readonly threads: readonly number[] | null;
  /** Whether ours runs alone, without peers. */
  readonly alone: boolean;
  readonly peers: Peers;
  /** Other Node versions that ours runs on, too. */
  readonly nodes: readonly NodeVersion[];
  /** Workloads and traces to run; empty = all. */
  readonly workloads: readonly string[];
  readonly traces: readonly string[];
  /** Prints on stderr what is being measured. */
  tell(what: string): void;
}
