/**
 * Block ids of a trace, one for each live block: a free id is given anew before another is begun, so
 * that a trace has as many as blocks were live at once.
 *
 * Used by merge-trace.ts, one thread.
 *
 * The table is an array of pages, each made when it is needed. A Map could hold no more than 2^24
 * blocks, and hashes each address.
 */

import { GRANULE_SHIFT, List } from '../base/index.js';

const PAGE_SHIFT = 16;
const PAGE_MASK = (1 << PAGE_SHIFT) - 1;

export const NO_BLOCK = -1;

export class BlockIds {
  /** Block id + 1 by granule, 0 = no live block begins there. */
  readonly #pages = new List<Uint32Array>();
  readonly #free = new List<number>();
  #count = 0;

  /** How many block ids were needed so far. */
  get count(): number {
    return this.#count;
  }

  /** Is there one left, when there can be so many? */
  hasRoom(idsMax: number): boolean {
    return this.#free.length > 0 || this.#count < idsMax;
  }

  /** The id of the block at an address, or NO_BLOCK. */
  of(address: number): number {
    const granule = address >>> GRANULE_SHIFT;
    const page = this.#pages[granule >>> PAGE_SHIFT];
    return page === undefined ? NO_BLOCK : page[granule & PAGE_MASK] - 1;
  }

  /** Gives an id to a block that has none. */
  take(address: number): number {
    const id = this.#free.pop() ?? this.#count++;
    this.#set(address, id + 1);
    return id;
  }

  /** Takes back the id of a block that has one. */
  release(address: number): void {
    this.#free.push(this.of(address));
    this.#set(address, 0);
  }

  /** A block that has an id is now at another address, which has none. */
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
