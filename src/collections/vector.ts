/**
 * Vector: the public class. A growing array in the heap, or in a memory context.
 *
 * One instance per vector and thread that uses it. What it does is local-vector.ts, or shared-vector.ts
 * where threads share it; where it lives, vector-storage.ts. Made by vectors.ts.
 */

import { type Address, INSPECT, notCloned, show, showAsJson, typeError } from '../base/index.js';
import * as VectorHeader from '../layout/vector-header.js';
import { LocalVector } from './local-vector.js';
import { SharedVector } from './shared-vector.js';
import {
  type ElementInput,
  type ElementOf,
  type ElementType,
  elementsOf,
  isAddressKind,
  type NumberElements,
  showKind,
  type ViewOf,
} from './vector-elements.js';
import { badIndex, checkCapacity, type Engine } from './vector-engine.js';
import { makeVectorHandle, type VectorHandleOf } from './vector-handle.js';
import { VectorStorage } from './vector-storage.js';

/**
 * A growing array in the heap: of numbers of any kind, of addresses, or of records of bytes.
 *
 * In the heap it lives until `delete()`, or the end of a `using`; in a context as long as that. One
 * thread uses it at a time, unless it is made with `{ shared: true }`: then any thread may do anything
 * at any moment, and readers never wait for who writes. Another thread gets at it by its handle.
 *
 * Where the thread that has a shared vector's lock dies, the next one takes over: what was pushed is
 * there, and what was half done is done or was never begun. A shared vector lives in the heap, never in a
 * context, and is not to be used any more once another thread has deleted it.
 *
 * After `heap.detach()` a vector is not to be used. That is an error where a call takes a lock or calls
 * the heap; the short calls of one that is not shared do not look, and go on within its capacity.
 *
 * @example
 * ```ts
 * import { SharedHeap } from 'shmalloc';
 *
 * using heap = SharedHeap.create({ size: '64MiB' });
 * using samples = heap.vectors.create(Float64Array);
 * samples.push(1.5);
 * console.log(samples.at(-1)); // 1.5
 * ```
 */
export class Vector<E extends ElementType = NumberElements> implements Iterable<ElementOf<E>> {
  /**
   * Structured clone refuses a vector for it.
   * @internal
   */
  readonly notCloned = notCloned(
    'a Vector',
    'post vector.handle, and call heap.vectors.attach(handle) there',
  );
  readonly #engine: Engine<ElementOf<E>>;
  readonly #home: VectorStorage;

  /**
   * Made by vectors.ts alone.
   * @internal
   */
  constructor(home: VectorStorage) {
    if (!VectorStorage.is(home)) {
      throw typeError(
        'ERR_SHMALLOC_VECTOR',
        'new Vector: a vector is made by heap.vectors.create(Float64Array), and found by its handle with ' +
          'heap.vectors.attach(handle)',
      );
    }
    const { type, stride } = home.fields;
    const kind = type & VectorHeader.KIND_MASK;
    const { memory } = home.attachment.core;
    const elements = elementsOf<ElementOf<E>>(memory, { kind, stride });
    const isShared = (type & VectorHeader.SHARED) !== 0;
    this.#home = home;
    this.#engine = isShared ? new SharedVector(home, elements) : new LocalVector(home, elements);
  }

  /**
   * What another thread needs to attach: structured clone takes it.
   *
   * Threads: any. Cost: an object.
   */
  get handle(): VectorHandleOf<E> {
    const { attachment, address, fields } = this.#home;
    return makeVectorHandle(attachment.heapId, address, fields);
  }

  /**
   * The address of its header: `heap.vectors.attach(address)` finds the vector by it. So one word of
   * the heap is enough to name a vector, in a record say.
   *
   * Threads: any. Cost: a few ns.
   */
  get address(): Address {
    return this.#home.address;
  }

  /** Elements that it has. Threads: any if shared. Cost: 2 ns; shared, about 10. */
  get length(): number {
    return this.#engine.length();
  }

