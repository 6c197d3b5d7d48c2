/**
 * The owner of an owned block: a context, if it is a chunk; a vector, if not.
 *
 * Used by list-blocks.ts and explain-address.ts, for texts. Any thread; no lock: for a block that
 * changes its owner meanwhile, the answer may be a moment old.
 */

import { type Address, OwnMap, printable } from '../base/index.js';
import * as ChunkRecord from '../layout/chunk-record.js';
import * as ContextRecord from '../layout/context-record.js';
import type { ContextIndex, HeapMemory } from '../layout/index.js';
import * as Records from '../layout/record-table.js';

/** A context's number in the heap, and its name. */
export interface ContextLabel {
  id: number;
  name: string;
  /** Tells contexts of one name apart; often empty. */
  ident: string;
}

/** The owner of a block that does not belong to the program. */
export interface Ownership {
  owned: 'context' | 'vector';
  /** The context of a chunk. */
  context?: ContextLabel;
}

/** Returns the owners of owned blocks, as of the moment of the first question. */
export function createOwnerships(memory: HeapMemory): (block: number) => Ownership {
  let chunks: Map<number, ContextIndex> | undefined;
  const known = new OwnMap<ContextIndex, Ownership>();

  return (block) => {
    chunks ??= readChunks(memory);
    const context = chunks.get(block);
    if (context === undefined) return { owned: 'vector' };
    let ownership = known.get(context);
    if (ownership === undefined) {
      ownership = { owned: 'context', context: readLabel(memory, context) };
      known.set(context, ownership);
    }
    return ownership;
  };
}

/** All chunks, with their contexts. */
function readChunks({ i32, u32, geometry }: HeapMemory): Map<number, ContextIndex> {
  const table = ChunkRecord.chunkTable(geometry);
  const contexts = new OwnMap<Address, ContextIndex>();
  const frontier = Records.last(i32, table);
  for (let index = 1; index <= frontier; index++) {
    const record = Records.at(table, index);
    const context = Records.load(i32, record) as ContextIndex;
    const address = ChunkRecord.getAddress(u32, record);
    if (context > 0 && context <= geometry.contextCount && address !== 0) {
      contexts.set(address, context);
    }
  }
  return contexts;
}

/** The name of a context. */
export function readLabel({ u8, geometry }: HeapMemory, context: ContextIndex): ContextLabel {
  const record = Records.at(ContextRecord.contextTable(geometry), context);
  return {
    id: context,
    name: ContextRecord.readName(u8, record),
    ident: ContextRecord.readIdent(u8, record),
  };
}

type Named = Omit<ContextLabel, 'id'>;

/** `'request' (42)`: name and ident. */
export const nameContext = ({ name, ident }: Named): string =>
  `'${printable(name)}'${ident === '' ? '' : ` (${printable(ident)})`}`;

/** `context 'request' (42)`. */
export const describeContext = (context: Named): string => `context ${nameContext(context)}`;

/** `chunk of context 'request' (42)`, or `part of a vector`. */
export function describeOwner({ context }: { context?: ContextLabel | undefined }): string {
  return context === undefined ? 'part of a vector' : `chunk of ${describeContext(context)}`;
}
