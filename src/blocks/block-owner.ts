/**
 * Whose an owned block is: a chunk of which context; any other is a vector's.
 *
 * Used by list-blocks.ts and explain-address.ts, for people. Any thread; no lock: of a block that changes
 * hands meanwhile this may be a moment old.
 */

import { type Address, OwnMap, printable } from '../base/index.js';
import {
  type ContextIndex,
  chunkTable,
  contextTable,
  getChunkAddress,
  type HeapMemory,
  lastRecord,
  loadRecord,
  readIdent,
  readName,
  recordAt,
} from '../layout/index.js';

/** Which context: its number in the heap, and what it was made with. */
export interface ContextLabel {
  id: number;
  name: string;
  /** Which one of its name; often empty. */
  ident: string;
}

/** Who has a block that is not the program's. */
export interface Ownership {
  owned: 'context' | 'vector';
  /** Of a chunk: the context that has it. */
  context?: ContextLabel;
}

/** Says of owned blocks whose they are, as of the moment when it is asked for the first one. */
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

/** Every chunk that there is, and whose it is. */
function readChunks({ i32, u32, geometry }: HeapMemory): Map<number, ContextIndex> {
  const table = chunkTable(geometry);
  const contexts = new OwnMap<Address, ContextIndex>();
  const frontier = lastRecord(i32, table);
  for (let index = 1; index <= frontier; index++) {
    const record = recordAt(table, index);
    const context = loadRecord(i32, record) as ContextIndex;
    const address = getChunkAddress(u32, record);
    if (context > 0 && context <= geometry.contextCount && address !== 0) {
      contexts.set(address, context);
    }
  }
  return contexts;
}

/** What a context is called. */
export function readLabel({ u8, geometry }: HeapMemory, context: ContextIndex): ContextLabel {
  const record = recordAt(contextTable(geometry), context);
  return { id: context, name: readName(u8, record), ident: readIdent(u8, record) };
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
