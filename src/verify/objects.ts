/**
 * Verification of what belongs to objects of the heap: chunk records, owned blocks, and placements
 * and headers in flight. contexts.ts verifies the context records themselves.
 *
 * Called by verify.ts, after the walks that find the owned blocks. It takes no lock, since the
 * tables have none. While other threads run, two words may be read at two different moments; so a
 * mismatch is read again several times, and is a problem only if it stays.
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
  /** The record that names each block. */
  const names = new OwnMap<number, WordIndex>();
  for (let index = 1; index <= chunkFrontier; index++) checkChunk(recordAt(chunks, index), index);
  checkContexts(memory, findings, contextFrontier, chunkFrontier);
  if (!report.quiet) return;
  checkOwned();
  checkSlots();

  /** Checks the frontier; returns the last record that may be in use. */
  function checkFrontier(table: RecordTable, what: string): number {
    const frontier = loadFrontier(i32, table);
    if (frontier < 0 || frontier > table.count) {
      const has = `the frontier of the ${what} is ${frontier}, but the table has ${table.count} records`;
      problem('record-table I2', table.start * 4, has);
    }
    const last = lastRecord(i32, table);
    if (!report.quiet) return last;
    for (let index = last + 1; index <= table.count; index++) {
      const record = recordAt(table, index);
      if (loadRecord(i32, record) === 0) continue;
      problem(
        'record-table I2',
        record * 4,
        `record ${index} of the ${what} is in use behind the frontier`,
      );
      break;
    }
    return last;
  }

  function checkChunk(record: WordIndex, index: number): void {
    const at = record * 4;
    const contextOf = () => loadRecord(i32, record);
    const addressOf = () => getChunkAddress(u32, record);
    if (isStable(() => contextOf() === 0 && addressOf() !== 0)) {
      problem('chunk-record I1', at, `chunk ${index} is free, but names ${hex(addressOf())}`);
      return;
    }
    const isStray = (context: number): boolean => context !== 0 && !isContext(context);
    if (isStable(() => isStray(contextOf()))) {
      problem(
        'chunk-record I1',
        at,
        `chunk ${index} belongs to context ${contextOf()}, which does not exist`,
      );
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
      problem('chunk-record I1', address, `two chunks name the block at ${hex(address)}`);
    }
  }

  function isContext(index: number): boolean {
    // A context that another thread has just made may lie behind the frontier that was read before.
    const known = index > 0 && index <= contexts.count;
    return known && loadRecord(i32, recordAt(contexts, index)) !== 0;
  }

  function isOwnedBlock(address: Address): boolean {
    const inData = address >= geometry.dataStart && address < geometry.end;
    return inData && address % GRANULE_BYTES === 0 && isOwnedTag(loadTag(tags, address));
  }

  /** Checks that each owned block is a chunk, a vector's header, or the storage of a header. */
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
      // A storage whose elements look like a header is not a header.
      if (storage === 0 || storages.has(header)) continue;
      const is = `the vector at ${hex(header)} has its storage at ${hex(storage)}`;
      if (!owned.has(storage)) {
        problem('chunk-record I1', header, `${is}, where no owned block begins`);
      } else if (names.has(storage) || storages.get(storage) !== 1) {
        problem('chunk-record I1', header, `${is}, which belongs to another object, too`);
      }
    }
    const known = new OwnSet<number>();
    for (const block of headers) known.add(block);
    for (const block of storages.keys()) known.add(block);
    for (const block of onTheirWay()) known.add(block);
    for (const block of others) {
      if (known.has(block)) continue;
      const what = `the owned block at ${hex(block)} belongs to no chunk and no vector: lost`;
      problem('chunk-record I1', block, what);
    }
  }

  /** True for the header of a vector in the heap; a header in a context lies inside a chunk. */
  function isHeader(block: number): boolean {
    if ((owned.get(block) ?? 0) < VECTOR_HEADER_BYTES) return false;
    const fields = readVectorHeader(u32, wordOf(block));
    return fields !== null && (fields.type & CONTEXT_VECTOR) === 0;
  }

  /**
   * Blocks of placements that an error interrupted, and that the thread's next placement resolves.
   */
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

  /**
   * Checks slots without an owner; a slot's owner itself finishes what an error has interrupted.
   */
  function checkSlots(): void {
    for (const index of usedSlots(u32, geometry.slots, geometry.threads)) {
      if (loadOwner(i32, geometry.registry, index) !== 0) continue;
      const slot = slotRecord(geometry.slots, index);
      const word = getIntentWord(u32, slot);
      if (word !== 0) {
        const into = `into the word at ${hex(word * 4)}`;
        problem('slot I7', slot * 4, `slot ${index} has not finished a placement ${into}`);
      }
      const header = u32[inFlightHeaderWord(slot)];
      if (header === 0) continue;
      const what = `slot ${index} has not finished creating or deleting the vector at ${hex(header)}`;
      problem('vector-header I1', slot * 4, what);
    }
  }
}

const wordOf = (address: number): WordIndex => (address >>> WORD_SHIFT) as WordIndex;
