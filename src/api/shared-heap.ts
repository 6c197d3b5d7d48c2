/**
 * SharedHeap: the public class. Each method is one call into a room above; the hot ones are that room's
 * own functions.
 *
 * The main entry of the package. One instance per thread and heap. What stands in an interface has its
 * description there: heap-calls.ts, block-views.ts, heap-reports.ts.
 */

import { isMainThread } from 'node:worker_threads';
import { type Address, lookAt, markKind, notCloned, showAsJson, typeError } from '../base/index.js';
import type { Vectors } from '../collections/index.js';
import { type Contexts, HEAP_KIND, readString, type ViewConstructor } from '../contexts/index.js';
import { atEndOfTurn, type ThreadHeap } from '../heap/index.js';
import {
  computeGeometry,
  type HeaderFields,
  type HeapMemory,
  type HeapViews,
  viewsOf,
} from '../layout/index.js';
import { type HeapOptions, resolveOptions } from '../options/index.js';
import type { Recovered } from '../recovery/index.js';
import { type HeapStats, type OtelMetric, readStats, resetStats } from '../stats/index.js';
import type { VerifyOptions, VerifyReport } from '../verify/index.js';
import { attachParts, makeMemory, randomId, reportHeapAtEnd, viewHeap } from './attach-heap.js';
import {
  detachAtThreadEnd,
  endCutCreations,
  enterAttachment,
  findAttachment,
  isEntered,
  leaveAttachment,
  makeRoom,
  whileCreating,
} from './attachments.js';
import { allocText, allocView, type HeapBlocks, viewBlock } from './block-views.js';
import { findDefaultHeap, givenHeap } from './default-heap.js';
import { publishLife } from './events.js';
import { createExitHooks, type ExitHooks } from './exit-hooks.js';
import { callsOf, type HeapCalls, hidden } from './heap-calls.js';
import {
  checkHandle,
  type HeapHandle,
  headerOf,
  headerOfHandle,
  makeHandle,
} from './heap-handle.js';
import {
  describeHeap,
  type HeapReports,
  type HeapSummary,
  type MetricsOptions,
  readMetrics,
  summaryOf,
  verifyHeap,
} from './heap-reports.js';
import type { Inspection } from './inspection.js';
import { type WatchedWorker, watchWorker } from './watched-worker.js';

/** The constructor's first argument where create or attach makes a heap. */
const INSIDE = Symbol('create or attach');
const INSPECT = Symbol.for('nodejs.util.inspect.custom');

