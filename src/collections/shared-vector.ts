/**
 * A vector that any thread may change at any time, and read without a lock.
 *
 * Made by vector.ts. Any thread; one instance per thread. What changes the vector holds its lock,
 * which outlives its owner (sync/object-locks.ts).
 *
 * I1  One store makes a change visible: of the length, for what is put at the end or taken from it;
 *     of the address of the storage, which has a length of its own, for growth, insert and remove.
 *     These build the new order in a new block. So whoever takes over from a dead owner has next to
 *     nothing to repair.
 * I2  Elements below the length change their place, or go, only with the version: it is odd while they
 *     do, or another one after. A reader that finds version and storage as they were before has read
 *     what was published. A push moves nothing, and leaves the version as it is.
 * I3  Numbers are written by one store. A record of bytes goes into the scratch element first, and redo
 *     says where to: who dies in the middle of the copy has it finished by the next owner.
 * I4  Nothing of the program runs under the lock, and no events are flushed (heap/event-queue.ts I1).
 * I5  A vector that has ended is touched no more, its lock included: its memory may be another's. Who
 *     wants the lock looks before, and again when it has it; who reads looks when it has the address of
 *     the storage, before it believes a length, and when it has read.
 * I6  A version that is odd, or a redo, is repaired by whoever has the lock next, however it got it: a
 *     dead owner's lock may have been taken over by somebody who has nothing to do with the vector.
 * I7  A change that V8 has cut is repaired by the thread's next call (heap/marks.ts), as a dead owner's is.
 */

import { type Address, List, type WordIndex } from '../base/index.js';
import type { Changing, ThreadHeap } from '../heap/index.js';
import {
  addVersion,
  closeVersion,
  getRedo,
  getStoredCapacity,
  loadStorage,
  loadStoredLength,
  loadVersion,
  orderReads,
  STORAGE_HEAD_BYTES,
  storeRedo,
  storeStoredLength,
  vectorDataWord,
  vectorLockWord,
  vectorVersionWord,
  writeStorageHead,
} from '../layout/index.js';
import type { Elements } from './vector-elements.js';
import { badIndex, beforeFirst, type Engine, exhausted, grow, isIndex } from './vector-engine.js';
import type { VectorStorage } from './vector-storage.js';

/** A reader that has found the vector moving so many times waits for the lock. */
const READS_MAX = 1000;
/** The same for one that reads all of it. */
const WHOLE_READS_MAX = 3;
/** So many blocks are freed before others are let at the vector. */
const FREES_AT_ONCE = 256;

/** Writes elements into a new storage: to where they begin, from where they began. */
type Arrange = (to: number, from: number) => void;