  /** Elements that there is room for. Threads: any if shared. Cost: as length. */
  get capacity(): number {
    return this.#engine.capacity();
  }

  /**
   * The element at an index.
   * @param index a whole number from 0, less than the length
   * @throws RangeError ERR_SHMALLOC_VECTOR when there is none, with the numbers
   *
   * Threads: any if shared. Cost: 3 ns; shared, about 10, and no lock.
   */
  get(index: number): ElementOf<E> {
    return this.#engine.get(index);
  }

  /**
   * The element at an index; from -1 on downwards counted from the end.
   * @param index a whole number, from -length to length - 1
   * @throws RangeError as get
   *
   * Threads: any if shared. Cost: as get; another 2 ns, or 10, from the end.
   */
  at(index: number): ElementOf<E> {
    if (typeof index === 'number' && index < 0 && Number.isInteger(index)) {
      return this.#engine.fromEnd(index);
    }
    const value = this.#engine.peek(index);
    if (value === undefined) throw badIndex('at', index, this.length);
    return value;
  }

  /**
   * Puts another value in an element's place. Numbers are converted as typed arrays do.
   * @param index as get
   * @param value a number or bigint; an address or 0; a record's bytes
   * @throws RangeError as get; TypeError ERR_SHMALLOC_VECTOR for what is no such element
   *
   * Threads: any if shared. Cost: 3 ns; shared, about 30, for the lock.
   */
  set(index: number, value: ElementInput<E>): void {
    this.#engine.set(index, value as ElementOf<E>);
  }

  /**
   * Puts a value at the end. Where there is no room left for it, there is room for twice as many
   * after: in a heap that is nearly full, for fewer.
   * @param value as set
   * @returns the new length
   * @throws HeapExhaustedError when there is no room for one more: nothing has changed; TypeError
   *   ERR_SHMALLOC_VECTOR
   *
   * Threads: any if shared. Cost: 4 ns; shared, about 30; a copy of all when it grows.
   */
  push(value: ElementInput<E>): number {
    return this.#engine.push(value as ElementOf<E>);
  }

  /**
   * Takes the last element away.
   * @returns it, or undefined when there is none
   *
   * Threads: any if shared. Cost: as push.
   */
  pop(): ElementOf<E> | undefined {
    return this.#engine.pop();
  }

  /**
   * Puts a value before the element at an index, or at the end.
   * @param index a whole number from 0 to the length
   * @param value as set
   * @returns the new length
   * @throws as push; RangeError as get
   *
   * Threads: any if shared. Cost: moves what is behind it; shared, an allocation and a copy of all.
   */
  insert(index: number, value: ElementInput<E>): number {
    return this.#engine.insert(index, value as ElementOf<E>);
  }

  /**
   * Takes the element at an index away: those behind it move up.
   * @param index as get
   * @returns it
   * @throws RangeError as get; HeapExhaustedError, of a shared vector only
   *
   * Threads: any if shared. Cost: as insert.
   */
  remove(index: number): ElementOf<E> {
    return this.#engine.remove(index);
  }

  /**
   * Takes all elements away. What addresses point to stays: see freeAll. The room for them stays.
   *
   * Threads: any if shared. Cost: as set.
   */
  clear(): void {
    this.#engine.clear();
  }

  /**
   * Makes sure that there is room for so many elements.
   * @param capacity a whole number from 0
   * @throws HeapExhaustedError: nothing has changed; RangeError ERR_SHMALLOC_VECTOR
   *
   * Threads: any if shared. Cost: an allocation and a copy of all, where there is not.
   */
  reserve(capacity: number): void {
    this.#engine.reserve(checkCapacity('Vector.reserve', capacity));
  }

  /**
   * Gives room back that no element needs, as far as block sizes go.
   *
   * Threads: any if shared. Cost: an allocation and a copy of all, where there is some.
   */
  shrink(): void {
    this.#engine.shrink();
  }