export interface SharedHeap extends HeapCalls, HeapViews {}

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
 * const list = heap.alloc(Int32Array, 100);
 * list[0] = 42;
 * heap.free(list.byteOffset);
 * ```
 */
// biome-ignore lint/suspicious/noUnsafeDeclarationMerging: the constructor defines all of them
export class SharedHeap implements HeapBlocks, HeapReports {
  /**
   * Makes structured clone refuse a heap. It is the first property: of a later one, structured clone
   * would come to the functions before it, and report their source.
   * @internal
   */
  readonly notCloned = notCloned(
    'a SharedHeap',
    'post heap.handle, and call SharedHeap.attach(handle) there',
  );
  readonly #core: ThreadHeap;
  readonly #id: string;
  readonly #contexts: Contexts;
  readonly #vectors: Vectors;
  readonly #inspect: Inspection;
  /** Actions before this attachment ends. */
  readonly #ending: ExitHooks = createExitHooks();

  static {
    markKind(HEAP_KIND, SharedHeap, (value) => #core in value);
  }

  private constructor(from: typeof INSIDE, memory: HeapMemory, fields: HeaderFields) {
    if (from !== INSIDE) {
      throw typeError(
        'ERR_SHMALLOC_INVALID_OPTION',
        'new SharedHeap: a heap is made by SharedHeap.create({ size }), and found in another thread by ' +
          'its handle with SharedHeap.attach(handle)',
      );
    }
    const { core, contexts, vectors, inspect } = attachParts(memory, fields);
    this.#core = core;
    this.#id = fields.id;
    this.#contexts = contexts;
    this.#vectors = vectors;
    this.#inspect = inspect;
    // The most used first: they lie in the object itself.
    Object.defineProperties(this, hidden({ ...callsOf(core), ...viewsOf(memory) }));
    enterAttachment(fields.id, this, {
      isAttached: core.isAttached,
      // Detach closes the contexts first: from then until the end, this thread is leaving.
      isLeaving: () => core.isLeaving() || (core.isAttached() && contexts.isClosed()),
      startLater: atEndOfTurn(() => core.events.start()),
    });
    if (!isMainThread) detachAtThreadEnd();
  }

  /** Tells subscribers, who see the thread attached and may go on from there. */
  #announce(isNew: boolean): void {
    const { bytes } = this.#core.memory.geometry;
    if (isNew) publishLife('created', this, this.#id, bytes);
    publishLife('attached', this, this.#id, bytes);
    this.#core.events.start();
  }

  /**
   * Makes a heap and attaches this thread to it. The heap lives until all threads have detached.
   * @param options size in bytes or as a text such as `'64MiB'` (default 1 GiB), number of threads,
   *   a buffer to make the heap in, debug options
   * @returns the heap
   * @throws TypeError, RangeError ERR_SHMALLOC_INVALID_OPTION; HeapError ERR_SHMALLOC_BUFFER_IN_USE if
   *   the place in the buffer overlaps a heap that threads are attached to; RangeError if there is no
   *   memory
   *
   * Threads: any. Cost: under a millisecond for any size, since memory is committed by use. In a given
   * buffer the metadata is read to see that it is zero: about 25 ms of CPU time a GiB.
   */
  static create(options?: HeapOptions): SharedHeap {
    const resolved = resolveOptions(options);
    const { buffer: given, base, bytes } = resolved;
    // Before the buffer: a map that does not fit should cost nothing.
    computeGeometry(resolved);
    endCutCreations();
    if (given !== undefined) makeRoom(given, resolved);
    const buffer = given ?? new SharedArrayBuffer(bytes);
    const id = randomId();
    const heap = whileCreating(id, { buffer, base }, () => {
      const memory = makeMemory(resolved, buffer, id);
      const made = new SharedHeap(INSIDE, memory, headerOf(buffer, base));
      reportHeapAtEnd(made.#ending, made, memory, resolved);
      return made;
    });
    heap.#announce(true);
    return heap;
  }

  /**
   * Attaches this thread to a heap that another thread made. A thread has one attachment to a heap:
   * a second call returns the same instance, until one of its users detaches it.
   * @param handle the other thread's `heap.handle`
   * @returns the heap
   * @throws TypeError, HeapError ERR_SHMALLOC_NOT_A_HEAP, ERR_SHMALLOC_LAYOUT_VERSION,
   *   ERR_SHMALLOC_TRUNCATED, ERR_SHMALLOC_NO_SLOT
   *
   * Threads: any. Cost: under a millisecond.
   */
  static attach(handle: HeapHandle): SharedHeap {
    const { buffer, fields } = lookAt('SharedHeap.attach', 'the handle', () => {
      const checked = checkHandle(handle);
      return { buffer: checked.buffer, fields: headerOfHandle(checked) };
    });
    const known = findAttachment(fields.id);
    if (known !== undefined) return known;
    const heap = new SharedHeap(INSIDE, viewHeap(buffer, fields), fields);
    heap.#announce(false);
    return heap;
  }

  /**
   * The heap that this thread's pool has given it; in other threads the process's default heap of
   * 1 GiB, made on first use and known to all threads that start after that. All users in this thread
   * share it: leave it attached.
   * @returns the heap
   * @throws HeapError as attach
   *
   * Threads: any. Cost: as attach, the first time.
   */
  static current(): SharedHeap {
    const handle = givenHeap() ?? findDefaultHeap(() => SharedHeap.create().handle);
    return SharedHeap.attach(handle as HeapHandle);
  }

  /** Memory whose objects end together: makes contexts, adopts and lists them. */
  get contexts(): Contexts {
    return this.#contexts;
  }

  /** Growing arrays in the heap: makes vectors, attaches to them and lists them. */
  get vectors(): Vectors {
    return this.#vectors;
  }

  /** Lists, maps, dumps, leaks and history of the heap, and a call that prints them. */
  get inspect(): Inspection {
    return this.#inspect;
  }

  /** What another thread needs to attach: a plain object for postMessage, workerData or a task. */
  get handle(): HeapHandle {
    const { buffer, geometry } = this.#core.memory;
    return makeHandle(this.#id, buffer, geometry.base);
  }

  usableSize(address: number): number {
    return this.#core.shared.usableSize(address as Address);
  }

  alloc<C extends ViewConstructor>(ArrayType: C, length: number): InstanceType<C> {
    return allocView(this.#core, ArrayType, length);
  }

  view<C extends ViewConstructor>(
    ArrayType: C,
    address: number,
    length: number,
    byteOffset = 0,
  ): InstanceType<C> {
    return viewBlock(this.#core, ArrayType, address, [length, byteOffset]);
  }

  allocString(text: string): Address {
    return allocText(this.#core, text);
  }

  readString(address: number): string {
    return readString(this.#core.memory, address);
  }

  stats(): HeapStats {
    return readStats(this.#core.memory);
  }

  metrics(options?: MetricsOptions & { format?: 'prometheus' | undefined }): string;
  metrics(options: MetricsOptions & { format: 'otel' }): OtelMetric[];
  metrics(options?: MetricsOptions): string | OtelMetric[] {
    return readMetrics(this.#core.memory, options);
  }

  resetStats(): void {
    resetStats(this.#core.memory);
  }

  verify(options?: VerifyOptions): VerifyReport {
    return verifyHeap(this.#core, options);
  }

  /**
   * Takes back what threads left behind that ended without detaching, as a terminated worker does:
   * slots, caches, locks and half-done work. Blocks that they allocated stay live, since other threads
   * may hold their addresses. Recovery also happens by itself: when a thread waits for a dead thread's
   * lock, when a watched worker ends, when all slots are taken, and before malloc answers 0.
   * @returns the numbers of slots, locks, cached blocks, runs and contexts taken back
   * @throws HeapCorruptionError; HeapError ERR_SHMALLOC_DETACHED
   *
   * Threads: any. Cost: a look into /proc for each attached thread, about 15 microseconds each;
   * about a millisecond for a dead one.
   */
  recover(): Recovered {
    return this.#core.recover();
  }

  /**
   * Recovers a worker at once when it ends, in whatever way. On Linux nothing depends on this call,
   * since a thread that waits finds the dead ones. On other systems the heap learns of a thread's end
   * by it (a HeapPool watches its own workers). It ends with the worker, or when this thread detaches.
   * @param worker a worker that this thread has started and that has not ended
   * @throws TypeError, RangeError ERR_SHMALLOC_INVALID_OPTION; HeapError ERR_SHMALLOC_DETACHED
   *
   * Threads: the one that started the worker. Cost: a listener of the worker's end.
   */
  watch(worker: WatchedWorker): void {
    watchWorker(this.#core, worker, () => isEntered(this.#id, this));
  }

  /**
   * Gives this thread's caches and slot back, and ends its contexts; blocks stay live. Each later
   * malloc or free of this instance throws ERR_SHMALLOC_DETACHED; attaching again gives a new one. A
   * worker that exits detaches by itself.
   * @throws AggregateError of what callbacks of contexts have thrown, after everything is done
   *
   * Threads: any, for itself. Cost: about a microsecond, and a free for each cached block.
   */
  detach(): void {
    this.#ending.run();
    try {
      if (isEntered(this.#id, this)) this.#contexts.close();
    } finally {
      this.#leave();
    }
  }

  #leave(): void {
    this.#core.detach();
    if (!isEntered(this.#id, this)) return;
    leaveAttachment(this.#id);
    this.#core.events.flush();
    publishLife('detached', this, this.#id, this.#core.memory.geometry.bytes);
  }

  /** Detaches at the end of a `using`. */
  [Symbol.dispose](): void {
    this.detach();
  }

  /** The object that JSON.stringify shows: figures, and no handle to attach with. */
  toJSON(): HeapSummary {
    return summaryOf(this.#core.memory, this.#id);
  }

  /** A line for people: bytes in use, attached threads, whether the heap is broken. */
  toString(): string {
    return this[INSPECT]();
  }

  /** The line that console.log shows. */
  [INSPECT](): string {
    return describeHeap(this.#core, this.#id);
  }
}

showAsJson(SharedHeap.prototype);
