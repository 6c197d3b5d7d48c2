/**
 * The part of a heap's public class that looks at blocks: lists, dumps, leaks.
 *
 * SharedHeap extends it. One instance per thread and heap.
 */

import { type Address, INSPECT, notCloned, showAsJson } from '../base/index.js';
import { type Block, eachBlock } from '../blocks/index.js';
import { readContextTree } from '../contexts/index.js';
import {
  type Allocation,
  type Debug,
  type HistoryEvent,
  type HistoryFilter,
  optionOff,
  renderHistory,
} from '../debug/index.js';
import type { ThreadHeap } from '../heap/index.js';
import {
  findLeaks,
  type HeapMap,
  type HexdumpOptions,
  hexRows,
  type Leaks,
  type ListingSource,
  readMap,
  renderHexdump,
  writeLines,
  writeListing,
} from '../inspect/index.js';
import { type PrintOptions, readFilter, writerOf } from '../options/index.js';
import { formatBytes, readStats } from '../stats/index.js';
import { isPoisoned } from '../sync/index.js';

/** What JSON.stringify shows of a heap. */
export interface HeapSummary {
  /** As in `heap.handle.id`. */
  heap: string;
  /** Length of the heap. */
  reservedBytes: number;
  /** Usable bytes of live blocks. */
  inUseBytes: number;
  /** How many are attached. */
  threads: number;
}

/** So much of a block is dumped where a listing has no history of it. */
const PEEK_BYTES = 64;

/** A heap whose blocks can be looked at: what SharedHeap adds its calls to. */
export abstract class InspectableHeap {
  /**
   * Structured clone refuses a heap for it. The first of its properties: of the others it would
   * refuse the functions, with their source.
   * @internal
   */
  readonly notCloned = notCloned(
    'a SharedHeap',
    'post heap.handle, and call SharedHeap.attach(handle) there',
  );
  readonly #core: ThreadHeap;
  readonly #id: string;
  /** Of heaps with debug options that concern calls. */
  readonly #debug: Debug | null;

  protected constructor(core: ThreadHeap, debug: Debug | null, id: string) {
    this.#core = core;
    this.#id = id;
    this.#debug = debug;
  }