  /**
   * Calls `visit` for each element, the first first. It may change the vector: what is behind is
   * visited as it is then. No lock is held meanwhile.
   * @param visit gets the element, its index and the vector
   * @throws what `visit` throws
   *
   * Threads: any if shared. Cost: a get for each.
   */
  forEach(visit: (value: ElementOf<E>, index: number, vector: this) => void): void {
    if (typeof visit !== 'function') {
      throw typeError(
        'ERR_SHMALLOC_VECTOR',
        `Vector.forEach: give it a function, got ${show(visit)}`,
      );
    }
    let index = 0;
    for (const value of this) visit(value, index++, this);
  }

  /** The elements, one after the other, each as it is when its turn comes. Threads and cost: as forEach. */
  *[Symbol.iterator](): IterableIterator<ElementOf<E>> {
    for (let index = 0; ; index++) {
      const value = this.#engine.peek(index);
      if (value === undefined) return;
      yield value;
    }
  }

  /**
   * All elements; of a shared vector, as they are at one moment.
   *
   * Threads: any if shared. Cost: a copy; where it is changed again and again meanwhile, under the lock.
   */
  toArray(): ElementOf<E>[] {
    return this.#engine.toArray();
  }

  /**
   * A typed array over the elements: `{ bytes }` as bytes, addresses as a Uint32Array. It is of this
   * moment: good until the vector grows, or an element is inserted or removed (by any thread), and for
   * as many elements as there are now.
   *
   * Threads: any if shared. Cost: a view, about 100 ns.
   */
  view(): ViewOf<E> {
    return this.#engine.view() as ViewOf<E>;
  }

  /**
   * Frees the blocks that the elements of a vector of addresses point to, the last first, and takes
   * the elements away, each with its block: should the thread die in the middle, the rest is still
   * there. (With debug options that concern frees a block may be lost then.)
   * @returns how many blocks were freed
   * @throws InvalidAddressError where an element is the address of no live block: it is the last one
   *   then; TypeError ERR_SHMALLOC_VECTOR where elements are no addresses
   *
   * Threads: any if shared. Cost: about 20 ns a block.
   */
  freeAll(): number {
    const { type, stride } = this.#home.fields;
    const kind = type & VectorHeader.KIND_MASK;
    if (isAddressKind(kind)) return this.#engine.freeAll();
    throw typeError(
      'ERR_SHMALLOC_VECTOR',
      `Vector.freeAll: the elements of this vector are ${showKind({ kind, stride })}, not addresses`,
    );
  }

  /**
   * Ends the vector, and gives back what it has. What its elements point to stays: see freeAll. A
   * second time, as every other call after it, is an error.
   * @throws HeapError ERR_SHMALLOC_VECTOR, ERR_SHMALLOC_CONTEXT_ENDED
   *
   * Threads: any if shared, when no other uses it any more. Cost: two frees.
   */
  delete(): void {
    this.#engine.delete();
  }

  /** What JSON.stringify shows; for the elements, toArray(). A vector that is gone has no length. */
  toJSON(): { vector: string; shared: boolean; length: number | null } {
    const { elements, shared } = this.handle;
    return { vector: elements, shared, length: this.#home.isLive() ? this.length : null };
  }

  /** What a text shows that it is put into. */
  toString(): string {
    return this[INSPECT]();
  }

  /** What console.log shows. */
  [INSPECT](): string {
    const { elements, shared } = this.handle;
    const what = `Vector of ${elements}${shared ? ', shared' : ''}`;
    return this.#home.isLive() ? `${what}: ${this.length} elements` : `${what}, gone`;
  }

  /**
   * Ends a vector in the heap, if it has not ended, for all threads: `using` is for who made it. One
   * in a context goes with the context.
   */
  [Symbol.dispose](): void {
    if (this.#home.fields.context === 0 && this.#home.isLive()) this.delete();
  }
}

showAsJson(Vector.prototype);
