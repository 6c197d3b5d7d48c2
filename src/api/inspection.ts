/**
 * Inspection: the public class behind `heap.inspect`: lists, dumps, leaks, history, and one call that
 * prints them.
 *
 * One instance per thread and heap, made by SharedHeap. Any thread.
 */

import {
  type Address,
  badOption,
  markPublic,
  notCloned,
  oneOf,
  readOptions,
} from '../base/index.js';
import { type Block, eachBlock } from '../blocks/index.js';
import { readContextTree, renderContextTree } from '../contexts/index.js';
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
  readUsage,
  renderHexdump,
  renderLeaks,
  writeLines,
  writeListing,
} from '../inspect/index.js';
import {
  FILTER_VALUES,
  PRINT_VALUES,
  type PrintOptions,
  readFilter,
  writeToStdout,
} from '../options/index.js';
import { readStats, renderStats } from '../stats/index.js';

/** What `inspect.print` prints. */
export type Printable = 'blocks' | 'contents' | 'leaks' | 'history' | 'contexts' | 'stats';

/** Where a history is printed, and which events of it. */
export interface PrintHistoryOptions extends PrintOptions, HistoryFilter {}

const PRINTABLE = oneOf<Printable>('blocks', 'contents', 'leaks', 'history', 'contexts', 'stats');

/** Bytes of a block that `contents` shows where there is no history of it. */
const PEEK_BYTES = 64;

/**
 * What a heap has in it, for people who look for something: `heap.inspect`.
 *
 * @example
 * ```ts
 * for (const block of heap.inspect.blocks()) console.log(block.address, block.bytes);
 * heap.inspect.print('leaks');
 * ```
 */
export class Inspection {
  /**
   * Structured clone refuses the object for it.
   * @internal
   */
  readonly notCloned = notCloned('heap.inspect', 'post heap.handle, and attach that there');
  readonly #core: ThreadHeap;
  /** Null for a heap without debug options that concern calls. */
  readonly #debug: Debug | null;

  static {
    markPublic(Inspection);
  }

  /**
   * Made by SharedHeap alone.
   * @internal
   */
  constructor(core: ThreadHeap, debug: Debug | null) {
    this.#core = core;
    this.#debug = debug;
  }

