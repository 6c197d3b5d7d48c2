/**
 * Context: memory with a lifetime of its own. What is allocated in it goes when it goes.
 *
 * After the memory contexts of PostgreSQL (utils/mmgr), which have neither threads nor a shared
 * heap, and Perfloc's scoped chunk lists. The kinds are in bump-context.ts and set-context.ts, the
 * chunks in chunks.ts, its life and its place in the tree in context-state.ts, a thread's contexts in
 * contexts.ts.
 *
 * I1  A context belongs to one thread, and only that thread changes it: no lock on any path. Any
 *     thread may read and write its objects.
 */

import {
  type Address,
  type HeapError,
  INSPECT,
  isKindOf,
  lookAt,
  markKind,
  NULL,
  notCloned,
  show,
  showAsJson,
  typeError,
  type WordIndex,
} from '../base/index.js';
import { clearBytes, requireSize } from '../heap/index.js';
import type { ContextIndex } from '../layout/index.js';
import {
  type ContextStats,
  type ContextSummary,
  describeFigures,
  readContextStats,
  summarizeContext,
} from './context-figures.js';
import { type ContextHandle, makeContextHandle } from './context-handle.js';
import type { ContextOptions, ContextType } from './context-options.js';
import type { AnyContext, ContextOf, ContextRuntime } from './context-runtime.js';
import { type ContextPlace, ContextState } from './context-state.js';
import { writeString } from './strings.js';
import { elementBytesOf, type ViewConstructor, viewOf } from './view.js';

/** Marks contexts, for every copy of this package: base/thread-state.ts. */
const CONTEXT_KIND = 'context';

/**
 * Memory whose objects end together.
 *
 * Threads: each call is for the thread that owns the context. Cost, where none is said: some ten ns.
 *
 * @example
 * ```ts
 * using request = heap.contexts.create('request');
 * const row = request.alloc(Float64Array, 100);
 * // nothing to free: `request` ends here, and the row with it
 * ```
 */
export abstract class Context {
  /**
   * Structured clone refuses a context for it.
   * @internal
   */
  readonly notCloned = notCloned(
    'a context',
    'post what context.release() returns, and give that to heap.contexts.adopt() there',
  );
  readonly #state: ContextState;

  /**
   * Its record; see context-state I2.
   * @internal
   */
  at: WordIndex;

  /** What kind of context this is: a request, a parser. */
  readonly name: string;
  /** Which one of that name. */
  readonly ident: string;
  abstract readonly kind: ContextType;

  /**
   * Made by context-runtime.ts alone.
   * @internal
   */
  constructor(runtime: ContextRuntime, place: ContextPlace) {
    // In a class that was made by somebody else there is no world.
    if (!lookAt('new Context', 'its world', () => typeof runtime?.requireHeadroom === 'function')) {
      throw typeError(
        'ERR_SHMALLOC_INVALID_OPTION',
        'new Context: a context is made by heap.contexts.create(name), and below another one by ' +
          'context.createContext(name)',
      );
    }
    this.at = runtime.registry.at(place.index);
    this.name = place.name;
    this.ident = place.ident;
    this.#state = new ContextState(runtime, place, this);
  }

  // ---- allocation

  /**
   * Allocates an object of `size` bytes, with whatever they contain.
   * @param size bytes, a whole number from 0
   * @returns its address, a multiple of 16
   * @throws HeapExhaustedError, with all contexts of the heap in its message; HeapError
   *   ERR_SHMALLOC_CONTEXT_ENDED; TypeError, RangeError ERR_SHMALLOC_INVALID_SIZE
   *
   * Threads: the context's own. Cost: about 2 ns (`set`: 15); a chunk now and then.
   */
  abstract malloc(size: number): Address;

  /** malloc, but 0 where there is no room. @throws as malloc, but for HeapExhaustedError */
  tryMalloc(size: number): Address {
    return this.mallocSlow(size, true);
  }

  /**
   * Allocates `count * size` bytes, all zero.
   * @throws as malloc
   */
  calloc(count: number, size: number): Address {
    requireSize('calloc', count);
    requireSize('calloc', size);
    return this.runtime.deferring(() => {
      const address = this.malloc(count * size);
      clearBytes(this.runtime.memory, address, count * size);
      return address;
    });
  }

  /**
   * Allocates `length` elements and gives a view of them, all zero.
   * @param ArrayType Float64Array, Int32Array ...
   * @throws as malloc
   */
  alloc<C extends ViewConstructor>(ArrayType: C, length: number): InstanceType<C> {
    const elementBytes = elementBytesOf('alloc', ArrayType);
    requireSize('alloc', length);
    const address = this.calloc(length, elementBytes);
    return viewOf(this.runtime.memory, ArrayType, address, length);
  }

  /**
   * Allocates a text: four bytes its length in bytes, then UTF-8, then a zero byte. `heap.readString`
   * gives it back, in any thread.
   * @throws as malloc; TypeError ERR_SHMALLOC_INVALID_OPTION for what is no text
   */
  allocString(text: string): Address {
    const { memory } = this.runtime;
    return this.runtime.deferring(() => writeString(memory, text, (bytes) => this.malloc(bytes)));
  }

  // ---- the tree

