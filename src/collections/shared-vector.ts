/**
 * A vector that any thread may change at any time, and read without a lock.
 *
 * Made by vector.ts. Any thread; one instance per thread. What changes the vector holds its lock,
 * which outlives its owner (sync/object-locks.ts): shared-storage.ts.
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
import type { ThreadHeap } from '../heap/index.js';
import { orderReads } from '../layout/index.js';
import * as VectorHeader from '../layout/vector-header.js';
import { type Arrange, SharedStorage } from './shared-storage.js';
import type { Elements } from './vector-elements.js';
import { badIndex, beforeFirst, type Engine, exhausted, isIndex } from './vector-engine.js';
import type { VectorStorage } from './vector-storage.js';

/** Maximum reads that a reader tries while the vector moves, before it waits for the lock. */
const READS_MAX = 1000;
/** Maximum such reads of all elements. */
const WHOLE_READS_MAX = 3;
/** Maximum blocks freed while the lock is held. */
const FREES_AT_ONCE = 256;

export class SharedVector<T> implements Engine<T> {
  readonly #home: VectorStorage;
  readonly #elements: Elements<T>;
  readonly #store: SharedStorage<T>;
  readonly #core: ThreadHeap;
  readonly #i32: Int32Array;
  readonly #u32: Uint32Array;
  readonly #dataWord: WordIndex;
  readonly #versionWord: WordIndex;
  /** Bytes in front of the first element. */
  readonly #head: number;

  constructor(home: VectorStorage, elements: Elements<T>) {
    const { core } = home.attachment;
    this.#home = home;
    this.#elements = elements;
    this.#store = new SharedStorage(home, elements);
    this.#core = core;
    this.#i32 = core.memory.i32;
    this.#u32 = core.memory.u32;
    this.#dataWord = VectorHeader.dataWord(home.header);
    this.#versionWord = VectorHeader.versionWord(home.header);
    this.#head = VectorHeader.STORAGE_HEAD_BYTES + elements.scratchBytes;
  }

  // ---- reading