  /**
   * All live blocks, by address; those that belong to memory contexts and vectors say so. Exact when
   * the other threads are quiet.
   *
   * Threads: any. Cost: a walk of all there is, and an object for each block.
   */
  blocks(): Block[] {
    return [...eachBlock(this.#core.inspector)];
  }

  /**
   * Where everything in the heap is, as plain data: metadata, then every run of pages with what it
   * is used for, and of each span its block size and how many blocks are live, cached and free.
   * Pictures of it are drawn by `shmalloc/pictures`. While other threads run, the runs are those of
   * one moment, and the blocks in them those of a moment after it; when they are quiet all of it is
   * exact, and adds up to what stats() says.
   * @throws HeapCorruptionError
   *
   * Threads: any; holds up those that need pages, for about 10 ns a run. Cost: a walk over the runs,
   * about 20 ms for the 122,000 spans of a full heap of 1 GiB; an object for each run.
   */
  map(): HeapMap {
    return readMap(this.#core.memory, this.#core.runs());
  }

  /**
   * The block at `address` as text: a line that says where it begins, its size class, usable bytes,
   * the thread that allocated it (where debug options keep that), and whether it is live or free;
   * then its bytes, 16 a row, in hexadecimal and as ASCII. Of four equal rows and more the first and
   * the last are shown, with a `*` between them. Of an object in a memory context, or what a vector
   * has, the line says whose chunk that lies in, and the bytes are those from there to its end.
   * @param address where a block begins, live or free; or an address in a context's or vector's block
   * @param options part of the block, or bytes before and behind it
   * @returns lines, without a line break at the end
   * @throws InvalidAddressError with its `reason`: null, misaligned, never allocated or in free
   *   pages, inside a block, metadata, out of range; RangeError ERR_SHMALLOC_INVALID_SIZE;
   *   TypeError ERR_SHMALLOC_INVALID_OPTION
   *
   * Threads: any; what others write meanwhile may be shown half. Cost: a walk over the runs under a
   * lock, and about a microsecond a row.
   *
   * @example
   * ```ts
   * console.log(heap.hexdump(p));
   * // block at 0x44000: class 3, 48 bytes usable, thread unknown, live
   * // 00044000  68 65 6c 6c 6f 00 00 00  00 00 00 00 00 00 00 00  |hello...........|
   * ```
   */
  hexdump(address: Address, options: HexdumpOptions = {}): string {
    const details = this.#core.inspector.details(address, 'hexdump');
    const { u8, geometry } = this.#core.memory;
    return renderHexdump(u8, geometry, details, options);
  }

  /**
   * Prints all live blocks in rising order of address, as the classic exercise does: a heading
   * `TINY : 0x...` (blocks to 512 bytes), `SMALL` (to 64 KiB) or `LARGE` where it changes, a line
   * `0x... - 0x... : N bytes` for each block (and whose it is, where it is a context's or a vector's),
   * and `Total : N bytes`. The text is never whole in memory, and no lock is held for the whole of it.
   *
   * Threads: any; exact when the others are quiet. Cost: a walk of all there is.
   */
  showAllocMem(options?: PrintOptions): void {
    this.#show(writerOf('showAllocMem', options));
  }

  /**
   * showAllocMem, and below each block what happened to it, where debug options keep a history; else
   * its first 64 bytes.
   *
   * Threads: any; exact when the others are quiet. Cost: a walk of all there is.
   */
  showAllocMemEx(options?: PrintOptions): void {
    this.#show(writerOf('showAllocMemEx', options), (block) => this.#lookInto(block));
  }

  /**
   * All live blocks of the program, in groups: by the call stack of their allocation where debug
   * options record it, else by the bytes that each was asked for where they record that, else by size
   * class; large blocks in one. The group with most bytes first. Apart from these, the memory contexts
   * that have not ended, and what vectors have.
   *
   * Threads: any; exact when the others are quiet. Cost: a walk of all there is.
   */
  leaks(): Leaks {
    const { inspector } = this.#core;
    const isLarge = (address: Address) =>
      inspector.regionOf(address).blockBytes === Number.POSITIVE_INFINITY;
    return findLeaks(eachBlock(inspector), readContextTree(this.#core.memory), isLarge);
  }

  /**
   * The last calls of all threads, oldest first: of each thread as many as the option `history` says.
   * @param filter only those of one block, of one thread, or the last ones
   * @throws HeapError ERR_SHMALLOC_OPTION_OFF when the heap keeps no history; TypeError, RangeError
   *   ERR_SHMALLOC_INVALID_OPTION for a filter that cannot be
   *
   * Threads: any; holds up nobody. Cost: about a microsecond an event.
   */
  history(filter?: HistoryFilter): HistoryEvent[] {
    return this.#history('history', filter);
  }

  /** Prints the history, a line an event and one for each frame of its call stack. */
  printHistory(filter?: HistoryFilter, options?: PrintOptions): void {
    const write = writerOf('printHistory', options);
    writeLines(renderHistory(this.#history('printHistory', filter)), write);
  }

  /**
   * Who allocated the block that an address lies in, live or freed: as far back as nobody else has
   * had the block.
   * @returns undefined where no block was ever allocated
   * @throws HeapError ERR_SHMALLOC_OPTION_OFF when the heap has no debug option that records it
   *
   * Threads: any. Cost: a walk over the runs, and one over the history where there is one.
   */
  whoAllocated(address: Address): Allocation | undefined {
    if (this.#debug === null) throw optionOff('whoAllocated', 'history');
    return this.#debug.whoAllocated(address);
  }

  /** What JSON.stringify shows: figures, and no handle to attach with. */
  toJSON(): HeapSummary {
    const { reservedBytes, inUseBytes, threads } = readStats(this.#core.memory);
    const attached = threads.filter((thread) => thread.attached).length;
    return { heap: this.#id, reservedBytes, inUseBytes, threads: attached };
  }

  /** What a text shows that it is put into. */
  toString(): string {
    return this[INSPECT]();
  }

  /** What console.log shows. */
  [INSPECT](): string {
    const { heap, inUseBytes, reservedBytes, threads } = this.toJSON();
    const use = `${formatBytes(inUseBytes)} of ${formatBytes(reservedBytes)} in use`;
    const state = isPoisoned(this.#core.memory) ? ', broken' : '';
    const here = this.#core.isAttached() ? '' : ', this thread has detached';
    const count = `${threads} ${threads === 1 ? 'thread' : 'threads'}`;
    return `SharedHeap ${heap}: ${use}, ${count}${state}${here}`;
  }

  #history(call: string, filter: HistoryFilter | undefined): HistoryEvent[] {
    const asked = readFilter(call, filter);
    if (this.#debug === null) throw optionOff(call, 'history');
    return this.#debug.history(call, asked);
  }

  #show(write: (text: string) => void, detailsOf?: ListingSource['detailsOf']): void {
    const source: ListingSource = {
      blocks: eachBlock(this.#core.inspector),
      regionOf: (address) => this.#core.inspector.regionOf(address),
      ...(detailsOf === undefined ? {} : { detailsOf }),
    };
    writeListing(source, write);
  }

  #lookInto({ address, bytes }: Block): Iterable<string> {
    const history = this.#core.inspector.historyOf(address);
    if (history.length > 0) return history;
    return hexRows(this.#core.memory.u8, address, address + Math.min(bytes, PEEK_BYTES));
  }
}

showAsJson(InspectableHeap.prototype);
