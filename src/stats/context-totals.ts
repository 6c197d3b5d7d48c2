/**
 * Totals of a heap's memory contexts: how many there are, and their chunks and bytes.
 *
 * Used by counters.ts. Any thread; takes no lock and stops no thread.
 */

import * as ContextRecord from '../layout/context-record.js';
import type { HeapMemory } from '../layout/index.js';
import * as Records from '../layout/record-table.js';
import type { ContextTotals } from './heap-stats.js';

/** Totals of all contexts, without building their tree. */
export function countContexts({ i32, u32, geometry }: HeapMemory): ContextTotals {
  const table = ContextRecord.contextTable(geometry);
  const frontier = Records.last(i32, table);
  const stats: ContextTotals = { live: 0, released: 0, chunks: 0, bytes: 0 };
  for (let id = 1; id <= frontier; id++) {
    const record = Records.at(table, id);
    const phase = ContextRecord.phaseOf(Records.load(i32, record));
    if (phase !== ContextRecord.LIVE && phase !== ContextRecord.RELEASED) continue;
    stats.live++;
    if (phase === ContextRecord.RELEASED) stats.released++;
    stats.chunks += ContextRecord.getChunkCount(u32, record);
    stats.bytes += ContextRecord.getBytes(u32, record);
  }
  return stats;
}