  get(index: number): T {
    const i32 = this.#i32;
    if (!isIndex(index)) throw badIndex('get', index, this.length());
    for (let reads = 0; reads < READS_MAX; reads++) {
      const version = VectorHeader.loadVersion(i32, this.#versionWord);
      const data = VectorHeader.loadStorage(i32, this.#dataWord);
      if (!this.#home.isLive()) break;
      if ((version & 1) !== 0 || data === 0) continue;
      // What it says may be of a block that is not the storage any more, and is looked at after.
      if (index >= VectorHeader.loadStoredLength(i32, data)) break;
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
      const version = VectorHeader.loadVersion(i32, this.#versionWord);
      const data = VectorHeader.loadStorage(i32, this.#dataWord);
      if (!this.#home.isLive()) throw this.#home.ended('get');
      if ((version & 1) === 0 && data !== 0) {
        // What it says may be of a block that is not the storage any more, and is looked at after.
        const isThere = isSound && index < VectorHeader.loadStoredLength(i32, data);
        const value = isThere ? this.#elements.read(data + this.#head, index) : undefined;
        if (this.#isSame(version, data)) {
          if (this.#home.isLive()) return value;
          throw this.#home.ended('get');
        }
      }
    }
    return this.#store.change('get', (data) =>
      isSound && index < VectorHeader.loadStoredLength(i32, data)
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
      VectorHeader.loadVersion(i32, this.#versionWord) === version &&
      VectorHeader.loadStorage(i32, this.#dataWord) === data
    );
  }

  /** What `read` finds at one moment. It may be called in vain. */
  #consistent<R>(asked: string, reads: number, read: (data: Address, length: number) => R): R {
    const i32 = this.#i32;
    for (let n = 0; n < reads; n++) {
      const version = VectorHeader.loadVersion(i32, this.#versionWord);
      const data = VectorHeader.loadStorage(i32, this.#dataWord);
      if (!this.#home.isLive()) throw this.#home.ended(asked);
      if ((version & 1) !== 0 || data === 0) continue;
      const length = VectorHeader.loadStoredLength(i32, data);
      // Before it is believed: nobody shall read as many elements as some other block says.
      if (!this.#isSame(version, data) || !this.#home.isLive()) continue;
      const found = read(data, length);
      if (this.#isSame(version, data) && this.#home.isLive()) return found;
    }
    return this.#store.change(asked, (data) =>
      read(data, VectorHeader.loadStoredLength(i32, data)),
    );
  }

  length(): number {
    return this.#consistent('length', READS_MAX, (_, length) => length);
  }

  capacity(): number {
    return this.#consistent('capacity', READS_MAX, (data) =>
      VectorHeader.getStoredCapacity(this.#u32, data),
    );
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

  // ---- at the end

  push(value: T): number {
    this.#elements.check('Vector.push', value);
    const data = this.#store.enter('push');
    try {
      const length = VectorHeader.loadStoredLength(this.#i32, data);
      if (length < VectorHeader.getStoredCapacity(this.#u32, data)) {
        this.#elements.write(data + this.#head, length, value);
        // point: vector.push
        VectorHeader.storeStoredLength(this.#i32, data, length + 1);
        return length + 1;
      }
    } finally {
      this.#store.leave();
    }
    return this.#store.change('push', (storage) => this.#append('push', storage, value));
  }

  /** Under the lock: puts a value at the end, after growth where that has to be. */
  #append(asked: string, storage: Address, value: T): number {
    let data = storage;
    let kept = value;
    const length = VectorHeader.loadStoredLength(this.#i32, data);
    const capacity = VectorHeader.getStoredCapacity(this.#u32, data);
    if (length >= capacity) {
      const copy = this.#store.copyOf(length);
      // It may be a view of the storage that goes.
      kept = this.#elements.keep(value);
      this.#store.grow(asked, capacity, length + 1, (count) =>
        this.#store.rebuild(count, length, copy),
      );
      data = VectorHeader.loadStorage(this.#i32, this.#dataWord);
    }
    this.#elements.write(data + this.#head, length, kept);
    // point: vector.append
    VectorHeader.storeStoredLength(this.#i32, data, length + 1);
    return length + 1;
  }

  pop(): T | undefined {
    const data = this.#store.enter('pop');
    try {
      return this.#takeLast(data);
    } finally {
      this.#store.leave();
    }
  }

  #takeLast(data: Address): T | undefined {
    const length = VectorHeader.loadStoredLength(this.#i32, data);
    if (length === 0) return undefined;
    const value = this.#elements.read(data + this.#head, length - 1);
    this.#store.cut(data, length - 1);
    return value;
  }

  clear(): void {
    const data = this.#store.enter('clear');
    try {
      this.#store.cut(data, 0);
    } finally {
      this.#store.leave();
    }
  }

  // ---- anywhere

  set(index: number, value: T): void {
    this.#elements.check('Vector.set', value);
    const data = this.#store.enter('set');
    let length: number;
    try {
      length = VectorHeader.loadStoredLength(this.#i32, data);
      if (isIndex(index) && index < length) {
        if (this.#elements.scratchBytes > 0) this.#store.setRecord(data, index, value);
        else this.#elements.write(data + this.#head, index, value);
        return;
      }
    } finally {
      this.#store.leave();
    }
    throw badIndex('set', index, length);
  }

  insert(index: number, value: T): number {
    this.#elements.check('Vector.insert', value);
    return this.#store.change('insert', (data) => {
      const length = VectorHeader.loadStoredLength(this.#i32, data);
      if (!isIndex(index) || index > length) throw badIndex('insert', index, length, true);
      if (index === length) return this.#append('insert', data, value);
      const { stride } = this.#elements;
      const arrange: Arrange = (to, from) => {
        this.#store.copy(to, from, index);
        this.#elements.write(to, index, value);
        this.#store.copy(to + (index + 1) * stride, from + index * stride, length - index);
      };
      this.#store.reorder('insert', data, length + 1, arrange);
      return length + 1;
    });
  }

  remove(index: number): T {
    return this.#store.change('remove', (data) => {
      const length = VectorHeader.loadStoredLength(this.#i32, data);
      if (!isIndex(index) || index >= length) throw badIndex('remove', index, length);
      if (index === length - 1) return this.#takeLast(data) as T;
      const value = this.#elements.read(data + this.#head, index);
      const { stride } = this.#elements;
      this.#store.reorder('remove', data, length - 1, (to, from) => {
        this.#store.copy(to, from, index);
        this.#store.copy(to + index * stride, from + (index + 1) * stride, length - 1 - index);
      });
      return value;
    });
  }

  // ---- storage

  reserve(capacity: number): void {
    this.#store.change('reserve', (data) => {
      const length = data === 0 ? 0 : VectorHeader.loadStoredLength(this.#i32, data);
      if (data !== 0 && capacity <= VectorHeader.getStoredCapacity(this.#u32, data)) return;
      if (this.#store.rebuild(capacity, length, this.#store.copyOf(length))) return;
      throw exhausted(this.#core.events, 'reserve', capacity, this.#store.bytesOf(capacity));
    });
  }

  shrink(): void {
    this.#store.change('shrink', (data) => {
      const length = VectorHeader.loadStoredLength(this.#i32, data);
      // Where there is no room for a smaller one, it keeps the one that it has.
      if (length < VectorHeader.getStoredCapacity(this.#u32, data)) {
        this.#store.rebuild(length, length, this.#store.copyOf(length));
      }
    });
  }

  // ---- ends

  freeAll(): number {
    let freed = 0;
    for (let left = this.length(); left > 0; left -= FREES_AT_ONCE) {
      const count = Math.min(left, FREES_AT_ONCE);
      this.#store.change('freeAll', (data) => {
        freed += this.#store.freeLast(data, count);
      });
    }
    return freed;
  }

  delete(): void {
    this.#core.events.deferring(() => this.#store.end());
  }
}
