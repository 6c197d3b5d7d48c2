/**
 * SharedHeap: the public class. Each method is one call into a layer above; the hot ones are that
 * layer's own functions.
 *
 * The main entry of the package. One instance per thread and heap.
 */

import { isMainThread, threadId } from 'node:worker_threads';
import {
  type Address,
  append,
  FLAG,
  lookAt,
  markKind,
  notCloned,
  type OptionValues,
  oneOf,
  readOptions,
  showAsJson,
  typeError,
} from '../base/index.js';
import { Vectors } from '../collections/index.js';
import { Contexts, HEAP_KIND, readString, type ViewConstructor } from '../contexts/index.js';
import { applyErrorPolicy, createDebug } from '../debug/index.js';
import { atEndOfTurn, attachThreadHeap, createHeap, type ThreadHeap } from '../heap/index.js';
import { readUsage } from '../inspect/index.js';
import {
  computeGeometry,
  type HeaderFields,
  type HeapMemory,
  type HeapViews,
  isInstrumented,
  viewMemory,
  viewsOf,
} from '../layout/index.js';
import {
  type HeapOptions,
  type ResolvedOptions,
  resolveOptions,
  writeToStderr,
} from '../options/index.js';
import type { Recovered } from '../recovery/index.js';
import {
  formatBytes,
  type HeapStats,
  identityGap,
  LABELS,
  listOtelMetrics,
  type MetricLabels,
  type OtelMetric,
  readQuiet,
  readStats,
  readTotals,
  renderPrometheus,
  resetStats,
} from '../stats/index.js';
import { isPoisoned } from '../sync/index.js';
import type { VerifyOptions, VerifyReport } from '../verify/index.js';
import {
  claimOf,
  detachAtThreadEnd,
  endCutCreations,
  enterAttachment,
  findAttachment,
  isEntered,
  leaveAttachment,
  makeRoom,
  whileCreating,
} from './attachments.js';
import { allocText, allocView, viewBlock } from './block-views.js';
import { findDefaultHeap, givenHeap } from './default-heap.js';
import { createListener, publishLife } from './events.js';
import { createExitHooks, type ExitHooks, reportAtEnd } from './exit-hooks.js';
import { callsOf, type HeapCalls } from './heap-calls.js';
import {
  checkHandle,
  type HeapHandle,
  headerOf,
  headerOfHandle,
  makeHandle,
} from './heap-handle.js';
import { Inspection } from './inspection.js';
import { type WatchedWorker, watchWorker } from './watched-worker.js';

interface MetricsOptions {
  format?: 'prometheus' | 'otel' | undefined;
  labels?: MetricLabels | undefined;
}

const METRICS_VALUES: OptionValues<MetricsOptions> = {
  format: oneOf('prometheus', 'otel'),
  labels: LABELS,
};
const VERIFY_VALUES: OptionValues<VerifyOptions> = { quiet: FLAG };

/** Says that a heap is made by create or attach. */
const INSIDE = Symbol('create or attach');

const INSPECT = Symbol.for('nodejs.util.inspect.custom');

