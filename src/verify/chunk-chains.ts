/**
 * Verification of the chunks of contexts: the chains, the counts of their records, and the objects in
 * them.
 *
 * Called by contexts.ts, in a quiet heap only.
 */

import { GRANULE_SHIFT, hex, type WordIndex } from '../base/index.js';
import {
  chunkTable,
  contextTable,
  FREE_LISTS_MAX,
  freeListWord,
  getChunk,
  getChunkAddress,
  getChunkBytes,
  getChunkCount,
  getChunkEnd,
  getChunkStart,
  getContextBytes,
  getCursor,
  getFreedBytes,
  getKeeper,
  getNextChunk,
  getPrevChunk,
  getUsedBefore,
  type HeapMemory,
  loadRecord,
  type RecordTable,
  recordAt,
} from '../layout/index.js';
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
    this.#contexts = contextTable(geometry);
    this.#chunks = chunkTable(geometry);
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
    return recordAt(this.#contexts, index);
  }

  #checkChain(index: number): void {
    const u32 = this.#u32;
    const record = this.#at(index);
    const keeper = getKeeper(u32, record);
    let keeps = keeper === 0;
    let count = 0;
    let bytes = 0;
    let after = 0;
    this.#hang(index, getChunk(u32, record), (chunk, n) => {
      if (getPrevChunk(u32, chunk) !== after) {
        this.#findings.problem(
          'context-record I4',
          chunk * 4,
          `chunk ${n} of context ${index} has a wrong link back`,
        );
      }
      after = n;
      keeps ||= n === keeper;
      count++;
      bytes += getChunkBytes(u32, chunk);
      const usable = this.#findings.owned.get(getChunkAddress(u32, chunk));
      if (usable === undefined || usable === getChunkBytes(u32, chunk)) return;
      const is = `a chunk of context ${index} has ${getChunkBytes(u32, chunk)} bytes; its block has`;
      this.#findings.problem('context-record I4', chunk * 4, `${is} ${usable}`);
    });
    if (!keeps) {
      const has = `context ${index} is to keep chunk ${keeper}, which is not in its chain`;
      this.#findings.problem('context-record I4', record * 4, has);
    }
    const counted = [getChunkCount(u32, record), getContextBytes(u32, record)];
    if (counted[0] === count && counted[1] === bytes) return;
    const says = `context ${index} counts ${counted[0]} chunks, ${counted[1]} bytes; it has`;
    this.#findings.problem('context-record I4', record * 4, `${says} ${count}, ${bytes}`);
  }

  /** Follows a chain of chunk records until its end or its first broken record. */
  #hang(index: number, first: number, visit: (chunk: WordIndex, n: number) => void): void {
    for (let chunk = first; chunk !== 0; ) {
      const inside = chunk <= this.#frontier;
      const record = recordAt(this.#chunks, inside ? chunk : 0);
      if (!inside || loadRecord(this.#i32, record) !== index || this.#hangs[chunk] !== 0) {
        const what = inside && this.#hangs[chunk] !== 0 ? 'twice' : 'which is not its own';
        const has = `the chain of context ${index} has chunk ${chunk}, ${what}`;
        this.#findings.problem('context-record I4', this.#at(index) * 4, has);
        return;
      }
      this.#hangs[chunk] = index;
      visit(record, chunk);
      chunk = getNextChunk(this.#u32, record);
    }
  }

  /** Checks that start <= cursor <= limit, all three in one chunk. */
  #checkCursor(index: number): void {
    const u32 = this.#u32;
    const record = this.#at(index);
    const start = getChunkStart(u32, record);
    const cursor = getCursor(u32, record);
    const limit = getChunkEnd(u32, record);
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
    const current = getCursor(u32, record) - getChunkStart(u32, record);
    const used = getUsedBefore(u32, record) + current - getFreedBytes(u32, record);
    if (used < 0 || used > getContextBytes(u32, record)) {
      const says = `objects of context ${index} take ${used} of ${getContextBytes(u32, record)} bytes`;
      this.#findings.problem('context-record I4', record * 4, says);
    }
    for (let log = GRANULE_SHIFT; log < GRANULE_SHIFT + FREE_LISTS_MAX; log++) {
      const address = u32[freeListWord(record, log)];
      if (address === 0 || this.#isInChunk(index, address, address + 2 ** log)) continue;
      const has = `context ${index} has a freed object at ${hex(address)}: not inside its chunks`;
      this.#findings.problem('context-record I4', record * 4, has);
    }
  }

  #isInChunk(index: number, start: number, limit: number): boolean {
    const u32 = this.#u32;
    let chunk = getChunk(u32, this.#at(index));
    for (let n = 0; chunk !== 0 && chunk <= this.#frontier && n <= this.#frontier; n++) {
      const record = recordAt(this.#chunks, chunk);
      const address = getChunkAddress(u32, record);
      if (address <= start && limit <= address + getChunkBytes(u32, record)) return true;
      chunk = getNextChunk(u32, record);
    }
    return false;
  }

  /** Checks that no chunk of a context is missing in its chain; after the check of all contexts. */
  checkStrays(): void {
    for (let chunk = 1; chunk <= this.#frontier; chunk++) {
      const record = recordAt(this.#chunks, chunk);
      const context = loadRecord(this.#i32, record);
      if (context === 0 || this.#hangs[chunk] !== 0) continue;
      const is = `chunk ${chunk} belongs to context ${context}, but is not in its chain`;
      this.#findings.problem('context-record I4', record * 4, is);
    }
  }
}
