/**
 * The storage of a shared vector, as its writers change it: the lock, the new block of a growth or of
 * another order, and the repair of a change that a dead thread has left.
 *
 * Made by shared-vector.ts, whose invariants (I1 to I7) hold here. Any thread; one instance per thread.
 */

import type { Address, WordIndex } from '../base/index.js';
import type { Changing, ThreadHeap } from '../heap/index.js';
import * as VectorHeader from '../layout/vector-header.js';
import type { Elements } from './vector-elements.js';
import { grow } from './vector-engine.js';
import type { VectorStorage } from './vector-storage.js';

/** Writes elements into a new storage: to where they begin, from where they began. */
export type Arrange = (to: number, from: number) => void;

export class SharedStorage<T> implements Changing {
  readonly #home: VectorStorage;
  readonly #elements: Elements<T>;
  readonly #core: ThreadHeap;
  readonly #i32: Int32Array;
  readonly #u32: Uint32Array;
  readonly #u8: Uint8Array;
  readonly #dataWord: WordIndex;
  readonly #versionWord: WordIndex;
  readonly #lockWord: WordIndex;
  /** Bytes in front of the first element. */
  readonly #head: number;

  constructor(home: VectorStorage, elements: Elements<T>) {
    const { core } = home.attachment;
    this.#home = home;
    this.#elements = elements;
    this.#core = core;
    this.#i32 = core.memory.i32;
    this.#u32 = core.memory.u32;
    this.#u8 = core.memory.u8;
    this.#dataWord = VectorHeader.dataWord(home.header);
    this.#versionWord = VectorHeader.versionWord(home.header);
    this.#lockWord = VectorHeader.lockWord(home.header);
    this.#head = VectorHeader.STORAGE_HEAD_BYTES + elements.scratchBytes;
  }