/** What JSON.stringify shows of a heap. */
export interface HeapSummary {
  /** As in `heap.handle.id`. */
  heap: string;
  /** Length of the heap. */
  reservedBytes: number;
  /** Usable bytes of live blocks. */
  inUseBytes: number;
  /** How many are attached. */
  threads: number;
}

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
 * const p = heap.malloc_ts(100);
 * heap.i32[p >>> 2] = 42;
 * heap.free_ts(p);
 * ```
 */
// biome-ignore lint/suspicious/noUnsafeDeclarationMerging: the constructor defines all of them
export class SharedHeap {
  /**
   * Structured clone refuses a heap for it. The first of its properties: of the others it would
   * refuse the functions, with their source.
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
  /** What is to be done before this attachment ends. */
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
    const plain = attachThreadHeap(memory, fields.reserveIsZero, {
      threadId,
      // Only a main thread gives up: a worker that waits stalls nobody but itself.
      lockTimeoutMs: isMainThread ? fields.lockTimeoutMs : Number.POSITIVE_INFINITY,
      listener: createListener(fields.id),
      claim: claimOf(fields.id),
    });
    const debug = isInstrumented(fields.debug)
      ? createDebug(plain, fields.debug, threadId, writeToStderr)
      : null;
    const core = debug?.core ?? applyErrorPolicy(plain, fields.debug);
    this.#core = core;
    this.#id = fields.id;
    const attachment = { core, heapId: fields.id, threadId, scribble: fields.debug.scribble };
    this.#contexts = new Contexts(attachment);
    this.#vectors = new Vectors(attachment, this.#contexts);
    this.#inspect = new Inspection(core, debug);
    // In no listing of properties: whoever compares or prints two heaps would have all their bytes.
    // The most used first: they lie in the object itself.
    Object.defineProperties(this, hidden({ ...callsOf(core), ...viewsOf(memory) }));
    const { isAttached, events } = core;
    // It leaves from where its contexts are closed: until it has left, it makes no new ones.
    const isLeaving = () => core.isLeaving() || (core.isAttached() && this.#contexts.isClosed());
    enterAttachment(fields.id, this, {
      isAttached,
      isLeaving,
      startLater: atEndOfTurn(events.start),
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
   * Makes a heap and attaches this thread to it. It lives until all threads have detached.
   * @throws TypeError, RangeError ERR_SHMALLOC_INVALID_OPTION; HeapError _BUFFER_IN_USE where a heap
   *   lies in the way that threads are attached to; RangeError when there is no memory
   *
   * Cost: under a millisecond for any size; memory is committed by use. In a buffer that is given, its
   * metadata is read too, to see that it is zero: about 25 ms of CPU time a GiB.
   */
  static create(options?: HeapOptions): SharedHeap {
    const resolved = resolveOptions(options);
    const { buffer: given, base, bytes, threads, contexts, debug } = resolved;
    // Before the buffer: a map that does not fit should cost nothing.
    computeGeometry(base, bytes, threads, debug, contexts);
    endCutCreations();
    if (given !== undefined) makeRoom(given, resolved);
    const buffer = given ?? new SharedArrayBuffer(bytes);
    const id = randomBytes(8).toString('hex');
    const heap = whileCreating(id, { buffer, base }, () => SharedHeap.#make(resolved, buffer, id));
    heap.#announce(true);
    return heap;
  }

  /** Runs none of the program's code. */
  static #make(options: ResolvedOptions, buffer: SharedArrayBuffer, id: string): SharedHeap {
    const { base, bytes, threads, contexts, lockTimeoutMs, debug } = options;
    const memory = createHeap({
      buffer,
      base,
      bytes,
      threads,
      contexts,
      id,
      pristine: options.buffer === undefined,
      lockTimeoutMs,
      debug,
      secret: [randomWord(), randomWord()],
    });
    const heap = new SharedHeap(INSIDE, memory, headerOf(buffer, base));
    reportAtEnd(heap.#ending, debug, {
      memory,
      verify: () => heap.verify(),
      leaks: () => heap.inspect.leaks(),
      label: { heapId: id, threadId },
      usage: () => readUsage(memory),
      stats: () => heap.stats(),
    });
    return heap;
  }

  /**
   * Attaches this thread to a heap that another thread made. A second time in one thread gives the
   * same instance, until someone detaches it: a thread has one attachment to a heap, whoever asks.
   * @throws TypeError, HeapError ERR_SHMALLOC_NOT_A_HEAP, _LAYOUT_VERSION, _TRUNCATED, _NO_SLOT
   *
   * Cost: under a millisecond.
   */
  static attach(handle: HeapHandle): SharedHeap {
    const { buffer, fields } = lookAt('SharedHeap.attach', 'the handle', () => {
      const checked = checkHandle(handle);
      return { buffer: checked.buffer, fields: headerOfHandle(checked) };
    });
    const known = findAttachment(fields.id);
    if (known !== undefined) return known;
    const { base, bytes, threads, contexts, debug } = fields;
    const geometry = computeGeometry(base, bytes, threads, debug, contexts);
    const memory = viewMemory(buffer, geometry);
    const heap = new SharedHeap(INSIDE, memory, fields);
    heap.#announce(false);
    return heap;
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

  /** Memory whose objects end together: makes contexts, adopts and lists them. */
  get contexts(): Contexts {
    return this.#contexts;
  }

  /** Growing arrays in the heap: makes vectors, attaches to them and lists them. */
  get vectors(): Vectors {
    return this.#vectors;
  }

  /** Lists, maps, dumps, leaks and history of the heap, and what prints them. */
  get inspect(): Inspection {
    return this.#inspect;
  }

  /** What another thread needs to attach. */
  get handle(): HeapHandle {
    const { buffer, geometry } = this.#core.memory;
    return makeHandle(this.#id, buffer, geometry.base);
  }

  /**
   * How many bytes of a live block may be used: at least what was asked for.
   * @throws InvalidAddressError
   *
   * Threads: any. Cost: a few ns.
   */
  usableSize(address: number): number {
    return this.#core.shared.usableSize(address as Address);
  }

  /**
   * Allocates a block for `length` elements, all zero, and gives a view of it. The view's `byteOffset`
   * is the block's address: `heap.free_ts(view.byteOffset)` frees it.
   * @param ArrayType Float64Array, Int32Array ...
   * @param length elements, a whole number from 0
   * @throws HeapExhaustedError ERR_SHMALLOC_HEAP_EXHAUSTED when the heap is full; TypeError, RangeError
   *   ERR_SHMALLOC_INVALID_SIZE, ERR_SHMALLOC_INVALID_OPTION
   *
   * Threads: any. The view outlives the block: do not use it after free. Cost: as calloc_ts, and about
   * 100 ns for the view.
   *
   * @example
   * ```ts
   * const list = heap.alloc(Int32Array, 1000);
   * list[0] = 42;
   * heap.free_ts(list.byteOffset);
   * ```
   */
  alloc<C extends ViewConstructor>(ArrayType: C, length: number): InstanceType<C> {
    return allocView(this.#core, ArrayType, length);
  }

  /**
   * A typed array over (part of) a live block, checked against it.
   * @param ArrayType Float64Array, Int32Array ...
   * @param address a live block's
   * @param length elements
   * @param byteOffset bytes from the block's start to the view's; a multiple of the element size
   * @throws InvalidAddressError; RangeError ERR_SHMALLOC_INVALID_SIZE when the view would not lie
   *   inside the block; TypeError ERR_SHMALLOC_INVALID_OPTION
   *
   * Threads: any. The view outlives the block: do not use it after free. Cost: about 100 ns.
   */
  view<C extends ViewConstructor>(
    ArrayType: C,
    address: number,
    length: number,
    byteOffset = 0,
  ): InstanceType<C> {
    return viewBlock(this.#core, ArrayType, address, [length, byteOffset]);
  }

  /**
   * Allocates a block with a text: four bytes its length in bytes, then UTF-8, then a zero byte.
   * @returns the block's address: `readString` gives the text back, in any thread, and `free_ts` frees it
   * @throws HeapExhaustedError ERR_SHMALLOC_HEAP_EXHAUSTED when the heap is full; TypeError
   *   ERR_SHMALLOC_INVALID_OPTION for what is no text
   *
   * Threads: any. Cost: as malloc_ts, and about 1 ns a byte.
   */
  allocString(text: string): Address {
    return allocText(this.#core, text);
  }

  /**
   * The text that `allocString` of this heap, or of a context, has stored at an address.
   * @param address what allocString returned
   * @throws RangeError ERR_SHMALLOC_INVALID_ADDRESS where no text can be
   *
   * Threads: any. Cost: about 1 ns a byte.
   */
  readString(address: number): string {
    return readString(this.#core.memory, address);
  }

  /**
   * What the heap holds and what was done with it since it was made, or since resetStats().
   *
   * While other threads run, figures are those of about one moment: none is below 0, no part is more
   * than its whole, and no count falls from one call of a thread to its next (but by resetStats()). A
   * count may lack the last calls. When they are quiet all is exact, but for what is sampled.
   *
   * Threads: any; holds up nobody. Cost: about 40 microseconds.
   */
  stats(): HeapStats {
    return readStats(this.#core.memory);
  }

  /**
   * The statistics for monitoring: what is in use and where, fragmentation, calls, locks, threads and
   * size classes, as docs/metrics.md lists them. As text that Prometheus scrapes, to be served as
   * PROMETHEUS_CONTENT_TYPE; or, with `format: 'otel'`, as values for OpenTelemetry's observable
   * instruments. Counters count since the heap was made, whatever resetStats() does, and never fall
   * from one call of a thread to its next.
   * @param options.labels put on every value, as `{ heap: 'images' }` to tell heaps apart
   * @throws TypeError ERR_SHMALLOC_INVALID_OPTION for a label that cannot be one
   *
   * Threads: any; have one of them ask. Cost: about 0.2 milliseconds.
   */
  metrics(options?: {
    format?: 'prometheus' | undefined;
    labels?: MetricLabels | undefined;
  }): string;
  metrics(options: { format: 'otel'; labels?: MetricLabels | undefined }): OtelMetric[];
  metrics(options?: MetricsOptions): string | OtelMetric[] {
    const { format, labels = {} } = readOptions('metrics', options, METRICS_VALUES);
    const totals = readTotals(this.#core.memory);
    return format === 'otel' ? listOtelMetrics(totals, labels) : renderPrometheus(totals, labels);
  }

  /**
   * Starts all counts anew, for all threads; metrics() counts on. The heap itself is not touched. Who looks
   * meanwhile may see some counts from before and some from after.
   */
  resetStats(): void {
    resetStats(this.#core.memory);
  }

  /**
   * Takes back what threads left behind that ended without detaching, as a terminated worker does:
   * slots, caches, locks and all that was half done. Blocks that they allocated stay live: others
   * may hold their addresses. It happens by itself when a thread waits for a dead one's lock, when a
   * watched worker ends, when all slots are taken, and before malloc answers 0.
   * @returns how many slots, locks, cached blocks, runs that were on their way, and contexts
   * @throws HeapCorruptionError
   *
   * Threads: any. Cost: a look into /proc for every attached thread, about 15 microseconds each;
   * for a dead one about a millisecond.
   */
  recover(): Recovered {
    return this.#core.recover();
  }

  /**
   * Recovers a worker at once when it ends, in whatever way. On Linux nothing depends on it: dead
   * threads are found by whoever waits for them. Elsewhere it is how the heap learns of their end
   * (a HeapPool watches its workers by itself). Ends with the worker, or when this thread detaches.
   * @param worker one that this thread has started; before it has ended
   *
   * Threads: the one that started the worker.
   */
  watch(worker: WatchedWorker): void {
    watchWorker(this.#core, worker, () => isEntered(this.#id, this));
  }

  /**
   * Checks the whole heap against its invariants, and counts what is in it. While other threads run,
   * what can be checked is what holds at any moment: runs tile the data, bins and lists are true, no
   * free block is live. With `quiet: true` the caller says that no other thread is in the heap: then
   * every block must be exactly one of live, cached and free, and counters must equal a recount.
   * Changes nothing, but for taking over locks of dead threads. Of a heap that was found broken before
   * the report begins with the reason.
   *
   * Threads: any; holds up those that need the same locks. Cost: a walk of all there is, about 35 ms
   * for 100 MiB in use.
   */
  verify(options?: VerifyOptions): VerifyReport {
    const { quiet = false } = readOptions('verify', options, VERIFY_VALUES);
    const report = this.#core.verify(quiet);
    const gap = report.quiet ? identityGap(readQuiet(this.#core.memory)) : 0;
    if (gap !== 0) {
      const message = `the parts of the heap add up to ${gap} bytes less than there are`;
      append(report.problems, { invariant: 'stats I1', address: 0, message });
      report.ok = false;
    }
    return report;
  }

  /**
   * Gives this thread's caches and slot back, and ends its contexts; blocks stay live. Every later
   * malloc or free of this instance throws ERR_SHMALLOC_DETACHED; attaching again gives a new one. A
   * worker that exits detaches by itself.
   * @throws AggregateError of what callbacks of contexts have thrown, when all is done
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

  /** As detach, for `using`. */
  [Symbol.dispose](): void {
    this.detach();
  }

  /** What JSON.stringify shows: figures, and no handle to attach with. */
  toJSON(): HeapSummary {
    const { reservedBytes, inUseBytes, threads } = readStats(this.#core.memory);
    const attached = threads.filter((thread) => thread.attached).length;
    return { heap: this.#id, reservedBytes, inUseBytes, threads: attached };
  }

  /** A line for people: what is in use, how many threads are attached, whether the heap is broken. */
  toString(): string {
    return this[INSPECT]();
  }

  /** What console.log shows. */
  [INSPECT](): string {
    const { heap, inUseBytes, reservedBytes, threads } = this.toJSON();
    const use = `${formatBytes(inUseBytes)} of ${formatBytes(reservedBytes)} in use`;
    const state = isPoisoned(this.#core.memory) ? ', broken' : '';
    const here = this.#core.isAttached() ? '' : ', this thread has detached';
    const count = `${threads} ${threads === 1 ? 'thread' : 'threads'}`;
    return `SharedHeap ${heap}: ${use}, ${count}${state}${here}`;
  }
}

/** Properties that are there, and are not enumerated. */
const hidden = (values: object): PropertyDescriptorMap =>
  Object.fromEntries(
    Object.entries(values).map(([name, value]) => [
      name,
      // Whatever everything inherits: a getter of a property that is called `get`, say.
      { __proto__: null, value, enumerable: false, writable: true, configurable: true },
    ]),
  );

// Loaded where a heap is made: to load it costs half of what a worker's whole start does.
const randomBytes = (bytes: number): Buffer =>
  process.getBuiltinModule('node:crypto').randomBytes(bytes);

const randomWord = (): number => randomBytes(4).readUInt32LE();

showAsJson(SharedHeap.prototype);
