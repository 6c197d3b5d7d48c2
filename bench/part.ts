/** Parts of the benchmark: what each is, and what it is told. */

import type { Peers } from './native.js';
import type { NodeVersion } from './node-versions.js';
import type { Section } from './section.js';

export interface Part {
  /** As the command line names it. */
  readonly name: string;
  /** In a line, for --help. */
  readonly about: string;
  measure(setting: Setting): Section[] | Promise<Section[]>;
}

/** What a part is told. */
export interface Setting {
  /** Is it only to be seen that everything runs? */
  readonly smoke: boolean;
  readonly rounds: number;
  /** Of workloads: how many were asked for; null = what each is for. */
  readonly threads: readonly number[] | null;
  /** Ours alone, without any peer? */
  readonly alone: boolean;
  readonly peers: Peers;
  /** Ours on these, too. */
  readonly nodes: readonly NodeVersion[];
  /** Of workloads and of traces: only these; empty = all. */
  readonly workloads: readonly string[];
  readonly traces: readonly string[];
  /** Says on stderr what is being measured. */
  tell(what: string): void;
}
