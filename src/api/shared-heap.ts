/**
 * SharedHeap: the public class. Each method is one call into a layer above; the hot ones are that
 * layer's own functions.
 *
 * The main entry of the package. One instance per thread and heap.
 */

import { isMainThread, threadId, type Worker } from 'node:worker_threads';
import {
  type Address,
  ANY_VERSION,
  append,
  FLAG,
  HeapError,
  lookAt,
  markKind,
  type OptionValues,
  oneOf,
  otherVersion,
  rangeError,
  readOptions,
  show,
  threadState,
  typeError,
  VERSION,
} from '../base/index.js';
import { elementBytesOf, HEAP_KIND, type ViewConstructor, viewOf } from '../contexts/index.js';
import { applyErrorPolicy, createDebug } from '../debug/index.js';
import { atEndOfTurn, attachThreadHeap, createHeap, type ThreadHeap } from '../heap/index.js';
import { readUsage } from '../inspect/index.js';
import {
  computeGeometry,
  type HeaderFields,
  type HeapMemory,
  isInstrumented,
  reachableBytes,
  viewMemory,
} from '../layout/index.js';
import {
  type HeapOptions,
  type PrintOptions,
  type ResolvedOptions,
  resolveOptions,
  writerOf,
  writeToStderr,
} from '../options/index.js';
import type { Recovered } from '../recovery/index.js';
import {
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
  renderStats,
  resetStats,
} from '../stats/index.js';
import type { Claim } from '../sync/index.js';
import type { VerifyOptions, VerifyReport } from '../verify/index.js';
import { ContextHeap } from './context-heap.js';
import { findDefaultHeap, givenHeap } from './default-heap.js';
import { createListener, publishLife } from './events.js';
import { createExitHooks, type ExitHooks, reportAtEnd } from './exit-hooks.js';
import {
  checkHandle,
  type HeapHandle,
  headerOf,
  headerOfHandle,
  makeHandle,
} from './heap-handle.js';
import { eraseHeap, eraseHeaps, heapsInUse, inUse, isHeapAt } from './heaps-in-buffer.js';
import { atThreadEnd } from './thread-end.js';

interface MetricsOptions {
  format?: 'prometheus' | 'otel';
  labels?: MetricLabels;
}

const METRICS_VALUES: OptionValues<MetricsOptions> = {
  format: oneOf('prometheus', 'otel'),
  labels: LABELS,
};
const VERIFY_VALUES: OptionValues<VerifyOptions> = { quiet: FLAG };

/** A worker, as in node:worker_threads; without its types, so that ours need none of Node's. */
export interface WatchedWorker {
  readonly threadId: number;
  once(event: 'exit', listener: (exitCode: number) => void): unknown;
}

/** An attachment, as far as a cut can leave it half done. */
interface Life {
  isAttached(): boolean;
  /** Was its detach cut? */
  isLeaving(): boolean;
  /** What there is to tell is told at the end of the turn. As often as you like. */
  startLater(): void;
}

/** Where a heap is made. */
interface Made {
  readonly buffer: SharedArrayBuffer;
  readonly base: number;
}

/** Says that a heap is made by create or attach. */
const INSIDE = Symbol('create or attach');

/** This thread's attachments, by heap id, whichever copy of this package has made them. */
const attached = threadState('attached', () => new Map<string, SharedHeap>());
/** What copies ask each other's attachments, since V8 may have cut what made them, or ends them. */
const lives = threadState('lives', () => new WeakMap<SharedHeap, Life>());
/** Those that it is about to make: V8 may cut an attach, and the next one finds what that has left. */
const claims = threadState('claims', () => new Map<string, Claim>());
/** Heaps that it is making, by id: nobody knows of one that is in here. */
const creations = threadState('creations', () => new Map<string, Made>());
/** The attachments for copies of other versions: by which version the thread is attached. */
const versions = threadState('attached', () => new Map<string, string>(), ANY_VERSION);

function claimOf(heapId: string): Claim {
  const claim = claims.get(heapId) ?? { isOpen: false, slot: -1 };
  claims.set(heapId, claim);
  return claim;
}

/** A `create` of this thread that V8 has cut has made no heap: nobody was given it. */
function endCutCreations(): void {
  for (const [id, { buffer, base }] of [...creations]) {
    // Unless the buffer is used for something else by now.
    if (isHeapAt(buffer, base, id)) {
      attached.get(id)?.detach();
      eraseHeap(buffer, base);
    }
    attached.delete(id);
    versions.delete(id);
    claims.delete(id);
    creations.delete(id);
  }
}

