/**
 * A vector that one thread has: no lock, no atomic.
 *
 * Made by vector.ts. One thread at a time; two instances of the same vector in one thread see each
 * other, since all that changes is in the heap.
 *
 * I1  Should the thread die, no element that was in the vector is lost: one may be in it twice, where
 *     it died in the middle of insert or remove. A new storage comes by placement, or it does not.
 */

import { type Address, List, type WordIndex } from '../base/index.js';
import { copyBytes, type ThreadHeap } from '../heap/index.js';
import * as VectorHeader from '../layout/vector-header.js';
import type { Elements } from './vector-elements.js';
import { badIndex, beforeFirst, type Engine, exhausted, grow, isIndex } from './vector-engine.js';
import type { VectorStorage } from './vector-storage.js';

export class LocalVector<T> implements Engine<T> {
  readonly #home: VectorStorage;
  readonly #elements: Elements<T>;
  readonly #core: ThreadHeap;
  readonly #header: WordIndex;
  // What the short calls need, at hand: each step on the way to it costs half a nanosecond.
  readonly #i32: Int32Array;
  readonly #u32: Uint32Array;
  readonly #lifeWord: WordIndex;
  readonly #life: number;
  readonly #all: { [index: number]: T } | null;
  readonly #shift: number;
  readonly #isAnyNumber: boolean;

  constructor(home: VectorStorage, elements: Elements<T>) {
    this.#home = home;
    this.#elements = elements;
    this.#core = home.attachment.core;
    this.#header = home.header;
    this.#i32 = this.#core.memory.i32;
    this.#u32 = this.#core.memory.u32;
    this.#lifeWord = home.lifeWord;
    this.#life = home.life;
    this.#all = elements.all;
    this.#shift = elements.shift;
    this.#isAnyNumber = elements.isAnyNumber;
  }

  // ---- short

