/**
 * Block ids of a trace, one for each live block. A released id is used again before a new one
 * begins, so that a trace has as many ids as blocks were live at once.
 *
 * Used by merge-trace.ts, by one thread.
 *
 * The table is an array of pages, each created on first use. A Map holds at most 2^24 blocks, and
 * hashes each address.
 */

import { GRANULE_SHIFT, List } from '../base/index.js';

const PAGE_SHIFT = 16;
const PAGE_MASK = (1 << PAGE_SHIFT) - 1;

export const NO_BLOCK = -1;

export class BlockIds {
  /** Block id + 1 by granule, 0 = no live block begins at the granule. */
  readonly #pages = new List<Uint32Array>();
  readonly #free = new List<number>();
  #count = 0;

  /** Number of block ids used so far. */
  get count(): number {
    return this.#count;
  }

  /** True if an id is left, of at most `idsMax`. */
  hasRoom(idsMax: number): boolean {
    return this.#free.length > 0 || this.#count < idsMax;
  }

  /** The id of the block at an address, or NO_BLOCK. */
  of(address: number): number {
    const granule = address >>> GRANULE_SHIFT;
    const page = this.#pages[granule >>> PAGE_SHIFT];
    return page === undefined ? NO_BLOCK : page[granule & PAGE_MASK] - 1;
  }

  /** Gives an id to a block without one. */
  take(address: number): number {
    const id = this.#free.pop() ?? this.#count++;
    this.#set(address, id + 1);
    return id;
  }

  /** Takes the id back from a block. */
  release(address: number): void {
    this.#free.push(this.of(address));
    this.#set(address, 0);
  }

  /** Moves the id of a block to another address, which has none. */
  move(from: number, to: number): void {
    const id = this.of(from);
    this.#set(from, 0);
    this.#set(to, id + 1);
  }

  #set(address: number, entry: number): void {
    const granule = address >>> GRANULE_SHIFT;
    const n = granule >>> PAGE_SHIFT;
    this.#pages[n] ??= new Uint32Array(1 << PAGE_SHIFT);
    this.#pages[n][granule & PAGE_MASK] = entry;
  }
}
