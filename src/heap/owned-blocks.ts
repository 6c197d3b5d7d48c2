/**
 * Placement: how a block gets from the heap into a shared word, or from there back, so that a thread
 * that dies on the way loses nothing. What contexts and vectors are built on.
 *
 * Called by contexts/ and collections/. Owner thread only. Enters a section.
 *
 * malloc hands a block to a program, and what the program does not get to write down is lost with it.
 * Here it is written down before: the slot says, as long as that is under way, which word is to have
 * which block (an intent, layout/slot.ts). It stays true at every store what became of the two:
 *
 * I1  While an intent stands, each of its blocks is named by the shared word, or is on this slot's
 *     magazine or RESERVED by it, or is nobody's and goes back (resolve-intent.ts). One of the two at most is
 *     nobody's.
 * I2  While it stands this thread does nothing else in the heap, and its magazine has room: nothing is
 *     flushed, so what was in the magazine is there still. A large block's intent ends before its pages
 *     are given back. What stands after an error names no word that others might change.
 *     Of a call that V8 has cut, neither is in the magazine: what moves a block between it and the intent is
 *     straight stores.
 * I3  What follows the store into the word may fail; the call does not. The intent stands then, and
 *     the next call ends it.
 */

import {
  type Address,
  BLOCK_BYTES,
  GRANULE_BYTES,
  GRANULE_SHIFT,
  LARGE,
  NULL,
  OWNED_LARGE,
  PAGE_BYTES,
  type SizeClass,
  type WordIndex,
} from '../base/index.js';
import * as Header from '../layout/header.js';
import { type HeapMemory, nowhereWord, pageOf, publish } from '../layout/index.js';
import * as PageRecord from '../layout/page-record.js';
import * as Slot from '../layout/slot.js';
import { spanClass } from '../recovery/index.js';
import type { ThreadHeap } from './thread-heap.js';
import { resolveOwn } from './tools.js';

/** Writes into a new block, which nobody has yet, what is to be in it. `old`: the word's block so far. */
export type Fill = (block: Address, blockBytes: number, old: Address) => void;

export class OwnedBlocks {
  readonly #heap: ThreadHeap;
  readonly #tops: number;
  readonly #intent: number;
  #makeRoom = (): boolean => false;

  constructor(heap: ThreadHeap) {
    this.#heap = heap;
    this.#tops = Slot.topsOf(heap.slot);
    this.#intent = Slot.intentOf(heap.slot);
  }

  /** From now on `makeRoom` is asked where the heap is full; true = it has given something back. */
  whenFull(makeRoom: () => boolean): void {
    this.#makeRoom = makeRoom;
  }

  /**
   * Makes a new block of at least `bytes` bytes the content of a shared word, and frees the one that
   * it had. The word is this thread's to change.
   * @returns the block; 0 when the heap is full, and nothing has changed
   */
  replace(word: WordIndex, bytes: number, fill?: Fill): Address {
    const { memory, calls, events } = this.#heap;
    const { u32, geometry } = memory;
    const old = u32[word] as Address;
    const c = old === 0 ? (0 as SizeClass) : classOfOwned(memory, old);
    this.#prepare(c);
    let block = calls.reserve(GRANULE_BYTES, bytes, false);
    if (block === 0 && this.#makeRoom()) {
      // What was given back may lie in the magazine that the old block is to go to.
      this.#prepare(c);
      block = calls.reserve(GRANULE_BYTES, bytes, false);
    }
    // To tell that is for the caller: it may do with less.
    if (block === 0) return NULL;
    const blockBytes = calls.reservedBytes(block);
    Header.noteOwned(u32, geometry.header);
    fill?.(block, blockBytes, old);
    calls.commitOwned(block, word, old);
    // point: place.publish
    publish(u32, word, block);
    this.#give(old, c);
    events.flush();
    return block;
  }

  /** Frees the block that a shared word has, and makes that 0. */
  remove(word: WordIndex): void {
    const { memory } = this.#heap;
    const old = memory.u32[word] as Address;
    if (old === 0) return;
    this.#take(word, old, classOfOwned(memory, old));
  }

