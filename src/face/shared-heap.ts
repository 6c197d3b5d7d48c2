/**
 * SharedHeap: the public class. Each method is one call into a layer above; the hot ones are that
 * layer's own functions.
 *
 * The main entry of the package. One instance per thread and heap.
 */

import { randomBytes } from 'node:crypto';
import { isMainThread, threadId } from 'node:worker_threads';
import { type Address, rangeError, show } from '../base/index.js';
import { attachCore, createHeap, type HeapCore, type Recovered } from '../heap/index.js';
import {
  computeGeometry,
  type HeaderFields,
  type HeapMemory,
  reachableBytes,
  viewMemory,
} from '../layout/index.js';
import { type HeapStats, readStats, renderStats, resetStats } from '../observe/index.js';
import { findDefaultHeap, givenHeap } from './default-heap.js';
import { checkHandle, type HeapHandle, headerOf, makeHandle } from './heap-handle.js';
import { type HeapOptions, resolveOptions } from './heap-options.js';

/** The typed arrays that can lie over a block. */
export type ViewConstructor =
  | Int8ArrayConstructor
  | Uint8ArrayConstructor
  | Uint8ClampedArrayConstructor
  | Int16ArrayConstructor
  | Uint16ArrayConstructor
  | Int32ArrayConstructor
  | Uint32ArrayConstructor
  | Float32ArrayConstructor
  | Float64ArrayConstructor
  | BigInt64ArrayConstructor
  | BigUint64ArrayConstructor;

/** This thread's attachments, by heap id. */
const attached = new Map<string, SharedHeap>();

// A worker that ends in order gives its slots back. One that is terminated cannot.
if (!isMainThread) {
  process.once('exit', () => {
    for (const heap of [...attached.values()]) heap.detach();
  });
}

/**
 * A heap in a SharedArrayBuffer, as one thread sees it.
 *
 * An address is a byte offset in the buffer, a multiple of 16, and 0 is null: `heap.i32[p >>> 2]`
 * is the first word of the block at `p` (shift with `>>>`: addresses go up to 4 GiB).
 *
 * @example
 * ```ts
 * import { SharedHeap } from 'shmalloc';
 *
 * using heap = SharedHeap.create({ size: '64MiB' });
 * const p = heap.malloc_ts(100);
 * heap.i32[p >>> 2] = 42;
 * heap.free_ts(p);
 * ```
 */
export class SharedHeap {
  readonly #core: HeapCore;
  readonly #id: string;

  /** The whole buffer, as each kind of number. An address is a byte offset: `i32[p >>> 2]`. */
  readonly u8: Uint8Array<SharedArrayBuffer>;
  readonly i8: Int8Array<SharedArrayBuffer>;
  readonly u16: Uint16Array<SharedArrayBuffer>;
  readonly i16: Int16Array<SharedArrayBuffer>;
  readonly u32: Uint32Array<SharedArrayBuffer>;
  readonly i32: Int32Array<SharedArrayBuffer>;
  readonly f32: Float32Array<SharedArrayBuffer>;
  readonly f64: Float64Array<SharedArrayBuffer>;
  readonly i64: BigInt64Array<SharedArrayBuffer>;
  readonly u64: BigUint64Array<SharedArrayBuffer>;

