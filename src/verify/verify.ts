/**
 * Verification: checks everything in the heap against the invariants that the files of this project
 * state at their heads, and counts what is there.
 *
 * Called by thread-heap.ts, in a section. Any thread; takes each class lock with the page lock inside, one
 * class at a time, and then the page lock alone, so that nobody is held up for the whole of it.
 * Changes nothing. A broken invariant is a problem in the report here: it does not poison the heap.
 * One that is poisoned is checked without locks, and its report begins with the reason.
 *
 * A problem names its invariant as file and number: `spans I1` is I1 of pages/spans.ts. What only
 * holds when no other thread is in the heap is checked when the caller says that it is so (quiet):
 * caches, tags of blocks in use, reserved runs, locks, counters, chains and trees of contexts.
 */

import {
  append,
  isCorruption,
  OwnMap,
  PAGE_BYTES,
  SIZE_CLASS_COUNT,
  type SizeClass,
} from '../base/index.js';
import {
  classLock,
  type HeapMemory,
  LOCK_COUNT,
  type LockIndex,
  loadExclusive,
  lockLine,
  PAGE_LOCK,
  peekLock,
} from '../layout/index.js';
import type { HeapAccess } from '../pages/index.js';
import { poisonReason, WAITERS } from '../sync/index.js';
import { checkObjects } from './objects.js';
import { checkRunsLocked } from './runs.js';
import { checkClassLocked } from './size-class.js';

/** How `verify` is to look. */
export interface VerifyOptions {
  /** No other thread is in the heap, says the caller: check what holds only then, too. */
  quiet?: boolean;
}

/** An invariant that does not hold. */
export interface VerifyProblem {
  /** File and number, as `spans I1`. */
  invariant: string;
  /** Where: a byte offset in the buffer. */
  address: number;
  message: string;
}

/** What verify found. Counts are exact when threads are quiet. */
export interface VerifyReport {
  /** No problem was found. */
  ok: boolean;
  /** What only holds when threads are quiet was checked too. */
  quiet: boolean;
  /** The first hundred. */
  problems: VerifyProblem[];
  /** How many more there were. */
  problemsLeftOut: number;
  /** Blocks in use, large ones and owned ones included, and their usable bytes. */
  liveBlocks: number;
  liveBytes: number;
  /** Of these the ones that are no program's to free: chunks of contexts, parts of vectors. */
  ownedBlocks: number;
  ownedBytes: number;
  /** Memory contexts. */
  contexts: number;
  /** Blocks that the program has freed and debug options hold back; with their red zones. */
  quarantinedBlocks: number;
  quarantinedBytes: number;
  /** Blocks in threads' caches. */
  cachedBlocks: number;
  cachedBytes: number;
  /** Free blocks in spans. */
  freeBlocks: number;
  freeBlockBytes: number;
  spans: number;
  largeBlocks: number;
  freeRuns: number;
}

/** Where checks put what they find. */
export interface Findings {
  readonly report: VerifyReport;
  /** Owned blocks that were met, and their usable bytes. */
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
    access.acquire(classLock(c));
    access.acquire(PAGE_LOCK);
    attempt(findings, () => checkClassLocked(memory, c, findings));
    access.release(PAGE_LOCK);
    access.release(classLock(c));
  }
  access.acquire(PAGE_LOCK);
  attempt(findings, () => checkRunsLocked(memory, findings));
  access.release(PAGE_LOCK);
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

/** Adds a problem, or counts it where there are many. */
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

/** A walk that cannot go on is a problem like others; what it has not seen stays unchecked. */
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
  for (let lock = 0 as LockIndex; lock < LOCK_COUNT; lock++) {
    const line = lockLine(geometry.locks, lock);
    // Of one that was handed over, with nobody left to take it, the waiters bit stands: lock-word I4.
    const word = peekLock(i32, line) & ~WAITERS;
    if (word !== 0) problem('mutex I5', line * 4, `lock ${lock} is held by thread word ${word}`);
  }
  const exclusive = loadExclusive(i32, geometry.header);
  if (exclusive !== 0)
    problem('threads I2', geometry.header * 4, `an exclusive section of ${exclusive} is open`);
}