  get parent(): AnyContext | null {
    return (this.#state.parent?.context ?? null) as AnyContext | null;
  }

  /** The contexts right below this one. */
  get children(): AnyContext[] {
    this.runtime.attachment.core.repairIfCut();
    return [...this.#state.children].map(({ context }) => context) as AnyContext[];
  }

  /** `heap.contexts.create`, for a context that ends with this one at the latest. */
  createContext<K extends ContextType = 'bump'>(
    name: string,
    options?: Omit<ContextOptions<K>, 'parent'>,
  ): ContextOf<K> {
    return this.runtime.create('createContext', name, options, this);
  }

  /**
   * Makes another context the parent, or none. The context goes on as it is, its children with it.
   * @throws HeapError ERR_SHMALLOC_CONTEXT for one that lies below this one, or in another heap
   */
  setParent(parent: Context | null): void {
    this.requireLive('move');
    if (parent !== null && !Context.is(parent)) {
      throw typeError(
        'ERR_SHMALLOC_INVALID_OPTION',
        `setParent: a parent is a context, or null, got ${show(parent)}`,
      );
    }
    const above = parent === null ? null : this.runtime.liveState('setParent', parent);
    this.#state.setParent(above);
  }

  // ---- the end

  /**
   * Calls `callback` when the objects of this context end: at its next reset or its end, once, the
   * last registered first. It may still read them, and allocate; the context and those above it can
   * not be reset or deleted in it.
   */
  onReset(callback: () => void): void {
    this.requireLive('register a callback for');
    if (typeof callback !== 'function') {
      throw typeError(
        'ERR_SHMALLOC_INVALID_OPTION',
        `onReset: give it a function, got ${show(callback)}`,
      );
    }
    this.#state.onReset(callback);
  }

  /**
   * Ends the children and all objects; the context itself stays, with its first chunk.
   * @throws AggregateError of what callbacks have thrown, when all is done; HeapCorruptionError
   *
   * Threads: the context's own. Cost: about 100 ns when there is one chunk and no child, which does
   * not touch the heap; else about 100 ns a chunk, however many objects.
   */
  reset(): void {
    this.#state.reset();
  }

  /** Ends the objects of this context; those of its children stay. @throws as reset */
  resetOnly(): void {
    this.#state.resetOnly();
  }

  /** Resets the children, with all below them. @throws as reset */
  resetChildren(): void {
    this.#state.resetChildren();
  }

  /** Ends the children, with all below them. @throws as reset */
  deleteChildren(): void {
    this.#state.deleteChildren();
  }

  /**
   * Ends the context, all below it, and all their objects.
   * @throws as reset
   */
  delete(): void {
    this.#state.delete();
  }

  /** As delete, where there is something to end. */
  [Symbol.dispose](): void {
    this.#state.dispose();
  }

  // ---- from thread to thread

  /**
   * Gives the context and all below it away. It is nobody's then, and outlives this thread, until a
   * thread adopts it by the handle. Its parent, if it has one, does not end it any more.
   * @returns a plain object, for postMessage
   * @throws HeapError ERR_SHMALLOC_CONTEXT where callbacks wait, which cannot go along
   */
  release(): ContextHandle {
    const adoptions = this.#state.release();
    const { heapId } = this.runtime.attachment;
    const { name, ident } = this;
    const { index, generation } = this.#state;
    return makeContextHandle({ heapId, index, generation, adoptions, name, ident });
  }

  // ---- looking

  /** What it holds, without its children. Cost: a few ns. */
  stats(): ContextStats {
    this.requireLive('measure');
    return readContextStats(this.runtime.memory.u32, this);
  }

  /** What JSON.stringify shows. */
  toJSON(): ContextSummary {
    return summarizeContext(this.runtime.memory.u32, this);
  }

  /** What a text shows that it is put into. */
  toString(): string {
    return this[INSPECT]();
  }

  /** What console.log shows. */
  [INSPECT](): string {
    return describeFigures(this.runtime.memory.u32, this, this.#state.life);
  }

  // ---- for the kinds, and for the other files of this folder

  /**
   * Is it a context, of any heap? Asks nothing of the value, which may be a proxy that throws.
   * @internal
   */
  static is(value: unknown): value is Context {
    return isKindOf(CONTEXT_KIND, value);
  }

  static {
    markKind(CONTEXT_KIND, Context, (value) => #state in value);
  }

  /**
   * The state of a context; undefined for one of another copy of this package, which has other private
   * fields: it is in another heap.
   * @internal
   */
  static stateOf(context: Context): ContextState | undefined {
    return #state in context ? context.#state : undefined;
  }

  /** The number of its record. */
  protected get index(): ContextIndex {
    return this.#state.index;
  }

  protected get runtime(): ContextRuntime {
    return this.#state.runtime;
  }

  /** @throws HeapError ERR_SHMALLOC_CONTEXT_ENDED, ERR_SHMALLOC_CONTEXT */
  protected requireLive(call: string): void {
    this.#state.requireLive(call);
  }

  /** Allocation is allowed in callbacks, as long as the context is there. */
  protected requireOpen(call: string): void {
    if (this.#state.life !== 'ending') this.requireLive(call);
  }

  protected error(call: string, problem: string): HeapError {
    return this.#state.error(call, problem);
  }

  /** malloc, whatever the size and however full; `quietly`: 0 where there is no room, not an error. */
  protected mallocSlow(size: number, quietly: boolean): Address {
    return this.runtime.deferring(() => {
      requireSize('malloc', size);
      this.requireOpen('allocate in');
      const address = this.make(size);
      if (address !== 0) return address;
      const exhausted = this.runtime.exhausted(this, size, quietly);
      if (exhausted === null) return NULL;
      throw exhausted;
    });
  }

  /** A new object, with another chunk if need be; 0 = there is no room. */
  protected abstract make(size: number): Address;
}

showAsJson(Context.prototype);