  /**
   * Allocates a block of at least `size` bytes, with whatever they contain.
   * @param size bytes, a whole number from 0; 0 gives a smallest block
   * @returns the block's address, a multiple of 16; 0 when the heap is full
   * @throws TypeError, RangeError ERR_SHMALLOC_INVALID_SIZE
   *
   * Threads: any, at any time. Cost: about 3 ns from the thread's cache; once in 16-64 calls
   * a lock and about 10 ns per block; over 64 KiB a lock and about 200 ns.
   */
  readonly malloc_ts: (size: number) => Address;
  /**
   * Frees a block that any thread allocated. `free_ts(0)` does nothing.
   * @throws InvalidAddressError for anything but the start of a live block; nothing is changed
   *
   * Threads: any, at any time. Cost: as malloc_ts.
   */
  readonly free_ts: (address: Address) => void;
  /**
   * Allocates `count * size` bytes, all zero.
   * @returns the block's address; 0 when the heap is full or the product is too large for it
   * @throws TypeError, RangeError ERR_SHMALLOC_INVALID_SIZE
   *
   * Threads: any, at any time. Cost: malloc_ts and about 20 ns per KiB.
   */
  readonly calloc_ts: (count: number, size: number) => Address;
  /**
   * Gives a block another size, keeping its contents up to the smaller one; it may move.
   * `realloc_ts(0, n)` is malloc, `realloc_ts(p, 0)` frees and gives 0.
   * @returns the block's address, or 0 when the heap is full: the old block is then untouched
   * @throws InvalidAddressError, TypeError, RangeError
   *
   * Threads: any, at any time; the block is the caller's meanwhile. Cost: a few ns where the size
   * class stays, a copy where it does not; large blocks grow in place where there is room.
   */
  readonly realloc_ts: (address: Address, size: number) => Address;
  /**
   * Allocates a block at a multiple of `alignment`.
   * @param alignment a power of two up to 65,536
   * @returns the block's address; 0 when the heap is full
   * @throws RangeError ERR_SHMALLOC_INVALID_ALIGNMENT; TypeError, RangeError _INVALID_SIZE
   *
   * Threads: any, at any time. Cost: as malloc_ts, of a class that is a multiple of the alignment.
   */
  readonly alignedAlloc_ts: (alignment: number, size: number) => Address;

  private constructor(memory: HeapMemory, fields: HeaderFields) {
    const core = attachCore(memory, fields.reserveIsZero, threadId);
    const { buffer } = memory;
    const bytes = reachableBytes(buffer);
    this.#core = core;
    this.#id = fields.id;
    this.u8 = memory.u8;
    this.i8 = new Int8Array(buffer, 0, bytes);
    this.u16 = new Uint16Array(buffer, 0, bytes / 2);
    this.i16 = new Int16Array(buffer, 0, bytes / 2);
    this.u32 = memory.u32;
    this.i32 = memory.i32;
    this.f32 = new Float32Array(buffer, 0, bytes / 4);
    this.f64 = memory.f64;
    this.i64 = new BigInt64Array(buffer, 0, bytes / 8);
    this.u64 = new BigUint64Array(buffer, 0, bytes / 8);
    this.malloc_ts = core.shared.malloc;
    this.free_ts = core.shared.free;
    this.calloc_ts = core.shared.calloc;
    this.realloc_ts = core.shared.realloc;
    this.alignedAlloc_ts = core.shared.alignedAlloc;
    attached.set(fields.id, this);
  }

  /**
   * Makes a heap and attaches this thread to it. It lives until all threads have detached.
   * @throws TypeError, RangeError ERR_SHMALLOC_INVALID_OPTION; RangeError when there is no memory
   *
   * Cost: under a millisecond for any size; memory is committed by use.
   */
  static create(options: HeapOptions = {}): SharedHeap {
    const { buffer: given, base, bytes, threads } = resolveOptions(options);
    // Before the buffer: a map that does not fit should cost nothing.
    computeGeometry(base, bytes, threads);
    const buffer = given ?? new SharedArrayBuffer(bytes);
    const id = randomBytes(8).toString('hex');
    const memory = createHeap({ buffer, base, bytes, threads, id, pristine: given === undefined });
    return new SharedHeap(memory, headerOf(buffer, base));
  }

  /**
   * Attaches this thread to a heap that another thread made. A second time in one thread gives the
   * same instance, until someone detaches it: a thread has one attachment to a heap, whoever asks.
   * @throws TypeError, HeapError ERR_SHMALLOC_NOT_A_HEAP, _LAYOUT_VERSION, _TRUNCATED, _NO_SLOT
   *
   * Cost: under a millisecond.
   */
  static attach(handle: HeapHandle): SharedHeap {
    const { buffer, byteOffset } = checkHandle(handle);
    const fields = headerOf(buffer, byteOffset);
    const known = attached.get(fields.id);
    if (known !== undefined) return known;
    const memory = viewMemory(buffer, computeGeometry(fields.base, fields.bytes, fields.threads));
    return new SharedHeap(memory, fields);
  }

  /**
   * The heap that this thread was given by its pool; else the process's default heap of 1 GiB, made
   * on first use and known to all threads started after that. Shared with all who ask in this
   * thread: leave it attached.
   * @throws HeapError as attach
   */
  static current(): SharedHeap {
    const handle = givenHeap() ?? findDefaultHeap(() => SharedHeap.create().handle);
    return SharedHeap.attach(handle as HeapHandle);
  }

