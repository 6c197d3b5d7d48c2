/**
 * The check of all blocks of an instrumented heap: are their red zones whole, and those that were
 * freed as they were left.
 *
 * Used by debug-thread.ts. Any thread; no lock: what is damaged only seemingly, because its thread
 * is at work on it, is told apart by block-checks.ts.
 */

import type { Block } from '../blocks/index.js';
import {
  type HeapMemory,
  LIVE_BLOCK,
  loadOwner,
  loadState,
  stateKind,
  stateSlot,
} from '../layout/index.js';
import { addProblem, type VerifyReport } from '../verify/index.js';
import type { BlockChecks } from './block-checks.js';
import type { Records } from './records.js';

/**
 * Checks all blocks, and counts those that the program has, and those that wait to be freed. A block
 * in the name of a slot that nobody has would never come back: while others run it may only look so.
 */
export function verifyBlocks(
  { i32, geometry }: HeapMemory,
  blocks: Iterable<Block>,
  records: Records,
  checks: BlockChecks,
  report: VerifyReport,
): void {
  report.liveBlocks = 0;
  report.liveBytes = 0;
  for (const { address, bytes, owned } of blocks) {
    if (owned) {
      report.liveBlocks++;
      report.liveBytes += bytes;
      continue;
    }
    const state = loadState(i32, records.recordOf(address));
    const slot = stateSlot(state);
    const someones =
      stateKind(state) === LIVE_BLOCK || loadOwner(i32, geometry.registry, slot) !== 0;
    if (report.quiet && !someones) {
      const what = `freed or not handed out by the thread of slot ${slot}, which nobody has`;
      addProblem(report, 'block-record I2', address, `the block was left behind, ${what}`);
    }
    if (stateKind(state) === LIVE_BLOCK) {
      report.liveBlocks++;
      report.liveBytes += records.usableOf(address, bytes);
    } else {
      report.quarantinedBlocks++;
      report.quarantinedBytes += bytes;
    }
    const error = checks.find(address);
    if (error === null) continue;
    addProblem(
      report,
      error.damage === 'write-after-free' ? 'block-checks I2' : 'block-checks I1',
      error.address,
      error.message,
    );
  }
  report.ok = report.problems.length === 0;
}
