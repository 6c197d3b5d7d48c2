/**
 * Totals of a heap's memory contexts: how many there are, and their chunks and bytes.
 *
 * Used by counters.ts. Any thread; takes no lock and stops no thread.
 */

import {
  contextPhase,
  contextTable,
  getChunkCount,
  getContextBytes,
  type HeapMemory,
  LIVE_CONTEXT,
  lastRecord,
  loadRecord,
  RELEASED_CONTEXT,
  recordAt,
} from '../layout/index.js';
import type { ContextTotals } from './heap-stats.js';

/** Totals of all contexts, without building their tree. */
export function countContexts({ i32, u32, geometry }: HeapMemory): ContextTotals {
  const table = contextTable(geometry);
  const frontier = lastRecord(i32, table);
  const stats: ContextTotals = { live: 0, released: 0, chunks: 0, bytes: 0 };
  for (let id = 1; id <= frontier; id++) {
    const record = recordAt(table, id);
    const phase = contextPhase(loadRecord(i32, record));
    if (phase !== LIVE_CONTEXT && phase !== RELEASED_CONTEXT) continue;
    stats.live++;
    if (phase === RELEASED_CONTEXT) stats.released++;
    stats.chunks += getChunkCount(u32, record);
    stats.bytes += getContextBytes(u32, record);
  }
  return stats;
}