  /** What another thread needs to attach. */
  get handle(): HeapHandle {
    const { buffer, geometry } = this.#core.memory;
    return makeHandle(this.#id, buffer, geometry.base);
  }

  /**
   * malloc_ts without locks, for a heap with one thread attached.
   * @throws ThreadSafetyError where it would touch what threads share and another is attached
   */
  malloc(size: number): Address {
    return this.#core.solo().malloc(size);
  }

  /** free_ts without locks: see malloc. */
  free(address: Address): void {
    this.#core.solo().free(address);
  }

  /** calloc_ts without locks: see malloc. */
  calloc(count: number, size: number): Address {
    return this.#core.solo().calloc(count, size);
  }

  /** realloc_ts without locks: see malloc. */
  realloc(address: Address, size: number): Address {
    return this.#core.solo().realloc(address, size);
  }

  /** alignedAlloc_ts without locks: see malloc. */
  alignedAlloc(alignment: number, size: number): Address {
    return this.#core.solo().alignedAlloc(alignment, size);
  }

  /**
   * How many bytes of a live block may be used: at least what was asked for.
   * @throws InvalidAddressError
   *
   * Threads: any. Cost: a few ns.
   */
  usableSize(address: Address): number {
    return this.#core.shared.usableSize(address);
  }

  /**
   * A typed array over (part of) a live block, checked against it.
   * @param length elements
   * @param byteOffset where in the block the view begins; a multiple of the element size
   * @throws InvalidAddressError; RangeError when the view would not lie inside the block
   *
   * Threads: any. The view outlives the block: do not use it after free.
   */
  view<C extends ViewConstructor>(
    ArrayType: C,
    address: Address,
    length: number,
    byteOffset = 0,
  ): InstanceType<C> {
    const usable = this.#core.shared.usableSize(address, 'view');
    const elementBytes = ArrayType.BYTES_PER_ELEMENT;
    const fits =
      Number.isInteger(length) &&
      Number.isInteger(byteOffset) &&
      length >= 0 &&
      byteOffset >= 0 &&
      byteOffset % elementBytes === 0 &&
      byteOffset + length * elementBytes <= usable;
    if (!fits) {
      throw rangeError(
        'ERR_SHMALLOC_INVALID_SIZE',
        `view: ${show(length)} elements of ${elementBytes} bytes from offset ${show(byteOffset)} ` +
          `do not lie inside the block's ${usable} bytes`,
      );
    }
    // Every typed array can lie over shared memory; the types of some constructors do not say so.
    const buffer = this.#core.memory.buffer as unknown as ArrayBuffer;
    return new ArrayType(buffer, address + byteOffset, length) as InstanceType<C>;
  }

  /** What the heap holds and what was done with it. Threads: any. Cost: about 20 microseconds. */
  stats(): HeapStats {
    return readStats(this.#core.memory);
  }

  /** Writes stats() as a table to stdout. */
  printStats(): void {
    console.log(renderStats(this.stats()));
  }

  /** Starts all counts anew, for all threads. The heap itself is not touched. */
  resetStats(): void {
    resetStats(this.#core.memory);
  }

  /**
   * Takes back the slots, and what they had cached, of threads that ended without detaching, as a
   * terminated worker does. Blocks that they allocated stay live: others may hold their addresses.
   * Pools do this when they end a worker, and attach does when all slots are taken.
   * @returns how many slots, cached blocks, and runs that were on their way
   *
   * @throws HeapError ERR_SHMALLOC_DEAD_OWNER when a dead thread's lock stands in the way
   *
   * Threads: any. Needs /proc (Linux). A thread that died while it held a lock is left alone, and
   * who needs that lock gets ERR_SHMALLOC_DEAD_OWNER.
   */
  recover(): Recovered {
    return this.#core.recover();
  }

  /**
   * Gives this thread's caches and slot back; blocks stay live. Every later malloc or free of this
   * instance throws ERR_SHMALLOC_DETACHED; attaching again gives a new one. A worker that exits
   * detaches by itself.
   */
  detach(): void {
    this.#core.detach();
    if (attached.get(this.#id) === this) attached.delete(this.#id);
  }

  [Symbol.dispose](): void {
    this.detach();
  }
}