  length(): number {
    this.#check('length');
    return VectorHeader.getLength(this.#u32, this.#header);
  }

  capacity(): number {
    this.#check('capacity');
    return VectorHeader.getCapacity(this.#u32, this.#header);
  }

  get(index: number): T {
    const u32 = this.#u32;
    const length = VectorHeader.getLength(u32, this.#header);
    const isThere = typeof index === 'number' && index >>> 0 === index && index < length;
    if (!isThere || this.#i32[this.#lifeWord] !== this.#life) throw this.#refuse('get', index);
    return this.#read(VectorHeader.getData(u32, this.#header), index);
  }

  peek(index: number): T | undefined {
    const u32 = this.#u32;
    if (isIndex(index) && index < VectorHeader.getLength(u32, this.#header)) {
      if (this.#i32[this.#lifeWord] === this.#life) {
        return this.#read(VectorHeader.getData(u32, this.#header), index);
      }
    }
    this.#check('get');
    return undefined;
  }

  fromEnd(index: number): T {
    this.#check('at');
    const length = VectorHeader.getLength(this.#u32, this.#header);
    if (length + index < 0) throw beforeFirst(index, length);
    return this.#read(VectorHeader.getData(this.#u32, this.#header), length + index);
  }

  set(index: number, value: T): void {
    if (!this.#isAnyNumber || typeof value !== 'number') this.#elements.check('Vector.set', value);
    const u32 = this.#u32;
    const length = VectorHeader.getLength(u32, this.#header);
    const isThere = typeof index === 'number' && index >>> 0 === index && index < length;
    if (!isThere || this.#i32[this.#lifeWord] !== this.#life) throw this.#refuse('set', index);
    this.#write(VectorHeader.getData(u32, this.#header), index, value);
  }

  push(value: T): number {
    if (!this.#isAnyNumber || typeof value !== 'number') this.#elements.check('Vector.push', value);
    const u32 = this.#u32;
    const header = this.#header;
    const length = VectorHeader.getLength(u32, header);
    const hasRoom = length < VectorHeader.getCapacity(u32, header);
    if (!hasRoom || this.#i32[this.#lifeWord] !== this.#life) return this.#pushGrowing(value);
    this.#write(VectorHeader.getData(u32, header), length, value);
    VectorHeader.setLength(u32, header, length + 1);
    return length + 1;
  }

  pop(): T | undefined {
    const u32 = this.#u32;
    const header = this.#header;
    const length = VectorHeader.getLength(u32, header);
    if (length === 0 || this.#i32[this.#lifeWord] !== this.#life) {
      this.#check('pop');
      return undefined;
    }
    const value = this.#read(VectorHeader.getData(u32, header), length - 1);
    VectorHeader.setLength(u32, header, length - 1);
    return value;
  }

  #read(data: Address, index: number): T {
    const all = this.#all;
    return all === null ? this.#elements.read(data, index) : all[(data >>> this.#shift) + index];
  }

  #write(data: Address, index: number, value: T): void {
    const all = this.#all;
    if (all === null) this.#elements.write(data, index, value);
    else all[(data >>> this.#shift) + index] = value;
  }

  /** Why there is no such element. */
  #refuse(asked: string, index: number): Error {
    this.#check(asked);
    return badIndex(asked, index, VectorHeader.getLength(this.#u32, this.#header));
  }

  // ---- long

  #pushGrowing(value: T): number {
    this.#check('push');
    const length = VectorHeader.getLength(this.#u32, this.#header);
    // It may be a view of the storage that goes.
    const kept = this.#elements.keep(value);
    // Events are flushed when the element is in: who hears it may push as well.
    return this.#core.events.deferring(() => {
      this.#grow('push', length + 1);
      this.#write(VectorHeader.getData(this.#u32, this.#header), length, kept);
      VectorHeader.setLength(this.#u32, this.#header, length + 1);
      return length + 1;
    });
  }

  insert(index: number, value: T): number {
    this.#check('insert');
    this.#elements.check('Vector.insert', value);
    const u32 = this.#u32;
    const header = this.#header;
    const length = VectorHeader.getLength(u32, header);
    if (!isIndex(index) || index > length) throw badIndex('insert', index, length, true);
    if (index === length) return this.push(value);
    // It may be a view of what is moved.
    const kept = this.#elements.keep(value);
    return this.#core.events.deferring(() => this.#insertBefore(index, kept, length));
  }

  #insertBefore(index: number, value: T, length: number): number {
    const u32 = this.#u32;
    const header = this.#header;
    if (length >= VectorHeader.getCapacity(u32, header)) this.#grow('insert', length + 1);
    // The last one is there twice before the others move: none is ever missing (I1).
    this.#move(length, length - 1, 1);
    VectorHeader.setLength(u32, header, length + 1);
    this.#move(index + 1, index, length - 1 - index);
    this.#elements.write(VectorHeader.getData(u32, header), index, value);
    return length + 1;
  }

  remove(index: number): T {
    this.#check('remove');
    const u32 = this.#u32;
    const header = this.#header;
    const length = VectorHeader.getLength(u32, header);
    if (!isIndex(index) || index >= length) throw badIndex('remove', index, length);
    const value = this.#elements.read(VectorHeader.getData(u32, header), index);
    this.#move(index, index + 1, length - 1 - index);
    VectorHeader.setLength(u32, header, length - 1);
    return value;
  }

  clear(): void {
    this.#check('clear');
    VectorHeader.setLength(this.#u32, this.#header, 0);
  }

  reserve(capacity: number): void {
    this.#check('reserve');
    if (capacity <= VectorHeader.getCapacity(this.#u32, this.#header)) return;
    const isDone = this.#core.events.deferring(() => this.#resize(capacity));
    if (!isDone) throw exhausted(this.#core.events, 'reserve', capacity, this.#bytesOf(capacity));
  }

  shrink(): void {
    this.#check('shrink');
    const length = VectorHeader.getLength(this.#u32, this.#header);
    // Where there is no room for a smaller one, it keeps the one that it has.
    if (length < VectorHeader.getCapacity(this.#u32, this.#header)) {
      this.#core.events.deferring(() => this.#resize(length));
    }
  }

  toArray(): T[] {
    this.#check('toArray');
    const data = VectorHeader.getData(this.#u32, this.#header);
    const values = new List<T>();
    const length = VectorHeader.getLength(this.#u32, this.#header);
    for (let n = 0; n < length; n++) values.push(this.#elements.read(data, n));
    return [...values];
  }

  view(): ArrayBufferView {
    this.#check('view');
    const u32 = this.#u32;
    const header = this.#header;
    return this.#elements.view(
      VectorHeader.getData(u32, header),
      VectorHeader.getLength(u32, header),
    );
  }

  freeAll(): number {
    this.#check('freeAll');
    const u32 = this.#u32;
    const header = this.#header;
    const { ownedBlocks, events } = this.#core;
    let freed = 0;
    return events.deferring(() => {
      for (let length = VectorHeader.getLength(u32, header); length > 0; length--) {
        const word = (VectorHeader.getData(u32, header) >>> 2) + length - 1;
        if (ownedBlocks.free(word as WordIndex)) freed++;
        VectorHeader.setLength(u32, header, length - 1);
      }
      return freed;
    });
  }

  delete(): void {
    this.#check('delete');
    this.#core.repairIfCut();
    this.#core.events.deferring(() => this.#home.end());
  }

  #check(asked: string): void {
    if (!this.#home.isLive()) throw this.#home.ended(asked);
  }

  #bytesOf(capacity: number): number {
    return Math.max(1, capacity * this.#elements.stride);
  }

  #grow(asked: string, needed: number): void {
    const capacity = VectorHeader.getCapacity(this.#u32, this.#header);
    grow(this.#core.events, {
      asked,
      capacity,
      needed,
      bytesOf: (count) => this.#bytesOf(count),
      attempt: (count) => this.#resize(count),
    });
  }

  /** Another storage, with room for so many, and what is in the one so far; false = heap full. */
  #resize(wanted: number): boolean {
    const { memory } = this.#core;
    const u32 = this.#u32;
    const header = this.#header;
    const used = VectorHeader.getLength(u32, header) * this.#elements.stride;
    let capacity = 0;
    const fill = (block: Address, blockBytes: number, old: Address): void => {
      capacity = Math.floor(blockBytes / this.#elements.stride);
      if (used > 0) copyBytes(memory, block, old, used);
      // Should it get smaller: never more than there is room for (vector-header I2).
      VectorHeader.setCapacity(
        u32,
        header,
        Math.min(capacity, VectorHeader.getCapacity(u32, header)),
      );
    };
    if (this.#home.replace(this.#bytesOf(wanted), fill) === 0) return false;
    VectorHeader.setCapacity(u32, header, capacity);
    return true;
  }

  /** Moves elements within the storage. */
  #move(to: number, from: number, count: number): void {
    const { stride } = this.#elements;
    const data = VectorHeader.getData(this.#u32, this.#header);
    const start = data + from * stride;
    this.#core.memory.u8.copyWithin(data + to * stride, start, start + count * stride);
  }
}
