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
import * as BlockRecord from '../layout/block-record.js';
import * as ChunkRecord from '../layout/chunk-record.js';
import * as ContextRecord from '../layout/context-record.js';
import type { HeapMemory, RecordTable } from '../layout/index.js';
import * as Records from '../layout/record-table.js';
import * as Registry from '../layout/registry.js';
import * as Slot from '../layout/slot.js';
import * as VectorHeader from '../layout/vector-header.js';
import { isStable } from '../pages/index.js';
import { checkContexts } from './contexts.js';
import type { Findings } from './verify.js';

export function checkObjects(memory: HeapMemory, findings: Findings): void {
  new ObjectVerifier(memory, findings).run();
}

class ObjectVerifier {
  readonly #memory: HeapMemory;
  readonly #i32: Int32Array;
  readonly #u32: Uint32Array;
  readonly #findings: Findings;
  readonly #contexts: RecordTable;
  readonly #chunks: RecordTable;
  /** The record that names each block. */
  readonly #names = new OwnMap<number, WordIndex>();

  constructor(memory: HeapMemory, findings: Findings) {
    this.#memory = memory;
    this.#i32 = memory.i32;
    this.#u32 = memory.u32;
    this.#findings = findings;
    this.#contexts = ContextRecord.contextTable(memory.geometry);
    this.#chunks = ChunkRecord.chunkTable(memory.geometry);
  }

  run(): void {
    const { report, owned } = this.#findings;
    for (const bytes of owned.values()) {
      report.ownedBlocks++;
      report.ownedBytes += bytes;
    }
    const context = this.#checkFrontier(this.#contexts, 'contexts');
    const chunk = this.#checkFrontier(this.#chunks, 'chunks');
    for (let index = 1; index <= chunk; index++) {
      this.#checkChunk(Records.at(this.#chunks, index), index);
    }
    checkContexts(this.#memory, this.#findings, { context, chunk });
    if (!report.quiet) return;
    this.#checkOwned();
    this.#checkSlots();
  }

  /** Checks the frontier; returns the last record that may be in use. */
  #checkFrontier(table: RecordTable, what: string): number {
    const i32 = this.#i32;
    const frontier = Records.loadFrontier(i32, table);
    if (frontier < 0 || frontier > table.count) {
      const has = `the frontier of the ${what} is ${frontier}, but the table has ${table.count} records`;
      this.#findings.problem('record-table I2', table.start * 4, has);
    }
    const last = Records.last(i32, table);
    if (!this.#findings.report.quiet) return last;
    for (let index = last + 1; index <= table.count; index++) {
      const record = Records.at(table, index);
      if (Records.load(i32, record) === 0) continue;
      this.#findings.problem(
        'record-table I2',
        record * 4,
        `record ${index} of the ${what} is in use behind the frontier`,
      );
      break;
    }
    return last;
  }

