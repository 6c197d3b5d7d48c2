/**
 * layout/ of an instrumented copy of the library: its index, and each structure that the tests of
 * deaths look into, by its namespace.
 */

import type * as BlockRecord from '../../src/layout/block-record.js';
import type * as ChunkRecord from '../../src/layout/chunk-record.js';
import type * as ContextRecord from '../../src/layout/context-record.js';
import type * as DebugRecord from '../../src/layout/debug-record.js';
import type * as Layout from '../../src/layout/index.js';
import type * as LockTable from '../../src/layout/lock-table.js';
import type * as Records from '../../src/layout/record-table.js';
import type * as Registry from '../../src/layout/registry.js';
import type * as Slot from '../../src/layout/slot.js';
import type * as VectorHeader from '../../src/layout/vector-header.js';

interface Structures {
  readonly BlockRecord: typeof BlockRecord;
  readonly ChunkRecord: typeof ChunkRecord;
  readonly ContextRecord: typeof ContextRecord;
  readonly DebugRecord: typeof DebugRecord;
  readonly LockTable: typeof LockTable;
  readonly Records: typeof Records;
  readonly Registry: typeof Registry;
  readonly Slot: typeof Slot;
  readonly VectorHeader: typeof VectorHeader;
}

export type LayoutCopy = typeof Layout & Structures;

const FILES: Record<keyof Structures, string> = {
  BlockRecord: 'block-record',
  ChunkRecord: 'chunk-record',
  ContextRecord: 'context-record',
  DebugRecord: 'debug-record',
  LockTable: 'lock-table',
  Records: 'record-table',
  Registry: 'registry',
  Slot: 'slot',
  VectorHeader: 'vector-header',
};

/** `load` imports a file of the copy by its path from src/. */
export async function loadLayout(load: (path: string) => Promise<object>): Promise<LayoutCopy> {
  const structures = await Promise.all(
    Object.entries(FILES).map(async ([name, file]) => [name, await load(`layout/${file}.js`)]),
  );
  return { ...(await load('layout/index.js')), ...Object.fromEntries(structures) };
}
