/**
 * Verification of the chunks of contexts: the chains, the counts of their records, and the objects in
 * them.
 *
 * Called by contexts.ts, in a quiet heap only.
 */

import { GRANULE_SHIFT, hex, type WordIndex } from '../base/index.js';
import * as ChunkRecord from '../layout/chunk-record.js';
import * as ContextRecord from '../layout/context-record.js';
import type { HeapMemory, RecordTable } from '../layout/index.js';
import * as Records from '../layout/record-table.js';
import type { Findings } from './verify.js';

export class ChainVerifier {
  readonly #i32: Int32Array;
  readonly #u32: Uint32Array;
  readonly #findings: Findings;
  readonly #contexts: RecordTable;
  readonly #chunks: RecordTable;
  readonly #frontier: number;
  /** By chunk record: the context whose chain contains it; 0 = none. */
  readonly #hangs: Uint32Array;

  /** @param frontier the last chunk record that may be in use */
  constructor({ i32, u32, geometry }: HeapMemory, findings: Findings, frontier: number) {
    this.#i32 = i32;
    this.#u32 = u32;
    this.#findings = findings;
    this.#contexts = ContextRecord.contextTable(geometry);
    this.#chunks = ChunkRecord.chunkTable(geometry);
    this.#frontier = frontier;
    this.#hangs = new Uint32Array(frontier + 1);
  }

  /** Checks the chunks of one context. */
  check(index: number): void {
    this.#checkChain(index);
    this.#checkCursor(index);
    this.#checkTaken(index);
  }

  #at(index: number): WordIndex {
    return Records.at(this.#contexts, index);
  }

  #checkChain(index: number): void {
    const u32 = this.#u32;
    const record = this.#at(index);
    const keeper = ContextRecord.getKeeper(u32, record);
    let keeps = keeper === 0;
    let count = 0;
    let bytes = 0;
    let after = 0;
    this.#hang(index, ContextRecord.getChunk(u32, record), (chunk, n) => {
      if (ChunkRecord.getPrev(u32, chunk) !== after) {
        this.#findings.problem(
          'context-record I4',
          chunk * 4,
          `chunk ${n} of context ${index} has a wrong link back`,
        );
      }
      after = n;
      keeps ||= n === keeper;
      count++;
      bytes += ChunkRecord.getBytes(u32, chunk);
      const usable = this.#findings.owned.get(ChunkRecord.getAddress(u32, chunk));
      if (usable === undefined || usable === ChunkRecord.getBytes(u32, chunk)) return;
      const is = `a chunk of context ${index} has ${ChunkRecord.getBytes(u32, chunk)} bytes; its block has`;
      this.#findings.problem('context-record I4', chunk * 4, `${is} ${usable}`);
    });
    if (!keeps) {
      const has = `context ${index} is to keep chunk ${keeper}, which is not in its chain`;
      this.#findings.problem('context-record I4', record * 4, has);
    }
    const counted = [ContextRecord.getChunkCount(u32, record), ContextRecord.getBytes(u32, record)];
    if (counted[0] === count && counted[1] === bytes) return;
    const says = `context ${index} counts ${counted[0]} chunks, ${counted[1]} bytes; it has`;
    this.#findings.problem('context-record I4', record * 4, `${says} ${count}, ${bytes}`);
  }

  /** Follows a chain of chunk records until its end or its first broken record. */
  #hang(index: number, first: number, visit: (chunk: WordIndex, n: number) => void): void {
    for (let chunk = first; chunk !== 0; ) {
      const inside = chunk <= this.#frontier;
      const record = Records.at(this.#chunks, inside ? chunk : 0);
      if (!inside || Records.load(this.#i32, record) !== index || this.#hangs[chunk] !== 0) {
        const what = inside && this.#hangs[chunk] !== 0 ? 'twice' : 'which is not its own';
        const has = `the chain of context ${index} has chunk ${chunk}, ${what}`;
        this.#findings.problem('context-record I4', this.#at(index) * 4, has);
        return;
      }
      this.#hangs[chunk] = index;
      visit(record, chunk);
      chunk = ChunkRecord.getNext(this.#u32, record);
    }
  }

  /** Checks that start <= cursor <= limit, all three in one chunk. */
  #checkCursor(index: number): void {
    const u32 = this.#u32;
    const record = this.#at(index);
    const start = ContextRecord.getChunkStart(u32, record);
    const cursor = ContextRecord.getCursor(u32, record);
    const limit = ContextRecord.getChunkEnd(u32, record);
    const isNone = start === 0 && cursor === 0 && limit === 0;
    if (isNone || (start <= cursor && cursor <= limit && this.#isInChunk(index, start, limit)))
      return;
    const says = `context ${index} has the cursor ${cursor} and a chunk from ${start} to ${limit}`;
    this.#findings.problem(
      'context-record I4',
      record * 4,
      `${says}: not inside one of its chunks`,
    );
  }

  /** Checks the bytes of objects and of freed objects. */
  #checkTaken(index: number): void {
    const u32 = this.#u32;
    const record = this.#at(index);
    const current = ContextRecord.getCursor(u32, record) - ContextRecord.getChunkStart(u32, record);
    const used =
      ContextRecord.getUsedBefore(u32, record) + current - ContextRecord.getFreedBytes(u32, record);
    if (used < 0 || used > ContextRecord.getBytes(u32, record)) {
      const says = `objects of context ${index} take ${used} of ${ContextRecord.getBytes(u32, record)} bytes`;
      this.#findings.problem('context-record I4', record * 4, says);
    }
    for (let log = GRANULE_SHIFT; log < GRANULE_SHIFT + ContextRecord.FREE_LISTS_MAX; log++) {
      const address = u32[ContextRecord.freeListWord(record, log)];
      if (address === 0 || this.#isInChunk(index, address, address + 2 ** log)) continue;
      const has = `context ${index} has a freed object at ${hex(address)}: not inside its chunks`;
      this.#findings.problem('context-record I4', record * 4, has);
    }
  }

  #isInChunk(index: number, start: number, limit: number): boolean {
    const u32 = this.#u32;
    let chunk = ContextRecord.getChunk(u32, this.#at(index));
    for (let n = 0; chunk !== 0 && chunk <= this.#frontier && n <= this.#frontier; n++) {
      const record = Records.at(this.#chunks, chunk);
      const address = ChunkRecord.getAddress(u32, record);
      if (address <= start && limit <= address + ChunkRecord.getBytes(u32, record)) return true;
      chunk = ChunkRecord.getNext(u32, record);
    }
    return false;
  }

  /** Checks that no chunk of a context is missing in its chain; after the check of all contexts. */
  checkStrays(): void {
    for (let chunk = 1; chunk <= this.#frontier; chunk++) {
      const record = Records.at(this.#chunks, chunk);
      const context = Records.load(this.#i32, record);
      if (context === 0 || this.#hangs[chunk] !== 0) continue;
      const is = `chunk ${chunk} belongs to context ${context}, but is not in its chain`;
      this.#findings.problem('context-record I4', record * 4, is);
    }
  }
}