  /** Takes the lock of a vector that is live and whole; its storage. */
  enter(asked: string): Address {
    // I5: where it is not, there may be no lock any more.
    if (!this.#home.isLive()) throw this.#home.ended(asked);
    const { marks } = this.#core;
    // A lock that is marked was this thread's in a call that was cut: not to be repaired as this vector's.
    if (marks.lock !== 0) this.#core.repairIfCut();
    marks.changing = this;
    const isTakenOver = this.#core.objectLocks.acquire(this.#lockWord) === 'taken over';
    let isEntered = false;
    try {
      if (this.#home.isLive()) {
        const data = VectorHeader.loadStorage(this.#i32, this.#dataWord);
        if (isTakenOver || this.#isHalfDone(data)) this.#repair(data);
        isEntered = true;
        return data;
      }
    } finally {
      if (!isEntered) this.leave();
    }
    throw this.#home.ended(asked);
  }

  /** I6. */
  #isHalfDone(data: Address): boolean {
    if ((VectorHeader.loadVersion(this.#i32, this.#versionWord) & 1) !== 0) return true;
    return data !== 0 && VectorHeader.getRedo(this.#i32, data) !== 0;
  }

  leave(): void {
    this.#core.objectLocks.release(this.#lockWord);
  }

  /** A change of this thread was cut: as for a dead owner. */
  repairLocked(): void {
    if (this.#home.isLive()) this.#repair(VectorHeader.loadStorage(this.#i32, this.#dataWord));
  }

  /** Finishes what a dead owner was at. Its storage is the new one or the old one, and whole. */
  #repair(data: Address): void {
    const i32 = this.#i32;
    const redo = data === 0 ? 0 : VectorHeader.getRedo(i32, data);
    if (redo !== 0) {
      // It may have died before readers were told.
      if ((VectorHeader.loadVersion(i32, this.#versionWord) & 1) === 0)
        VectorHeader.addVersion(i32, this.#versionWord, 1);
      this.#copyScratch(data, redo - 1);
      VectorHeader.storeRedo(i32, data, 0);
    }
    // Another one in any case: it may have died between a pop and that.
    VectorHeader.closeVersion(i32, this.#versionWord);
  }

  /** A change that may call the heap. */
  change<R>(asked: string, work: (data: Address) => R): R {
    return this.#core.events.deferring(() => {
      const data = this.enter(asked);
      try {
        return work(data);
      } finally {
        this.leave();
      }
    });
  }

  /** Shortens the vector: readers that were at what is cut off look again (I2). */
  cut(data: Address, length: number): void {
    // point: vector.cut
    VectorHeader.storeStoredLength(this.#i32, data, length);
    // point: vector.version
    VectorHeader.addVersion(this.#i32, this.#versionWord, 2);
  }

  /** I3. */
  setRecord(data: Address, index: number, value: T): void {
    this.#elements.write(data + VectorHeader.STORAGE_HEAD_BYTES, 0, value);
    // point: vector.redo
    VectorHeader.storeRedo(this.#i32, data, index + 1);
    VectorHeader.addVersion(this.#i32, this.#versionWord, 1);
    // point: vector.record
    this.#copyScratch(data, index);
    // point: vector.done
    VectorHeader.storeRedo(this.#i32, data, 0);
    // point: vector.even
    VectorHeader.addVersion(this.#i32, this.#versionWord, 1);
  }

  #copyScratch(data: Address, index: number): void {
    const scratch = data + VectorHeader.STORAGE_HEAD_BYTES;
    const { stride } = this.#elements;
    this.#u8.copyWithin(data + this.#head + index * stride, scratch, scratch + stride);
  }

  /** Under the lock: another order, and another length, in a storage of the same size if need be. */
  reorder(asked: string, data: Address, length: number, arrange: Arrange): void {
    const capacity = VectorHeader.getStoredCapacity(this.#u32, data);
    const attempt = (count: number): boolean => this.rebuild(count, length, arrange);
    if (length <= capacity && attempt(capacity)) return;
    this.grow(asked, length <= capacity ? 0 : capacity, length, attempt);
  }

  bytesOf(capacity: number): number {
    return this.#head + capacity * this.#elements.stride;
  }

  grow(asked: string, capacity: number, needed: number, attempt: (count: number) => boolean): void {
    const bytesOf = (count: number) => this.bytesOf(count);
    grow(this.#core.events, { asked, capacity, needed, bytesOf, attempt });
  }

  copyOf(length: number): Arrange {
    return (to, from) => this.copy(to, from, length);
  }

  copy(to: number, from: number, count: number): void {
    this.#u8.copyWithin(to, from, from + count * this.#elements.stride);
  }

  /** Under the lock: another storage (I1), with so many elements; false = heap full. */
  rebuild(capacity: number, length: number, arrange: Arrange): boolean {
    const head = this.#head;
    let isMoving = false;
    try {
      const storage = this.#home.replace(this.bytesOf(capacity), (block, blockBytes, old) => {
        arrange(block + head, old + head);
        const room = Math.floor((blockBytes - head) / this.#elements.stride);
        VectorHeader.writeStorageHead(this.#u32, block, length, room);
        // From here to the end the old storage may go: readers wait.
        VectorHeader.addVersion(this.#i32, this.#versionWord, 1);
        isMoving = true;
      });
      return storage !== 0;
    } finally {
      if (isMoving) VectorHeader.addVersion(this.#i32, this.#versionWord, 1);
    }
  }

  /** Frees what the last elements are addresses of, the last first, each with its element. */
  freeLast(data: Address, count: number): number {
    const { ownedBlocks } = this.#core;
    let freed = 0;
    VectorHeader.addVersion(this.#i32, this.#versionWord, 1);
    try {
      let length = VectorHeader.loadStoredLength(this.#i32, data);
      for (let n = 0; n < count && length > 0; n++) {
        const word = ((data + this.#head) >>> 2) + length - 1;
        if (ownedBlocks.free(word as WordIndex)) freed++;
        length--;
        // point: vector.freed
        VectorHeader.storeStoredLength(this.#i32, data, length);
      }
      return freed;
    } finally {
      VectorHeader.addVersion(this.#i32, this.#versionWord, 1);
    }
  }

  /** Ends the vector. */
  end(): void {
    this.enter('delete');
    try {
      this.#home.end();
    } catch (error) {
      if (this.#core.objectLocks.isMine(this.#lockWord)) this.leave();
      throw error;
    }
  }
}
