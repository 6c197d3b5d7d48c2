/**
 * A mutant: the rules that are off, and where to look for the harm.
 */

import type { PartSet } from './interleave-parts.js';
import type { Options } from './random.js';
import type { Rules } from './rules.js';
import type { Witness } from './witnesses.js';

export interface Mutant {
  readonly name: string;
  /** The rules that are off. */
  readonly off: Partial<Rules>;
  /** Options of random schedules that can show it. */
  readonly options: Options;
  /** The schedule that shows it, if chance meets it too seldom. */
  readonly witness: Witness | null;
  /** The set of parts whose interleavings show it. */
  readonly among?: PartSet;
  /** The scenarios, by a part of their names, whose exhaustive cuts show it. */
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