  #checkChunk(record: WordIndex, index: number): void {
    const u32 = this.#u32;
    const at = record * 4;
    const contextOf = () => Records.load(this.#i32, record);
    const addressOf = () => ChunkRecord.getAddress(u32, record);
    if (isStable(() => contextOf() === 0 && addressOf() !== 0)) {
      this.#findings.problem(
        'chunk-record I1',
        at,
        `chunk ${index} is free, but names ${hex(addressOf())}`,
      );
      return;
    }
    const isStray = (context: number): boolean => context !== 0 && !this.#isContext(context);
    if (isStable(() => isStray(contextOf()))) {
      this.#findings.problem(
        'chunk-record I1',
        at,
        `chunk ${index} belongs to context ${contextOf()}, which does not exist`,
      );
      return;
    }
    const address = addressOf();
    if (address === 0) return;
    if (isStable(() => addressOf() !== 0 && !this.#isOwnedBlock(addressOf()))) {
      const named = hex(addressOf());
      this.#findings.problem(
        'chunk-record I1',
        at,
        `chunk ${index} names ${named}, where no owned block begins`,
      );
      return;
    }
    const other = this.#names.get(address);
    this.#names.set(address, record);
    if (other === undefined) return;
    if (isStable(() => addressOf() === address && ChunkRecord.getAddress(u32, other) === address)) {
      this.#findings.problem(
        'chunk-record I1',
        address,
        `two chunks name the block at ${hex(address)}`,
      );
    }
  }

  #isContext(index: number): boolean {
    // A context that another thread has just made may lie behind the frontier that was read before.
    const known = index > 0 && index <= this.#contexts.count;
    return known && Records.load(this.#i32, Records.at(this.#contexts, index)) !== 0;
  }

  #isOwnedBlock(address: Address): boolean {
    const inData =
      address >= this.#memory.geometry.dataStart && address < this.#memory.geometry.end;
    return (
      inData &&
      address % GRANULE_BYTES === 0 &&
      isOwnedTag(BlockRecord.loadTag(this.#memory.tags, address))
    );
  }

  /** Checks that each owned block is a chunk, a vector's header, or the storage of a header. */
  #checkOwned(): void {
    const others = List.from(this.#findings.owned.keys()).filter(
      (block) => !this.#names.has(block),
    );
    const headers = others.filter((block) => this.#isHeader(block));
    const storageOf = (header: number): number => this.#u32[VectorHeader.dataWord(wordOf(header))];
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
      if (!this.#findings.owned.has(storage)) {
        this.#findings.problem('chunk-record I1', header, `${is}, where no owned block begins`);
      } else if (this.#names.has(storage) || storages.get(storage) !== 1) {
        this.#findings.problem(
          'chunk-record I1',
          header,
          `${is}, which belongs to another object, too`,
        );
      }
    }
    const known = new OwnSet<number>();
    for (const block of headers) known.add(block);
    for (const block of storages.keys()) known.add(block);
    for (const block of this.#onTheirWay()) known.add(block);
    for (const block of others) {
      if (known.has(block)) continue;
      const what = `the owned block at ${hex(block)} belongs to no chunk and no vector: lost`;
      this.#findings.problem('chunk-record I1', block, what);
    }
  }

  /** True for the header of a vector in the heap; a header in a context lies inside a chunk. */
  #isHeader(block: number): boolean {
    if ((this.#findings.owned.get(block) ?? 0) < VectorHeader.BYTES) return false;
    const fields = VectorHeader.read(this.#u32, wordOf(block));
    return fields !== null && (fields.type & VectorHeader.IN_CONTEXT) === 0;
  }

  /**
   * Blocks of placements that an error interrupted, and that the thread's next placement resolves.
   */
  #onTheirWay(): List<number> {
    const u32 = this.#u32;
    const blocks = new List<number>();
    for (const index of Slot.used(
      u32,
      this.#memory.geometry.slots,
      this.#memory.geometry.threads,
    )) {
      const slot = Slot.at(this.#memory.geometry.slots, index);
      if (
        Slot.getIntentWord(u32, slot) === 0 ||
        Registry.loadOwner(this.#i32, this.#memory.geometry.registry, index) === 0
      )
        continue;
      blocks.push(Slot.getIntentIn(u32, slot), Slot.getIntentOut(u32, slot));
    }
    return blocks;
  }

  /**
   * Checks slots without an owner; a slot's owner itself finishes what an error has interrupted.
   */
  #checkSlots(): void {
    const u32 = this.#u32;
    for (const index of Slot.used(
      u32,
      this.#memory.geometry.slots,
      this.#memory.geometry.threads,
    )) {
      if (Registry.loadOwner(this.#i32, this.#memory.geometry.registry, index) !== 0) continue;
      const slot = Slot.at(this.#memory.geometry.slots, index);
      const word = Slot.getIntentWord(u32, slot);
      if (word !== 0) {
        const into = `into the word at ${hex(word * 4)}`;
        this.#findings.problem(
          'slot I7',
          slot * 4,
          `slot ${index} has not finished a placement ${into}`,
        );
      }
      const header = u32[Slot.inFlightHeaderWord(slot)];
      if (header === 0) continue;
      const what = `slot ${index} has not finished creating or deleting the vector at ${hex(header)}`;
      this.#findings.problem('vector-header I1', slot * 4, what);
    }
  }
}

const wordOf = (address: number): WordIndex => (address >>> WORD_SHIFT) as WordIndex;
