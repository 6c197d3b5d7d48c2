/**
 * The findings of verify(), as the commands print them.
 *
 * Used by replay and stress.
 */

import { remark } from './output.js';

/** A broken invariant, as api/'s verify() reports it. */
export interface Problem {
  readonly invariant: string;
  readonly address: number;
  readonly message: string;
}

/** The part of a verification that `--json` prints. */
export interface Verification {
  readonly ok: boolean;
  readonly problems: readonly Problem[];
}

const TOLD_MAX = 20;

/** One line for each of the first few problems; empty if there are none. */
export function describeProblems(problems: readonly Problem[]): string[] {
  const lines = problems
    .slice(0, TOLD_MAX)
    .map(
      ({ invariant, address, message }) => `0x${address.toString(16)}: ${invariant}: ${message}`,
    );
  const more = problems.length - lines.length;
  return more > 0 ? [...lines, `and ${more} more`] : lines;
}

/** Prints problems on stderr. Returns true if there are any. */
export function complainOfProblems(problems: readonly Problem[]): boolean {
  if (problems.length === 0) return false;
  remark(`shmalloc: the heap is broken, ${problems.length} problem(s):`);
  for (const line of describeProblems(problems)) remark(`  ${line}`);
  return true;
}
