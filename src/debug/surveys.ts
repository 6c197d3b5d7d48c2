/**
 * Surveys of all blocks of an instrumented heap: as the program knows them, and whether they are
 * whole.
 *
 * Used by debug-thread.ts. Any thread; no lock: what is damaged only seemingly, because its thread
 * is at work on it, is told apart by block-checks.ts.
 */

import type { Address } from '../base/index.js';
import { addProblem, type Block, type VerifyReport } from '../heap/index.js';
import {
  FREED_BLOCK,
  getAllocator,
  getRequested,
  getState,
  type HeapMemory,
  LIVE_BLOCK,
  loadOwner,
  stateFrontBytes,
  stateKind,
  stateSlot,
} from '../layout/index.js';
import type { BlockChecks } from './block-checks.js';
import type { Records } from './records.js';

/** Live blocks as the program knows them. */
export function knowBlocks(
  { i32, u32 }: HeapMemory,
  blocks: readonly Block[],
  records: Records,
): Block[] {
  const known: Block[] = [];
  for (const { address, bytes } of blocks) {
    const record = records.recordOf(address);
    const state = getState(i32, record);
    if (stateKind(state) !== LIVE_BLOCK) continue;
    const { stack } = records.allocatorOf(address);
    known.push({
      address: (address + stateFrontBytes(state)) as Address,
      bytes: records.usableOf(address, bytes),
      requested: getRequested(u32, record),
      threadId: getAllocator(u32, record).threadId,
      ...(stack !== '' && { stack }),
    });
  }
  return known;
}

/**
 * Checks all blocks, and takes those that the program has freed out of the report's counts. A block
 * in the name of a slot that nobody has would never come back: while others run it may only look so.
 */
export function verifyBlocks(
  { i32, geometry }: HeapMemory,
  blocks: readonly Block[],
  records: Records,
  checks: BlockChecks,
  report: VerifyReport,
): void {
  for (const { address, bytes } of blocks) {
    const state = getState(i32, records.recordOf(address));
    const freed = stateKind(state) === FREED_BLOCK;
    const slot = stateSlot(state);
    if (
      report.quiet &&
      stateKind(state) !== LIVE_BLOCK &&
      loadOwner(i32, geometry.registry, slot) === 0
    ) {
      const what = `freed or not handed out by the thread of slot ${slot}, which nobody has`;
      addProblem(report, 'block-record I2', address, `the block was left behind, ${what}`);
    }
    if (freed) {
      report.liveBlocks--;
      report.liveBytes -= bytes;
    }
    const error = checks.find(address, bytes);
    if (error === null) continue;
    addProblem(report, freed ? 'block-checks I2' : 'block-checks I1', address, error.message);
  }
  report.ok = report.problems.length === 0;
}
