/**
 * Verification: checks the whole heap against the invariants that the files of this project state
 * at their heads, and counts what is in it.
 *
 * Called by thread-heap.ts, in a section. Any thread. Takes each class lock with the page lock
 * inside it, one class at a time, and then the page lock alone, so that other threads wait for a
 * part of the work only. Changes nothing. A broken invariant becomes a problem in the report; it
 * does not poison the heap. A poisoned heap is checked without locks, and its report begins with
 * the reason.
 *
 * A problem names its invariant as file and number: `spans I1` is I1 of pages/spans.ts. Some
 * invariants hold only while no other thread uses the heap; they are checked if the caller says
 * that this is so (quiet): caches, tags of blocks in use, reserved runs, locks, counters, chains
 * and trees of contexts.
 */

import {
  append,
  isCorruption,
  OwnMap,
  PAGE_BYTES,
  SIZE_CLASS_COUNT,
  type SizeClass,
} from '../base/index.js';
import type { HeapMemory, LockIndex } from '../layout/index.js';
import * as LockTable from '../layout/lock-table.js';
import type { HeapAccess } from '../pages/index.js';
import { poisonReason, WAITERS } from '../sync/index.js';
import { checkObjects } from './objects.js';
import { checkRunsLocked } from './runs.js';
import { checkClassLocked } from './size-class.js';

/** Options of `verify`. */
export interface VerifyOptions {
  /** True if no other thread uses the heap: more invariants hold then, and are checked. */
  quiet?: boolean | undefined;
}

/** An invariant that does not hold. */
export interface VerifyProblem {
  /** File and number, such as `spans I1`. */
  invariant: string;
  /** Byte offset in the buffer of the broken structure. */
  address: number;
  message: string;
}

/** The result of verify. Counts are exact while threads are quiet. */
export interface VerifyReport {
  /** True if there is no problem. */
  ok: boolean;
  /** True if the invariants of a quiet heap were checked, too. */
  quiet: boolean;
  /** The first hundred problems. */
  problems: VerifyProblem[];
  /** Number of further problems. */
  problemsLeftOut: number;
  /** Blocks in use, with large and owned blocks, and their usable bytes. */
  liveBlocks: number;
  liveBytes: number;
  /** The owned blocks among them: chunks of contexts, parts of vectors. */
  ownedBlocks: number;
  ownedBytes: number;
  /** Number of memory contexts. */
  contexts: number;
  /** Freed blocks in quarantine, and their bytes with red zones. */
  quarantinedBlocks: number;
  quarantinedBytes: number;
  /** Blocks in threads' caches, and their bytes. */
  cachedBlocks: number;
  cachedBytes: number;
  /** Free blocks in spans, and their bytes. */
  freeBlocks: number;
  freeBlockBytes: number;
  spans: number;
  largeBlocks: number;
  freeRuns: number;
}

/** The results of all checks. */
export interface Findings {
  readonly report: VerifyReport;
  /** Owned blocks that the checks met, and their usable bytes. */
  readonly owned: Map<number, number>;
  problem(invariant: string, address: number, message: string): void;
}

const PROBLEMS_MAX = 100;

export function verifyHeap(memory: HeapMemory, access: HeapAccess, quiet: boolean): VerifyReport {
  const findings = createFindings(quiet);
  const { report } = findings;
  if (access.broken)
    findings.problem('poison I1', 0, poisonReason(memory) ?? 'the heap is poisoned');
  checkNullPage(memory, findings);
  for (let c = 1 as SizeClass; c <= SIZE_CLASS_COUNT; c++) {
    access.acquire(LockTable.ofClass(c));
    access.acquire(LockTable.PAGE);
    attempt(findings, () => checkClassLocked(memory, c, findings));
    access.release(LockTable.PAGE);
    access.release(LockTable.ofClass(c));
  }
  access.acquire(LockTable.PAGE);
  attempt(findings, () => checkRunsLocked(memory, findings));
  access.release(LockTable.PAGE);
  attempt(findings, () => checkObjects(memory, findings));
  if (quiet) checkLocksFree(memory, findings);
  report.ok = report.problems.length === 0;
  return report;
}

function createFindings(quiet: boolean): Findings {
  const report: VerifyReport = {
    ok: false,
    quiet,
    problems: [],
    problemsLeftOut: 0,
    liveBlocks: 0,
    liveBytes: 0,
    ownedBlocks: 0,
    ownedBytes: 0,
    contexts: 0,
    quarantinedBlocks: 0,
    quarantinedBytes: 0,
    cachedBlocks: 0,
    cachedBytes: 0,
    freeBlocks: 0,
    freeBlockBytes: 0,
    spans: 0,
    largeBlocks: 0,
    freeRuns: 0,
  };
  return {
    report,
    owned: new OwnMap(),
    problem(invariant, address, message) {
      addProblem(report, invariant, address, message);
    },
  };
}

/** Adds a problem; after the first hundred, counts it only. */
export function addProblem(
  report: VerifyReport,
  invariant: string,
  address: number,
  message: string,
): void {
  report.ok = false;
  if (report.problems.length < PROBLEMS_MAX) {
    append(report.problems, { invariant, address, message });
  } else report.problemsLeftOut++;
}

/**
 * Runs a check. If a walk cannot go on, that is a problem, and the rest of the walk is not checked.
 */
function attempt(findings: Findings, check: () => void): void {
  try {
    check();
  } catch (error) {
    if (!isCorruption(error)) throw error;
    const [, invariant = 'unknown'] = /\(([\w-]+ I\d+)\)/.exec(error.message) ?? [];
    const [, address = '0'] = /(0x[0-9a-f]+)/.exec(error.message) ?? [];
    findings.problem(invariant, Number(address), error.message);
  }
}

function checkNullPage({ u32, geometry }: HeapMemory, { problem }: Findings): void {
  const start = geometry.base / 4;
  for (let word = start; word < start + PAGE_BYTES / 4; word++) {
    if (u32[word] === 0) continue;
    problem('geometry I4', word * 4, `a store through null: the null page has ${u32[word]} there`);
    return;
  }
}

function checkLocksFree({ i32, geometry }: HeapMemory, { problem }: Findings): void {
  for (let lock = 0 as LockIndex; lock < LockTable.COUNT; lock++) {
    const line = LockTable.at(geometry.locks, lock);
    // The waiters bit stays set after a handover if no waiter is left to take the lock: lock-word
    // I4.
    const word = LockTable.peek(i32, line) & ~WAITERS;
    if (word !== 0) problem('mutex I4', line * 4, `lock ${lock} is held by thread word ${word}`);
  }
}
