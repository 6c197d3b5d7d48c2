/**
 * What a mutant is: rules that are off, and where to look for the harm.
 */

import type { PartSet } from './interleave-parts.js';
import type { Options } from './random.js';
import type { Rules } from './rules.js';
import type { Witness } from './witnesses.js';

export interface Mutant {
  readonly name: string;
  /** The rules that are off. */
  readonly off: Partial<Rules>;
  /** What random schedules must have for it. */
  readonly options: Options;
  /** For what chance meets too seldom: the schedule that shows it. */
  readonly witness: Witness | null;
  /** It is looked for in interleavings of these. */
  readonly among?: PartSet;
  /** It is looked for in exhaustive cuts of scenarios with this in their names. */
  readonly cuts?: { readonly only: string; readonly level: 1 | 2 };
}

export const mutant = (name: string, off: Partial<Rules>, options: Options = {}): Mutant => ({
  name,
  off,
  options,
  witness: null,
});
export const rare = (name: string, off: Partial<Rules>, witness: Witness): Mutant => ({
  name,
  off,
  options: {},
  witness,
});
export const amongst = (name: string, off: Partial<Rules>, among: PartSet): Mutant => ({
  ...mutant(name, off),
  among,
});
export const inCuts = (
  name: string,
  off: Partial<Rules>,
  only: string,
  level: 1 | 2 = 1,
): Mutant => ({ ...mutant(name, off), cuts: { only, level } });
