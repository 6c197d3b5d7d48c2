/**
 * What verify() found, as the commands tell it.
 *
 * Used by replay and stress.
 */

import { remark } from './output.js';

/** A broken invariant: that of verify() in api/. */
export interface Problem {
  readonly invariant: string;
  readonly address: number;
  readonly message: string;
}

/** What `--json` prints of a verification. */
export interface Verification {
  readonly ok: boolean;
  readonly problems: readonly Problem[];
}

const TOLD_MAX = 20;

/** A line for each problem, the first few; none when all is well. */
export function describeProblems(problems: readonly Problem[]): string[] {
  const lines = problems
    .slice(0, TOLD_MAX)
    .map(
      ({ invariant, address, message }) => `0x${address.toString(16)}: ${invariant}: ${message}`,
    );
  const more = problems.length - lines.length;
  return more > 0 ? [...lines, `and ${more} more`] : lines;
}

/** Tells problems on stderr; were there any? */
export function complainOfProblems(problems: readonly Problem[]): boolean {
  if (problems.length === 0) return false;
  remark(`shmalloc: the heap is broken, ${problems.length} problem(s):`);
  for (const line of describeProblems(problems)) remark(`  ${line}`);
  return true;
}