  /**
   * Frees the program's block whose address a shared word has, and makes that 0: never only one of
   * both. Of a word that is 0: false, and nothing is done.
   * @throws InvalidAddressError
   */
  free(word: WordIndex): boolean {
    const { memory, calls } = this.#heap;
    const block = memory.u32[word] as Address;
    if (block === 0) return false;
    // Throws where no block of the program begins.
    calls.usableSize(block, 'free');
    const tag = memory.tags[block >>> GRANULE_SHIFT] as SizeClass;
    this.#take(word, block, tag === LARGE ? OWNED_LARGE : tag);
    return true;
  }

  /** Usable bytes of a block that was placed. */
  bytesOf(block: Address): number {
    const { memory } = this.#heap;
    const { i32, geometry } = memory;
    const c = classOfOwned(memory, block);
    if (c !== OWNED_LARGE) return BLOCK_BYTES[c];
    const run = PageRecord.getRun(i32, PageRecord.at(geometry.pageTable, pageOf(block)));
    return PageRecord.pagesOf(run) * PAGE_BYTES;
  }

  /** Nothing is half done of an earlier placement, and a block of class `c` can be pushed. */
  #prepare(c: SizeClass): void {
    const { memory, slot, section, cache } = this.#heap;
    const { u32 } = memory;
    section.enter(true);
    try {
      resolveOwn(this.#heap);
      const small = c !== 0 && c !== OWNED_LARGE;
      if (small && Slot.magazineBlocks(u32, slot, c) >= Slot.getLimit(u32, slot, c)) cache.flush(c);
    } catch (error) {
      throw section.abort(error);
    }
    section.leave();
  }

  /** Takes a block from a word that has it. */
  #take(word: WordIndex, old: Address, c: SizeClass): void {
    const { memory, slot, events } = this.#heap;
    const { u32 } = memory;
    this.#prepare(c);
    // point: place.in
    Slot.setIntentIn(u32, slot, NULL);
    // point: place.out
    Slot.setIntentOut(u32, slot, old);
    // point: place.intent
    Slot.setIntentWord(u32, slot, word);
    // point: place.publish
    publish(u32, word, NULL);
    this.#give(old, c);
    events.flush();
  }

  /** Gives the block back that the word had, and ends the intent. */
  #give(old: Address, c: SizeClass): void {
    if (c === OWNED_LARGE) {
      this.#giveLarge(old);
      return;
    }
    const { u32, tags } = this.#heap.memory;
    const tops = this.#tops;
    const intent = this.#intent;
    const top = u32[tops + c];
    if (old !== 0) {
      // Straight stores, the intent's too.
      // point: place.entry
      u32[top] = old;
      // point: place.top
      u32[tops + c] = top + 1;
      // point: place.untag
      tags[old >>> GRANULE_SHIFT] = 0;
    }
    // point: place.done
    u32[intent] = 0;
  }

  #giveLarge(old: Address): void {
    const { memory, slot, section, large } = this.#heap;
    const { u32, geometry } = memory;
    // Should the page lock not be had, the intent stands while others go on with the word.
    // point: place.resolved
    Slot.setIntentIn(u32, slot, NULL);
    // point: place.nowhere
    Slot.setIntentWord(u32, slot, nowhereWord(geometry));
    try {
      section.enter(true);
      try {
        large.free(old, () => {
          // point: place.done
          Slot.setIntentWord(u32, slot, 0);
        });
      } catch (error) {
        throw section.abort(error);
      }
      section.leave();
    } catch {
      // The word has its new content. Where the old block could not be given back the intent stands,
      // and the next call tries again; a broken heap refuses that one.
    }
  }
}

/** The class of an owned block; OWNED_LARGE for a run of its own. */
function classOfOwned({ i32, tags, geometry }: HeapMemory, block: Address): SizeClass {
  if (tags[block >>> GRANULE_SHIFT] === OWNED_LARGE) return OWNED_LARGE;
  return spanClass(i32, geometry, block);
}
