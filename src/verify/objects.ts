/**
 * Verification of what belongs to objects of the heap: chunk records, owned blocks, and what slots
 * have under way. The context records themselves: contexts.ts.
 *
 * Called by verify.ts, after the walks that have found the owned blocks. No lock: the tables have
 * none. While other threads run, what was read of two words may be of two moments; so what seems
 * wrong is looked at again and again, and is a problem only if it stays so.
 */

import {
  type Address,
  GRANULE_BYTES,
  hex,
  isOwnedTag,
  List,
  OwnMap,
  OwnSet,
  WORD_SHIFT,
  type WordIndex,
} from '../base/index.js';
import {
  CONTEXT_VECTOR,
  chunkTable,
  contextTable,
  getChunkAddress,
  getIntentIn,
  getIntentOut,
  getIntentWord,
  type HeapMemory,
  inFlightHeaderWord,
  isEndedChunk,
  lastRecord,
  loadFrontier,
  loadOwner,
  loadRecord,
  loadTag,
  type RecordTable,
  readVectorHeader,
  recordAt,
  slotRecord,
  usedSlots,
  VECTOR_HEADER_BYTES,
  vectorDataWord,
} from '../layout/index.js';
import { isStable } from '../pages/index.js';
import { checkContexts } from './contexts.js';
import type { Findings } from './verify.js';