/** A worker that ends in order gives its slots back. One that is terminated cannot. */
function detachAll(): void {
  for (const heap of [...attached.values()]) {
    try {
      heap.detach();
    } catch {
      // The thread ends: what it could not give back, recovery will.
    }
  }
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
export class SharedHeap extends ContextHeap {
  readonly #core: ThreadHeap;
  readonly #id: string;
  /** What is to be done before this attachment ends. */
  readonly #ending: ExitHooks = createExitHooks();

  /** The whole buffer, as each kind of number. An address is a byte offset: `i32[p >>> 2]`. */
  declare readonly u8: Uint8Array<SharedArrayBuffer>;
  declare readonly i8: Int8Array<SharedArrayBuffer>;
  declare readonly u16: Uint16Array<SharedArrayBuffer>;
  declare readonly i16: Int16Array<SharedArrayBuffer>;
  declare readonly u32: Uint32Array<SharedArrayBuffer>;
  declare readonly i32: Int32Array<SharedArrayBuffer>;
  declare readonly f32: Float32Array<SharedArrayBuffer>;
  declare readonly f64: Float64Array<SharedArrayBuffer>;
  declare readonly i64: BigInt64Array<SharedArrayBuffer>;
  declare readonly u64: BigUint64Array<SharedArrayBuffer>;

  /**
   * Allocates a block of at least `size` bytes, with whatever they contain.
   * @param size bytes, a whole number from 0; 0 gives a smallest block
   * @returns the block's address, a multiple of 16; 0 when the heap is full: what this thread has
   * cached was given back before, and what threads had that have been dead for longer than 5 ms (or
   * 20 times what it takes to look at all threads, 100 ms at most)
   * @throws TypeError, RangeError ERR_SHMALLOC_INVALID_SIZE
   *
   * Threads: any, at any time. Cost: about 3 ns from the thread's cache; once in 16-64 calls
   * a lock and about 10 ns per block; over 64 KiB a lock and about 200 ns; about 1 microsecond in a
   * full heap as long as nothing comes back, and a look at all threads every 5 ms at most.
   */
  declare readonly malloc_ts: (size: number) => Address;
  /**
   * Frees a block that any thread allocated. `free_ts(0)` does nothing.
   * @throws InvalidAddressError for anything but the start of a live block; nothing is changed
   *
   * Threads: any, at any time. Cost: as malloc_ts.
   */
  declare readonly free_ts: (address: Address) => void;
  /**
   * Allocates `count * size` bytes, all zero.
   * @returns the block's address; 0 when the heap is full or the product is too large for it
   * @throws TypeError, RangeError ERR_SHMALLOC_INVALID_SIZE
   *
   * Threads: any, at any time. Cost: malloc_ts and about 20 ns per KiB.
   */
  declare readonly calloc_ts: (count: number, size: number) => Address;
  /**
   * Gives a block another size, keeping its contents up to the smaller one; it may move.
   * `realloc_ts(0, n)` is malloc, `realloc_ts(p, 0)` frees and gives 0.
   * @returns the block's address, or 0 when the heap is full: the old block is then untouched
   * @throws InvalidAddressError, TypeError, RangeError
   *
   * Threads: any, at any time; the block is the caller's meanwhile. Cost: a few ns where the size
   * class stays, a copy where it does not; large blocks grow in place where there is room.
   */
  declare readonly realloc_ts: (address: Address, size: number) => Address;
  /**
   * Allocates a block at a multiple of `alignment`.
   * @param alignment a power of two up to 65,536
   * @returns the block's address; 0 when the heap is full
   * @throws RangeError ERR_SHMALLOC_INVALID_ALIGNMENT; TypeError, RangeError _INVALID_SIZE
   *
   * Threads: any, at any time. Cost: as malloc_ts, of a class that is a multiple of the alignment.
   */
  declare readonly alignedAlloc_ts: (alignment: number, size: number) => Address;

  /**
   * malloc_ts by another name: one function. There is nothing to save by leaving the safety away: the
   * fast path takes no lock, and slow paths without locks measured no faster.
   */
  declare readonly malloc: (size: number) => Address;
  /** free_ts by another name. */
  declare readonly free: (address: Address) => void;
  /** calloc_ts by another name. */
  declare readonly calloc: (count: number, size: number) => Address;
  /** realloc_ts by another name. */
  declare readonly realloc: (address: Address, size: number) => Address;
  /** alignedAlloc_ts by another name. */
  declare readonly alignedAlloc: (alignment: number, size: number) => Address;

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
    super(core, debug, { heapId: fields.id, threadId, scribble: fields.debug.scribble });
    const { buffer } = memory;
    const bytes = reachableBytes(buffer);
    this.#core = core;
    this.#id = fields.id;
    // In no listing of properties: whoever compares or prints two heaps would have all their bytes.
    // The most used first: they lie in the object itself.
    Object.defineProperties(
      this,
      hidden({
        malloc_ts: core.shared.malloc,
        free_ts: core.shared.free,
        calloc_ts: core.shared.calloc,
        realloc_ts: core.shared.realloc,
        alignedAlloc_ts: core.shared.alignedAlloc,
        i32: memory.i32,
        u32: memory.u32,
        u8: memory.u8,
        f64: memory.f64,
        f32: new Float32Array(buffer, 0, bytes / 4),
        i8: new Int8Array(buffer, 0, bytes),
        u16: new Uint16Array(buffer, 0, bytes / 2),
        i16: new Int16Array(buffer, 0, bytes / 2),
        i64: new BigInt64Array(buffer, 0, bytes / 8),
        u64: new BigUint64Array(buffer, 0, bytes / 8),
        malloc: core.shared.malloc,
        free: core.shared.free,
        calloc: core.shared.calloc,
        realloc: core.shared.realloc,
        alignedAlloc: core.shared.alignedAlloc,
      }),
    );
    const { isAttached, events } = core;
    // It leaves from where its contexts are closed: until it has left, it makes no new ones.
    const isLeaving = () => core.isLeaving() || (core.isAttached() && this.areContextsClosed());
    lives.set(this, { isAttached, isLeaving, startLater: atEndOfTurn(events.start) });
    versions.set(fields.id, VERSION);
    attached.set(fields.id, this);
    claims.delete(fields.id);
    if (!isMainThread) atThreadEnd('attachments', detachAll);
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
    creations.set(id, { buffer, base });
    let heap: SharedHeap;
    try {
      heap = SharedHeap.#make(resolved, buffer, id);
    } finally {
      creations.delete(id);
    }
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
      leaks: () => heap.leaks(),
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
    const known = attached.get(fields.id);
    const life = known && lives.get(known);
    if (life?.isLeaving()) known?.detach();
    if (known !== undefined && life?.isAttached()) {
      // Its own attach may have been cut before it came to that; or it is under way, and asked for
      // by a subscriber.
      life.startLater();
      return known;
    }
    const version = versions.get(fields.id);
    // Of this version it is what a cut has left.
    if (version !== undefined && version !== VERSION) {
      throw new HeapError(
        'ERR_SHMALLOC_TWO_VERSIONS',
        `cannot attach: this thread is attached already, and ${otherVersion(version)}`,
      );
    }
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
    const elementBytes = elementBytesOf('view', ArrayType);
    const usable = this.#core.shared.usableSize(address, 'view');
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
    return viewOf(this.#core.memory, ArrayType, (address + byteOffset) as Address, length);
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

  /** Prints stats() as a table. */
  printStats(options?: PrintOptions): void {
    writerOf('printStats', options)(`${renderStats(this.stats())}\n`);
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
  metrics(options?: { format?: 'prometheus'; labels?: MetricLabels }): string;
  metrics(options: { format: 'otel'; labels?: MetricLabels }): OtelMetric[];
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
    const watched = lookAt('SharedHeap.watch', 'the worker', () =>
      isWorker(worker) ? worker.threadId : -1,
    );
    if (watched < 0) {
      const got = isWorker(worker) ? 'one that has ended' : show(worker);
      throw typeError(
        'ERR_SHMALLOC_INVALID_OPTION',
        `SharedHeap.watch: give it a running Worker, got ${got}`,
      );
    }
    worker.once('exit', () => {
      if (attached.get(this.#id) === this) recoverQuietly(this.#core, watched);
    });
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
      if (attached.get(this.#id) === this) this.closeContexts();
    } finally {
      this.#leave();
    }
  }

  #leave(): void {
    this.#core.detach();
    if (attached.get(this.#id) !== this) return;
    if (versions.get(this.#id) === VERSION) versions.delete(this.#id);
    attached.delete(this.#id);
    this.#core.events.flush();
    publishLife('detached', this, this.#id, this.#core.memory.geometry.bytes);
  }

  [Symbol.dispose](): void {
    this.detach();
  }
}

/** Sees to it that no heap in use lies where a new one is to be. */
function makeRoom(buffer: SharedArrayBuffer, wanted: ResolvedOptions): void {
  const known = [...attached.values()].map(({ handle }) => handle.byteOffset);
  for (const found of heapsInUse(buffer, wanted, known)) {
    const own = attached.get(found.id);
    const isLeft = own !== undefined && found.threads === 1 && lives.get(own)?.isLeaving();
    if (!wanted.overwrite && !isLeft) throw inUse(wanted, found, own !== undefined);
    // Those of other threads are lost, as the caller wants it.
    own?.detach();
  }
  eraseHeaps(buffer, wanted);
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

/** By what a worker can do: a test runner, or a library that wraps workers, has a class of its own. */
function isWorker(value: unknown): value is Worker {
  const { threadId: id, once, terminate } = (value ?? {}) as Partial<Worker>;
  return typeof id === 'number' && typeof once === 'function' && typeof terminate === 'function';
}

/** For an event nobody waits for: an error there would end the process. */
function recoverQuietly(core: ThreadHeap, ended: number): void {
  try {
    core.recoverThread(ended);
  } catch (error) {
    process.emitWarning(`worker ${ended} could not be recovered: ${(error as Error).message}`, {
      code: 'SHMALLOC_NOT_RECOVERED',
    });
  }
}
