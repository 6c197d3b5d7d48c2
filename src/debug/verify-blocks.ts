/**
 * The check of all blocks of an instrumented heap: their red zones, and that freed ones are
 * unchanged.
 *
 * Used by debug-thread.ts. Any thread; no lock: block-checks.ts distinguishes real damage from a
 * block that its thread is changing.
 */

import type { Block } from '../blocks/index.js';
import * as BlockRecord from '../layout/block-record.js';
import * as Registry from '../layout/registry.js';
import { addProblem, type VerifyReport } from '../verify/index.js';
import type { DebugThread } from './debug-thread.js';

/**
 * Checks all blocks; counts the program's blocks and those that wait to be freed. A block in the
 * name of a slot without owner would never be freed: while other threads run, it may only look like
 * that.
 */
export function verifyBlocks(
  { memory, records, checks }: DebugThread,
  blocks: Iterable<Block>,
  report: VerifyReport,
): void {
  const { i32, geometry } = memory;
  report.liveBlocks = 0;
  report.liveBytes = 0;
  for (const { address, bytes, owned } of blocks) {
    if (owned) {
      report.liveBlocks++;
      report.liveBytes += bytes;
      continue;
    }
    const state = BlockRecord.loadState(i32, records.recordOf(address));
    const slot = BlockRecord.slotOf(state);
    const someones =
      BlockRecord.kindOf(state) === BlockRecord.LIVE ||
      Registry.loadOwner(i32, geometry.registry, slot) !== 0;
    if (report.quiet && !someones) {
      const what = `freed or not handed out by the thread of slot ${slot}, which no thread has`;
      addProblem(report, 'block-record I2', address, `the block was left behind, ${what}`);
    }
    if (BlockRecord.kindOf(state) === BlockRecord.LIVE) {
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