export class SharedVector<T> implements Engine<T>, Changing {
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
    this.#dataWord = vectorDataWord(home.header);
    this.#versionWord = vectorVersionWord(home.header);
    this.#lockWord = vectorLockWord(home.header);
    this.#head = STORAGE_HEAD_BYTES + elements.scratchBytes;
  }

  // ---- reading

  get(index: number): T {
    const i32 = this.#i32;
    if (!isIndex(index)) throw badIndex('get', index, this.length());
    for (let reads = 0; reads < READS_MAX; reads++) {
      const version = loadVersion(i32, this.#versionWord);
      const data = loadStorage(i32, this.#dataWord);
      if (!this.#home.isLive()) break;
      if ((version & 1) !== 0 || data === 0) continue;
      // What it says may be of a block that is not the storage any more, and is looked at after.
      if (index >= loadStoredLength(i32, data)) break;
      const value = this.#elements.read(data + this.#head, index);
      if (this.#isSame(version, data) && this.#home.isLive()) return value;
    }
    return this.#getCarefully(index);
  }

  #getCarefully(index: number): T {
    const value = this.peek(index);
    if (value === undefined) throw badIndex('get', index, this.length());
    return value;
  }

  peek(index: number): T | undefined {
    const i32 = this.#i32;
    const isSound = isIndex(index);
    for (let reads = 0; reads < READS_MAX; reads++) {
      const version = loadVersion(i32, this.#versionWord);
      const data = loadStorage(i32, this.#dataWord);
      if (!this.#home.isLive()) throw this.#home.ended('get');
      if ((version & 1) === 0 && data !== 0) {
        // What it says may be of a block that is not the storage any more, and is looked at after.
        const isThere = isSound && index < loadStoredLength(i32, data);
        const value = isThere ? this.#elements.read(data + this.#head, index) : undefined;
        if (this.#isSame(version, data)) {
          if (this.#home.isLive()) return value;
          throw this.#home.ended('get');
        }
      }
    }
    return this.#change('get', (data) =>
      isSound && index < loadStoredLength(i32, data)
        ? this.#elements.read(data + this.#head, index)
        : undefined,
    );
  }

  /** Length and element are of one moment. */
  fromEnd(index: number): T {
    let length = 0;
    const value = this.#consistent('at', READS_MAX, (data, count) => {
      length = count;
      return count + index >= 0 ? this.#elements.read(data + this.#head, count + index) : undefined;
    });
    if (value === undefined) throw beforeFirst(index, length);
    return value;
  }

  #isSame(version: number, data: Address): boolean {
    orderReads();
    const i32 = this.#i32;
    return (
      loadVersion(i32, this.#versionWord) === version && loadStorage(i32, this.#dataWord) === data
    );
  }

  /** What `read` finds at one moment. It may be called in vain. */
  #consistent<R>(asked: string, reads: number, read: (data: Address, length: number) => R): R {
    const i32 = this.#i32;
    for (let n = 0; n < reads; n++) {
      const version = loadVersion(i32, this.#versionWord);
      const data = loadStorage(i32, this.#dataWord);
      if (!this.#home.isLive()) throw this.#home.ended(asked);
      if ((version & 1) !== 0 || data === 0) continue;
      const length = loadStoredLength(i32, data);
      // Before it is believed: nobody shall read as many elements as some other block says.
      if (!this.#isSame(version, data) || !this.#home.isLive()) continue;
      const found = read(data, length);
      if (this.#isSame(version, data) && this.#home.isLive()) return found;
    }
    return this.#change(asked, (data) => read(data, loadStoredLength(i32, data)));
  }

  length(): number {
    return this.#consistent('length', READS_MAX, (_, length) => length);
  }

  capacity(): number {
    return this.#consistent('capacity', READS_MAX, (data) => getStoredCapacity(this.#u32, data));
  }

  toArray(): T[] {
    return this.#consistent('toArray', WHOLE_READS_MAX, (data, length) => {
      const values = new List<T>();
      const start = data + this.#head;
      for (let n = 0; n < length; n++) values.push(this.#elements.read(start, n));
      return [...values];
    });
  }

  view(): ArrayBufferView {
    return this.#consistent('view', READS_MAX, (data, length) =>
      this.#elements.view(data + this.#head, length),
    );
  }

  // ---- the lock

  /** Takes the lock of a vector that is live and whole; its storage. */
  #enter(asked: string): Address {
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
        const data = loadStorage(this.#i32, this.#dataWord);
        if (isTakenOver || this.#isHalfDone(data)) this.#repair(data);
        isEntered = true;
        return data;
      }
    } finally {
      if (!isEntered) this.#leave();
    }
    throw this.#home.ended(asked);
  }

  /** I6. */
  #isHalfDone(data: Address): boolean {
    if ((loadVersion(this.#i32, this.#versionWord) & 1) !== 0) return true;
    return data !== 0 && getRedo(this.#i32, data) !== 0;
  }

  #leave(): void {
    this.#core.objectLocks.release(this.#lockWord);
  }

  /** A change of this thread was cut: as for a dead owner. */
  repairLocked(): void {
    if (this.#home.isLive()) this.#repair(loadStorage(this.#i32, this.#dataWord));
  }

  /** Finishes what a dead owner was at. Its storage is the new one or the old one, and whole. */
  #repair(data: Address): void {
    const i32 = this.#i32;
    const redo = data === 0 ? 0 : getRedo(i32, data);
    if (redo !== 0) {
      // It may have died before readers were told.
      if ((loadVersion(i32, this.#versionWord) & 1) === 0) addVersion(i32, this.#versionWord, 1);
      this.#copyScratch(data, redo - 1);
      storeRedo(i32, data, 0);
    }
    // Another one in any case: it may have died between a pop and that.
    closeVersion(i32, this.#versionWord);
  }

  /** A change that may call the heap. */
  #change<R>(asked: string, work: (data: Address) => R): R {
    return this.#core.events.deferring(() => {
      const data = this.#enter(asked);
      try {
        return work(data);
      } finally {
        this.#leave();
      }
    });
  }

  // ---- at the end

  push(value: T): number {
    this.#elements.check('Vector.push', value);
    const data = this.#enter('push');
    try {
      const length = loadStoredLength(this.#i32, data);
      if (length < getStoredCapacity(this.#u32, data)) {
        this.#elements.write(data + this.#head, length, value);
        // point: vector.push
        storeStoredLength(this.#i32, data, length + 1);
        return length + 1;
      }
    } finally {
      this.#leave();
    }
    return this.#change('push', (storage) => this.#append('push', storage, value));
  }

  /** Under the lock: puts a value at the end, after growth where that has to be. */
  #append(asked: string, storage: Address, value: T): number {
    let data = storage;
    let kept = value;
    const length = loadStoredLength(this.#i32, data);
    const capacity = getStoredCapacity(this.#u32, data);
    if (length >= capacity) {
      const copy = this.#copyOf(length);
      // It may be a view of the storage that goes.
      kept = this.#elements.keep(value);
      this.#grow(asked, capacity, length + 1, (count) => this.#rebuild(count, length, copy));
      data = loadStorage(this.#i32, this.#dataWord);
    }
    this.#elements.write(data + this.#head, length, kept);
    // point: vector.append
    storeStoredLength(this.#i32, data, length + 1);
    return length + 1;
  }

  pop(): T | undefined {
    const data = this.#enter('pop');
    try {
      return this.#takeLast(data);
    } finally {
      this.#leave();
    }
  }

  #takeLast(data: Address): T | undefined {
    const length = loadStoredLength(this.#i32, data);
    if (length === 0) return undefined;
    const value = this.#elements.read(data + this.#head, length - 1);
    this.#cut(data, length - 1);
    return value;
  }

  /** Shortens the vector: readers that were at what is cut off look again (I2). */
  #cut(data: Address, length: number): void {
    // point: vector.cut
    storeStoredLength(this.#i32, data, length);
    // point: vector.version
    addVersion(this.#i32, this.#versionWord, 2);
  }

  clear(): void {
    const data = this.#enter('clear');
    try {
      this.#cut(data, 0);
    } finally {
      this.#leave();
    }
  }

  // ---- anywhere

  set(index: number, value: T): void {
    this.#elements.check('Vector.set', value);
    const data = this.#enter('set');
    let length: number;
    try {
      length = loadStoredLength(this.#i32, data);
      if (isIndex(index) && index < length) {
        if (this.#elements.scratchBytes > 0) this.#setRecord(data, index, value);
        else this.#elements.write(data + this.#head, index, value);
        return;
      }
    } finally {
      this.#leave();
    }
    throw badIndex('set', index, length);
  }

  /** I3. */
  #setRecord(data: Address, index: number, value: T): void {
    this.#elements.write(data + STORAGE_HEAD_BYTES, 0, value);
    // point: vector.redo
    storeRedo(this.#i32, data, index + 1);
    addVersion(this.#i32, this.#versionWord, 1);
    // point: vector.record
    this.#copyScratch(data, index);
    // point: vector.done
    storeRedo(this.#i32, data, 0);
    // point: vector.even
    addVersion(this.#i32, this.#versionWord, 1);
  }

  #copyScratch(data: Address, index: number): void {
    const scratch = data + STORAGE_HEAD_BYTES;
    const { stride } = this.#elements;
    this.#u8.copyWithin(data + this.#head + index * stride, scratch, scratch + stride);
  }

  insert(index: number, value: T): number {
    this.#elements.check('Vector.insert', value);
    return this.#change('insert', (data) => {
      const length = loadStoredLength(this.#i32, data);
      if (!isIndex(index) || index > length) throw badIndex('insert', index, length, true);
      if (index === length) return this.#append('insert', data, value);
      const { stride } = this.#elements;
      const arrange: Arrange = (to, from) => {
        this.#copy(to, from, index);
        this.#elements.write(to, index, value);
        this.#copy(to + (index + 1) * stride, from + index * stride, length - index);
      };
      this.#reorder('insert', data, length + 1, arrange);
      return length + 1;
    });
  }

  remove(index: number): T {
    return this.#change('remove', (data) => {
      const length = loadStoredLength(this.#i32, data);
      if (!isIndex(index) || index >= length) throw badIndex('remove', index, length);
      if (index === length - 1) return this.#takeLast(data) as T;
      const value = this.#elements.read(data + this.#head, index);
      const { stride } = this.#elements;
      this.#reorder('remove', data, length - 1, (to, from) => {
        this.#copy(to, from, index);
        this.#copy(to + index * stride, from + (index + 1) * stride, length - 1 - index);
      });
      return value;
    });
  }

  /** Under the lock: another order, and another length, in a storage of the same size if need be. */
  #reorder(asked: string, data: Address, length: number, arrange: Arrange): void {
    const capacity = getStoredCapacity(this.#u32, data);
    const attempt = (count: number): boolean => this.#rebuild(count, length, arrange);
    if (length <= capacity && attempt(capacity)) return;
    this.#grow(asked, length <= capacity ? 0 : capacity, length, attempt);
  }

  // ---- storage

  reserve(capacity: number): void {
    this.#change('reserve', (data) => {
      const length = data === 0 ? 0 : loadStoredLength(this.#i32, data);
      if (data !== 0 && capacity <= getStoredCapacity(this.#u32, data)) return;
      if (this.#rebuild(capacity, length, this.#copyOf(length))) return;
      throw exhausted(this.#core.events, 'reserve', capacity, this.#bytesOf(capacity));
    });
  }

  shrink(): void {
    this.#change('shrink', (data) => {
      const length = loadStoredLength(this.#i32, data);
      // Where there is no room for a smaller one, it keeps the one that it has.
      if (length < getStoredCapacity(this.#u32, data)) {
        this.#rebuild(length, length, this.#copyOf(length));
      }
    });
  }

  #bytesOf(capacity: number): number {
    return this.#head + capacity * this.#elements.stride;
  }

  #grow(
    asked: string,
    capacity: number,
    needed: number,
    attempt: (count: number) => boolean,
  ): void {
    grow(this.#core.events, asked, capacity, needed, (count) => this.#bytesOf(count), attempt);
  }

  #copyOf(length: number): Arrange {
    return (to, from) => this.#copy(to, from, length);
  }

  #copy(to: number, from: number, count: number): void {
    this.#u8.copyWithin(to, from, from + count * this.#elements.stride);
  }

  /** Under the lock: another storage (I1), with so many elements; false = heap full. */
  #rebuild(capacity: number, length: number, arrange: Arrange): boolean {
    const head = this.#head;
    let isMoving = false;
    try {
      const storage = this.#home.replace(this.#bytesOf(capacity), (block, blockBytes, old) => {
        arrange(block + head, old + head);
        const room = Math.floor((blockBytes - head) / this.#elements.stride);
        writeStorageHead(this.#u32, block, length, room);
        // From here to the end the old storage may go: readers wait.
        addVersion(this.#i32, this.#versionWord, 1);
        isMoving = true;
      });
      return storage !== 0;
    } finally {
      if (isMoving) addVersion(this.#i32, this.#versionWord, 1);
    }
  }

  // ---- ends

  freeAll(): number {
    let freed = 0;
    for (let left = this.length(); left > 0; left -= FREES_AT_ONCE) {
      const count = Math.min(left, FREES_AT_ONCE);
      this.#change('freeAll', (data) => {
        freed += this.#freeLast(data, count);
      });
    }
    return freed;
  }

  /** Frees what the last elements are addresses of, the last first, each with its element. */
  #freeLast(data: Address, count: number): number {
    const { ownedBlocks } = this.#core;
    let freed = 0;
    addVersion(this.#i32, this.#versionWord, 1);
    try {
      let length = loadStoredLength(this.#i32, data);
      for (let n = 0; n < count && length > 0; n++) {
        const word = ((data + this.#head) >>> 2) + length - 1;
        if (ownedBlocks.free(word as WordIndex)) freed++;
        length--;
        // point: vector.freed
        storeStoredLength(this.#i32, data, length);
      }
      return freed;
    } finally {
      addVersion(this.#i32, this.#versionWord, 1);
    }
  }

  delete(): void {
    this.#core.events.deferring(() => {
      this.#enter('delete');
      try {
        this.#home.end();
      } catch (error) {
        if (this.#core.objectLocks.isMine(this.#lockWord)) this.#leave();
        throw error;
      }
    });
  }
}