  /**
   * All live blocks, by address; those that belong to memory contexts and vectors say so.
   * @returns one object a block: its address and its usable bytes; with debug options also the bytes
   *   that were asked for, the thread and the call stack
   *
   * Threads: any; exact while the others are quiet. Cost: a walk over all pages, and an object a block.
   */
  blocks(): Block[] {
    return [...eachBlock(this.#core.inspector)];
  }

  /**
   * Where everything in the heap is, as plain data: metadata, then every run of pages with what it
   * is used for, and of each span its block size and how many blocks are live, cached and free.
   * `shmalloc/pictures` draws it. While other threads run, the runs are those of one moment, and the
   * blocks in them those of a moment after it; while they are quiet all of it is exact, and adds up
   * to what stats() says.
   * @returns regions and runs in rising order of address, in bytes, and totals for each zone
   * @throws HeapCorruptionError ERR_SHMALLOC_CORRUPTION
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
   * console.log(heap.inspect.hexdump(p));
   * // block at 0x44000: class 3, 48 bytes usable, thread unknown, live
   * // 00044000  68 65 6c 6c 6f 00 00 00  00 00 00 00 00 00 00 00  |hello...........|
   * ```
   */
  hexdump(address: number, options: HexdumpOptions = {}): string {
    const details = this.#core.inspector.details(address as Address, 'hexdump');
    const { u8, geometry } = this.#core.memory;
    return renderHexdump(u8, geometry, details, options);
  }

  /**
   * All live blocks of the program, in groups: by the call stack of their allocation where debug
   * options record it, else by the bytes that each was asked for where they record that, else by size
   * class; large blocks in one. Apart from these, the memory contexts that have not ended, and what
   * vectors have.
   * @returns the groups, the one with most bytes first
   *
   * Threads: any; exact while the others are quiet. Cost: a walk over all pages.
   */
  leaks(): Leaks {
    const { inspector, memory } = this.#core;
    const isLarge = (address: Address) =>
      inspector.regionOf(address).blockBytes === Number.POSITIVE_INFINITY;
    return findLeaks(eachBlock(inspector), readContextTree(memory), isLarge);
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
    return this.#history('inspect.history', readFilter('inspect.history', filter));
  }

  /**
   * Who allocated the block that an address lies in, live or freed: as far back as nobody else has
   * had the block.
   * @param address any address in the block
   * @returns undefined where no block was ever allocated
   * @throws HeapError ERR_SHMALLOC_OPTION_OFF when the heap has no debug option that records it
   *
   * Threads: any. Cost: a walk over the runs, and one over the history where there is one.
   */
  whoAllocated(address: number): Allocation | undefined {
    if (this.#debug === null) throw optionOff('inspect.whoAllocated', 'history');
    return this.#debug.whoAllocated(address as Address);
  }

  /**
   * Prints as text, to stdout or in pieces to `options.write`; the text is never whole in memory:
   *
   * - `blocks`: all live blocks in rising order of address, as the classic exercise does: a heading
   *   `TINY : 0x...` (blocks to 512 bytes), `SMALL` (to 64 KiB) or `LARGE` where it changes, a line
   *   `0x... - 0x... : N bytes` for each block (with its context or vector), and `Total : N bytes`
   * - `contents`: that, and below each block its history, where debug options keep one; else its
   *   first 64 bytes
   * - `leaks`: leaks(), as the debug option `leaks` reports them
   * - `history`: history(), a line an event and one for each frame of its call stack; the options may
   *   have a filter's
   * - `contexts`: contexts.tree(), a line for each context, below its parent; of more than a hundred
   *   children one line for the others; a grand total
   * - `stats`: stats() as a table
   * @param what what to print
   * @param options `write` gets the text, about 64 KiB at a time
   * @throws TypeError, RangeError ERR_SHMALLOC_INVALID_OPTION; HeapError ERR_SHMALLOC_OPTION_OFF for
   *   the history of a heap that keeps none
   *
   * Threads: any; holds no lock for the whole of it; exact while the others are quiet. Cost: that of
   * the call whose answer it prints.
   *
   * @example
   * ```ts
   * heap.inspect.print('blocks');
   * heap.inspect.print('history', { last: 20, write: (text) => log.info(text) });
   * ```
   */
  print(what: 'history', options?: PrintHistoryOptions): void;
  print(what: Printable, options?: PrintOptions): void;
  print(what: Printable, options?: PrintHistoryOptions): void {
    const call = 'inspect.print';
    const asked = PRINTABLE.fromCode(what);
    if (asked === undefined) throw badOption(call, 'what is printed', what, PRINTABLE);
    const { write = writeToStdout, ...filter } =
      asked === 'history'
        ? readOptions<PrintHistoryOptions>(call, options, { ...PRINT_VALUES, ...FILTER_VALUES })
        : readOptions<PrintOptions>(call, options, PRINT_VALUES);
    const { memory } = this.#core;
    if (asked === 'blocks') this.#list(write);
    else if (asked === 'contents') this.#list(write, (block) => this.#contentsOf(block));
    else if (asked === 'history') writeLines(renderHistory(this.#history(call, filter)), write);
    else if (asked === 'leaks') write(`${renderLeaks(this.leaks(), readUsage(memory))}\n`);
    else if (asked === 'contexts') write(`${renderContextTree(readContextTree(memory))}\n`);
    else write(`${renderStats(readStats(memory))}\n`);
  }

  #history(call: string, filter: HistoryFilter): HistoryEvent[] {
    if (this.#debug === null) throw optionOff(call, 'history');
    return this.#debug.history(call, filter);
  }

  #list(write: (text: string) => void, detailsOf?: ListingSource['detailsOf']): void {
    const source: ListingSource = {
      blocks: eachBlock(this.#core.inspector),
      regionOf: (address) => this.#core.inspector.regionOf(address),
      ...(detailsOf === undefined ? {} : { detailsOf }),
    };
    writeListing(source, write);
  }

  #contentsOf({ address, bytes }: Block): Iterable<string> {
    const history = this.#core.inspector.historyOf(address);
    if (history.length > 0) return history;
    return hexRows(this.#core.memory.u8, address, address + Math.min(bytes, PEEK_BYTES));
  }
}