export function checkObjects(memory: HeapMemory, findings: Findings): void {
  const { i32, u32, tags, geometry } = memory;
  const { problem, report, owned } = findings;
  const contexts = contextTable(geometry);
  const chunks = chunkTable(geometry);

  for (const bytes of owned.values()) {
    report.ownedBlocks++;
    report.ownedBytes += bytes;
  }
  const contextFrontier = checkFrontier(contexts, 'contexts');
  const chunkFrontier = checkFrontier(chunks, 'chunks');
  /** Which record names a block. */
  const names = new OwnMap<number, WordIndex>();
  for (let index = 1; index <= chunkFrontier; index++) checkChunk(recordAt(chunks, index), index);
  checkContexts(memory, findings, contextFrontier, chunkFrontier);
  if (!report.quiet) return;
  checkOwned();
  checkSlots();

  /** The last record of a table that may be in use. */
  function checkFrontier(table: RecordTable, what: string): number {
    const frontier = loadFrontier(i32, table);
    if (frontier < 0 || frontier > table.count) {
      const has = `the frontier of the ${what} is ${frontier}, of ${table.count} records`;
      problem('record-table I2', table.start * 4, has);
    }
    const last = lastRecord(i32, table);
    if (!report.quiet) return last;
    for (let index = last + 1; index <= table.count; index++) {
      const record = recordAt(table, index);
      if (loadRecord(i32, record) === 0) continue;
      problem('record-table I2', record * 4, `record ${index} of the ${what} is past the frontier`);
      break;
    }
    return last;
  }

  function checkChunk(record: WordIndex, index: number): void {
    const at = record * 4;
    const contextOf = () => loadRecord(i32, record);
    const addressOf = () => getChunkAddress(u32, record);
    if (isStable(() => contextOf() === 0 && addressOf() !== 0)) {
      problem('chunk-record I1', at, `chunk ${index} is free, and names ${hex(addressOf())}`);
      return;
    }
    // Of one that is marked the context has ended: who has its lock gives it back.
    const isStray = (context: number): boolean =>
      context !== 0 && !isEndedChunk(context) && !isContext(context);
    if (isStable(() => isStray(contextOf()))) {
      problem('chunk-record I1', at, `chunk ${index} is of context ${contextOf()}, which is none`);
      return;
    }
    const address = addressOf();
    if (address === 0) return;
    if (isStable(() => addressOf() !== 0 && !isOwnedBlock(addressOf()))) {
      const named = hex(addressOf());
      problem('chunk-record I1', at, `chunk ${index} names ${named}, where no owned block begins`);
      return;
    }
    const other = names.get(address);
    names.set(address, record);
    if (other === undefined) return;
    if (isStable(() => addressOf() === address && getChunkAddress(u32, other) === address)) {
      problem('chunk-record I1', address, `two chunks have the block at ${hex(address)}`);
    }
  }

  function isContext(index: number): boolean {
    // Made meanwhile, it may lie behind what was the frontier.
    const known = index > 0 && index <= contexts.count;
    return known && loadRecord(i32, recordAt(contexts, index)) !== 0;
  }

  function isOwnedBlock(address: Address): boolean {
    const inData = address >= geometry.dataStart && address < geometry.end;
    return inData && address % GRANULE_BYTES === 0 && isOwnedTag(loadTag(tags, address));
  }

  /** Each owned block is a chunk, or a vector's header, or the storage that one of those names. */
  function checkOwned(): void {
    const others = List.from(owned.keys()).filter((block) => !names.has(block));
    const headers = others.filter(isHeader);
    const storageOf = (header: number): number => u32[vectorDataWord(wordOf(header))];
    const storages = new OwnMap<number, number>();
    for (const header of headers) {
      const storage = storageOf(header);
      if (storage !== 0) storages.set(storage, (storages.get(storage) ?? 0) + 1);
    }
    for (const header of headers) {
      const storage = storageOf(header);
      // Elements may look like a header; nothing is to be learnt from them.
      if (storage === 0 || storages.has(header)) continue;
      const is = `the vector at ${hex(header)} has ${hex(storage)}`;
      if (!owned.has(storage)) {
        problem('chunk-record I1', header, `${is}, where no owned block begins`);
      } else if (names.has(storage) || storages.get(storage) !== 1) {
        problem('chunk-record I1', header, `${is}, which something else has too`);
      }
    }
    const known = new OwnSet<number>();
    for (const block of headers) known.add(block);
    for (const block of storages.keys()) known.add(block);
    for (const block of onTheirWay()) known.add(block);
    for (const block of others) {
      if (known.has(block)) continue;
      const what = `the owned block at ${hex(block)} is no chunk and no vector's: lost`;
      problem('chunk-record I1', block, what);
    }
  }

  /** Of a vector of the heap: those in contexts lie inside of chunks. */
  function isHeader(block: number): boolean {
    if ((owned.get(block) ?? 0) < VECTOR_HEADER_BYTES) return false;
    const fields = readVectorHeader(u32, wordOf(block));
    return fields !== null && (fields.type & CONTEXT_VECTOR) === 0;
  }

  /** Blocks of placements that an error has left to a thread's next one. */
  function onTheirWay(): List<number> {
    const blocks = new List<number>();
    for (const index of usedSlots(u32, geometry.slots, geometry.threads)) {
      const slot = slotRecord(geometry.slots, index);
      if (getIntentWord(u32, slot) === 0 || loadOwner(i32, geometry.registry, index) === 0)
        continue;
      blocks.push(getIntentIn(u32, slot), getIntentOut(u32, slot));
    }
    return blocks;
  }

  /** What is half done is for its thread to end, by its next call; or for recovery. */
  function checkSlots(): void {
    for (const index of usedSlots(u32, geometry.slots, geometry.threads)) {
      if (loadOwner(i32, geometry.registry, index) !== 0) continue;
      const slot = slotRecord(geometry.slots, index);
      const word = getIntentWord(u32, slot);
      if (word !== 0) {
        const into = `into the word at ${hex(word * 4)}`;
        problem('slot I7', slot * 4, `slot ${index} has not ended a placement ${into}`);
      }
      const header = u32[inFlightHeaderWord(slot)];
      if (header === 0) continue;
      const what = `slot ${index} has not ended the making of a vector at ${hex(header)}`;
      problem('vector-header I1', slot * 4, what);
    }
  }
}

const wordOf = (address: number): WordIndex => (address >>> WORD_SHIFT) as WordIndex;
