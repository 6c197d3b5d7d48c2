/**
 * Context: memory with a lifetime of its own. What is allocated in it goes when it goes.
 *
 * After the memory contexts of PostgreSQL (utils/mmgr), which have neither threads nor a shared
 * heap, and Perfloc's scoped chunk lists. The kinds are in bump-context.ts and set-context.ts, the
 * chunks in chunks.ts, a thread's contexts in contexts.ts.
 *
 * I1  A context belongs to one thread, and only that thread changes it: no lock on any path. Any
 *     thread may read and write its objects.
 * I2  Children end before their parents; nothing here is recursive.
 * I3  Of a context that this thread has no more, `at` is the null record, in which no object fits:
 *     every call ends in one that refuses.
 */

import {
  type Address,
  errorsIn,
  HeapError,
  HeapExhaustedError,
  INSPECT,
  isKindOf,
  List,
  lookAt,
  markKind,
  NULL,
  notCloned,
  show,
  showAsJson,
  typeError,
  type WordIndex,
} from '../base/index.js';
import { describeContext, nameContext } from '../blocks/index.js';
import { clearBytes, requireSize } from '../heap/index.js';
import {
  type ContextIndex,
  getAdoptions,
  getChunkCount,
  getChunkStart,
  getContextBytes,
  getCursor,
  getEpoch,
  getFreedBytes,
  getGeneration,
  getMaxBytes,
  getObjects,
  getUsedBefore,
} from '../layout/index.js';
import { type ContextHandle, makeContextHandle } from './context-handle.js';
import type { ContextOptions, ContextType } from './context-options.js';
import type { AnyContext, ContextOf, ContextRuntime } from './context-runtime.js';
import { readContextTree, renderContextTree } from './context-tree.js';
import { writeString } from './strings.js';
import type { VectorContext } from './vector-context.js';
import { elementBytesOf, type ViewConstructor, viewOf } from './view.js';

/** What a context holds, without its children. */
export interface ContextStats {
  chunks: number;
  /** Bytes of its chunks. */
  bytes: number;
  /** Bytes of them that no object takes. */
  freeBytes: number;
  /** Live objects. */
  objects: number;
}

/** An object longer than this part of the longest chunk gets a chunk of its own. */
const OWN_SHARE = 4;

type Life = 'live' | 'ending' | 'ended' | 'released';

const WHAT_ENDED: Readonly<Record<Exclude<Life, 'live'>, string>> = {
  ending: 'it is being reset or deleted',
  ended: 'it has ended',
  released: 'it was released, and belongs to who adopts its handle',
};

/** Marks contexts, for every copy of this package: base/thread-state.ts. */
const CONTEXT_KIND = 'context';

/**
 * Memory whose objects end together.
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
  readonly #runtime: ContextRuntime;
  readonly #index: ContextIndex;
  readonly #generation: number;
  #life: Life = 'live';
  #parent: Context | null;
  readonly #children = new Set<Context>();
  #callbacks = new List<() => void>();

  /** Its record; see I3. */
  protected at: WordIndex;

  /** What kind of context this is: a request, a parser. */
  readonly name: string;
  /** Which one of that name. */
  readonly ident: string;
  abstract readonly kind: ContextType;

  /**
   * Made by contexts.ts alone.
   * @internal
   */
  constructor(
    runtime: ContextRuntime,
    index: ContextIndex,
    parent: Context | null,
    name: string,
    ident: string,
  ) {
    // In a class that was made by somebody else there is no world.
    if (!lookAt('new Context', 'its world', () => typeof runtime?.requireHeadroom === 'function')) {
      throw typeError(
        'ERR_SHMALLOC_INVALID_OPTION',
        'new Context: a context is made by heap.contexts.create(name), and below another one by ' +
          'context.createContext(name)',
      );
    }
    this.#runtime = runtime;
    this.#index = index;
    this.at = runtime.registry.at(index);
    this.#generation = getGeneration(runtime.memory.u32, this.at);
    this.#parent = parent;
    this.name = name;
    this.ident = ident;
  }

  /**
   * From now on it can be found. Not before it is whole: V8 may cut a constructor.
   * @internal
   */
  enlist(): void {
    this.#enlistBelow(this.#parent);
    this.#runtime.byIndex.set(this.#index, this);
  }

  #enlistBelow(parent: Context | null): void {
    if (parent === null) this.#runtime.roots.add(this);
    else parent.#children.add(this);
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

  /** The same, but 0 where there is no room. */
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
    return this.telling(() => {
      const address = this.malloc(count * size);
      clearBytes(this.#runtime.memory, address, count * size);
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
    return viewOf(this.#runtime.memory, ArrayType, address, length);
  }

  /**
   * Allocates a text: four bytes its length in bytes, then UTF-8, then a zero byte. `heap.readString`
   * gives it back, in any thread.
   * @throws as malloc; TypeError ERR_SHMALLOC_INVALID_OPTION for what is no text
   */
  allocString(text: string): Address {
    const { memory } = this.#runtime;
    return this.telling(() => writeString(memory, text, (bytes) => this.malloc(bytes)));
  }

  // ---- the tree

  get parent(): AnyContext | null {
    return this.#parent as AnyContext | null;
  }

  /** The contexts right below this one. */
  get children(): AnyContext[] {
    this.#runtime.attachment.core.repairIfCut();
    return [...this.#children] as AnyContext[];
  }

  /** Makes a context that ends with this one, at the latest. */
  createContext<K extends ContextType = 'bump'>(
    name: string,
    options?: Omit<ContextOptions<K>, 'parent'>,
  ): ContextOf<K> {
    return this.#runtime.create('createContext', name, options, this);
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
    if (parent !== null) {
      Context.indexOf('setParent', parent, this.#runtime);
      for (let at: Context | null = parent; at !== null; at = at.#parent) {
        if (at === this) {
          const other =
            at === parent ? 'it cannot be its own parent' : `${show(parent.name)} lies below it`;
          throw this.error('move', other);
        }
      }
    }
    this.#runtime.requireHeadroom();
    this.#runtime.change(() => {
      this.#runtime.registry.move(
        this.#index,
        parent === null ? (0 as ContextIndex) : parent.#index,
      );
      this.adoptedBy(parent);
    });
  }

  /**
   * Its record names this parent.
   * @internal
   */
  adoptedBy(parent: Context | null): void {
    this.#leaveParent();
    this.#parent = parent;
    this.#enlistBelow(parent);
  }

  #leaveParent(): void {
    this.#runtime.roots.delete(this);
    if (this.#parent !== null) this.#parent.#children.delete(this);
  }

  /** This context and all below it, children before their parents. */
  #subtree(): Context[] {
    const found = List.of<Context>(this);
    // Grows while it is walked: each brings its children.
    for (const context of found) for (const child of context.#children) found.push(child);
    // One that a cut call was about to end goes on.
    if (found.some((context) => context.#life === 'ending')) this.#runtime.resume();
    return found.reverse();
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
    this.#callbacks.push(callback);
  }

  /**
   * Ends the children and all objects; the context itself stays, with its first chunk.
   * @throws AggregateError of what callbacks have thrown, when all is done; HeapCorruptionError
   *
   * Threads: the context's own. Cost: about 100 ns when there is one chunk and no child, which does
   * not touch the heap; else about 100 ns a chunk, however many objects.
   */
  reset(): void {
    this.requireLive('reset');
    const subtree = this.#subtree();
    subtree.pop();
    this.#end('reset', subtree, this);
  }

  /** Ends the objects of this context; those of its children stay. @throws as reset */
  resetOnly(): void {
    this.requireLive('resetOnly');
    this.#end('resetOnly', [], this);
  }

  /** Resets the children, with all below them. @throws as reset */
  resetChildren(): void {
    this.requireLive('resetChildren');
    const errors = new List<unknown>();
    for (const child of this.children as Context[]) {
      if (child.#life === 'ending') this.#runtime.resume();
      // A callback of another one may have ended it, or given it away.
      if (child.#life !== 'live') continue;
      try {
        child.reset();
      } catch (error) {
        const inside = errorsIn(error);
        if (inside === undefined) throw error;
        errors.push(...inside);
      }
    }
    this.#report('resetChildren', errors);
  }

  /** Ends the children, with all below them. @throws as reset */
  deleteChildren(): void {
    this.requireLive('deleteChildren');
    const subtree = this.#subtree();
    subtree.pop();
    this.#end('deleteChildren', subtree, null);
  }

  /**
   * Ends the context, all below it, and all their objects.
   * @throws as reset
   */
  delete(): void {
    this.requireLive('delete');
    this.#end('delete', this.#subtree(), null);
  }

  /** As delete, where there is something to end. */
  [Symbol.dispose](): void {
    if (this.#life === 'ending') this.#runtime.resume();
    if (this.#isLive()) this.delete();
  }

  /** Ends some contexts, in this order, then empties one that stays. */
  #end(call: string, ending: readonly Context[], staying: Context | null): void {
    const errors = new List<unknown>();
    const all = staying === null ? ending : [...ending, staying];
    const busy = all.find((context) => context.#life === 'ending');
    if (busy !== undefined) throw busy.error(call, WHAT_ENDED.ending);
    if (ending.length > 0) this.#runtime.requireHeadroom();
    try {
      // Nothing new may come below them from now on.
      for (let n = 0; n < all.length; n++) (all[n] as Context).#life = 'ending';
      this.telling(() => {
        for (const context of all) {
          context.#runCallbacks(errors);
          // A callback that has made the thread leave the heap has ended it already.
          if (context.#life !== 'ending') continue;
          if (context === staying) this.#runtime.chunks.clear(this.at, true);
          else context.#close();
        }
      });
    } finally {
      // No call, not even of an iterator: this may be where the stack ends.
      for (let n = 0; n < all.length; n++) {
        const context = all[n] as Context;
        if (context.#life === 'ending') context.#life = 'live';
      }
    }
    this.#report(call, errors);
  }

  #runCallbacks(errors: unknown[]): void {
    // Taken out before it is called: one that throws is not called again.
    for (let call = this.#callbacks.pop(); call !== undefined; call = this.#callbacks.pop()) {
      try {
        this.#runtime.callBack(call);
      } catch (error) {
        errors.push(error);
      }
    }
  }

  #close(): void {
    const { chunks, registry } = this.#runtime;
    chunks.clear(this.at, false);
    this.#runtime.change(() => {
      registry.end(this.#index);
      this.#leave('ended');
    });
  }

  /**
   * A call was cut, and its record is this thread's no more: it was about to end, or to be given away.
   * @internal
   */
  forget(): void {
    this.#leave(this.#life === 'ending' ? 'ended' : 'released');
  }

  /**
   * A call was cut that was about to end it.
   * @internal
   */
  resume(): void {
    if (this.#life === 'ending') this.#life = 'live';
  }

  /**
   * The thread leaves the heap, which takes back what is left: callbacks that were not called yet
   * are, and then this is no context any more.
   * @internal
   */
  abort(errors: unknown[]): void {
    this.#runCallbacks(errors);
    if (this.#life === 'live' || this.#life === 'ending') this.#leave('ended');
  }

  /** This thread has the context no more. */
  #leave(life: 'ended' | 'released'): void {
    this.#life = life;
    this.#leaveParent();
    this.#parent = null;
    this.#runtime.byIndex.delete(this.#index);
    this.at = this.#runtime.nullRecord;
  }

  #report(call: string, errors: readonly unknown[]): void {
    if (errors.length === 0) return;
    const some = errors.length === 1 ? 'a callback' : `${errors.length} callbacks`;
    throw new AggregateError([...errors], `${call}: ${some} of context ${show(this.name)} threw`);
  }

  // ---- from thread to thread

  /**
   * Gives the context and all below it away. It is nobody's then, and outlives this thread, until a
   * thread adopts it by the handle. Its parent, if it has one, does not end it any more.
   * @returns a plain object, for postMessage
   * @throws HeapError ERR_SHMALLOC_CONTEXT where callbacks wait, which cannot go along
   */
  release(): ContextHandle {
    this.requireLive('release');
    const subtree = this.#subtree();
    for (const context of subtree) {
      if (context.#life !== 'live') throw context.error('release', WHAT_ENDED.ending);
      if (context.#callbacks.length === 0) continue;
      throw context.error('release', 'callbacks are registered, which another thread cannot call');
    }
    this.#runtime.requireHeadroom();
    if (this.#parent !== null) this.setParent(null);
    const adoptions = getAdoptions(this.#runtime.memory.u32, this.at);
    this.#runtime.change(() => {
      this.#runtime.registry.release(this.#index);
      for (const context of subtree) context.#leave('released');
    });
    const { heapId } = this.#runtime.attachment;
    const { name, ident } = this;
    const [index, generation] = [this.#index, this.#generation];
    return makeContextHandle({ heapId, index, generation, adoptions, name, ident });
  }

  // ---- looking

  /** What it holds, without its children. Cost: a few ns. */
  stats(): ContextStats {
    this.requireLive('measure');
    const { u32 } = this.#runtime.memory;
    const bytes = getContextBytes(u32, this.at);
    const used =
      getUsedBefore(u32, this.at) + getCursor(u32, this.at) - getChunkStart(u32, this.at);
    return {
      chunks: getChunkCount(u32, this.at),
      bytes,
      freeBytes: bytes - used + getFreedBytes(u32, this.at),
      objects: getObjects(u32, this.at),
    };
  }

  /** What JSON.stringify shows. */
  toJSON(): { context: string; ident: string; kind: ContextType; objects: number; bytes: number } {
    const { name, ident, kind } = this;
    const { u32 } = this.#runtime.memory;
    const [objects, bytes] = [getObjects(u32, this.at), getContextBytes(u32, this.at)];
    return { context: name, ident, kind, objects, bytes };
  }

  /** What a text shows that it is put into. */
  toString(): string {
    return this[INSPECT]();
  }

  /** What console.log shows. */
  [INSPECT](): string {
    const what = `Context ${nameContext(this)}`;
    if (this.#life === 'ended' || this.#life === 'released') return `${what}, ${this.#life}`;
    const { memory } = this.#runtime;
    const objects = getObjects(memory.u32, this.at);
    const bytes = getContextBytes(memory.u32, this.at);
    return `${what}, ${this.kind}: ${objects} objects in ${bytes} bytes`;
  }

  // ---- for the kinds, and for what lives in a context

  /**
   * What vectors need of it.
   * @internal
   */
  forVectors(): VectorContext {
    const { memory } = this.#runtime;
    return {
      index: this.#index,
      generation: this.#generation,
      epoch: () => getEpoch(memory.u32, this.at),
      malloc: (bytes) => this.tryMalloc(bytes),
      free: (address) => this.discard(address),
    };
  }

  /** Frees an object that nobody needs any more, where the kind can; else it ends with the context. */
  protected abstract discard(address: Address): void;

  /**
   * Is it a context, of any heap? Asks nothing of the value, which may be a proxy that throws.
   * @internal
   */
  static is(value: unknown): value is Context {
    return isKindOf(CONTEXT_KIND, value);
  }

  static {
    markKind(CONTEXT_KIND, Context, (value) => #runtime in value);
  }

  /**
   * The record of a context of this world that may get children.
   * @internal
   */
  static indexOf(call: string, context: Context, runtime: ContextRuntime): ContextIndex {
    // Of another copy of this package it has other private fields: then it is in another heap.
    if (#runtime in context && context.#runtime === runtime) {
      context.requireLive(call);
      return context.#index;
    }
    throw (context as Context).error(
      call,
      'it belongs to another heap, or to an attachment that has ended',
    );
  }

  /** The number of its record. */
  protected get index(): ContextIndex {
    return this.#index;
  }

  protected get runtime(): ContextRuntime {
    return this.#runtime;
  }

  /** @throws HeapError ERR_SHMALLOC_CONTEXT_ENDED, ERR_SHMALLOC_CONTEXT */
  protected requireLive(call: string): void {
    // It may be ending since a call was cut: where no callback is under way it is not any more.
    if (this.#life === 'ending') this.#runtime.resume();
    if (this.#isLive()) return;
    const code = this.#life === 'ending' ? 'ERR_SHMALLOC_CONTEXT' : 'ERR_SHMALLOC_CONTEXT_ENDED';
    throw this.error(call, WHAT_ENDED[this.#life as Exclude<Life, 'live'>], code);
  }

  #isLive(): boolean {
    return this.#life === 'live';
  }

  /** Allocation is allowed in callbacks, as long as the context is there. */
  protected requireOpen(call: string): void {
    if (this.#life !== 'ending') this.requireLive(call);
  }

  protected error(
    call: string,
    problem: string,
    code: 'ERR_SHMALLOC_CONTEXT' | 'ERR_SHMALLOC_CONTEXT_ENDED' = 'ERR_SHMALLOC_CONTEXT',
  ): HeapError {
    return new HeapError(code, `cannot ${call} ${describeContext(this)}: ${problem}`);
  }

  /**
   * Does what calls the heap. Whoever subscribes to its events is told at the end of that: they may
   * end this very context.
   */
  protected telling<T>(work: () => T): T {
    return this.#runtime.attachment.core.events.deferring(work);
  }

  /** malloc, whatever the size and however full; `quietly`: 0 where there is no room, not an error. */
  protected mallocSlow(size: number, quietly: boolean): Address {
    return this.telling(() => {
      requireSize('malloc', size);
      this.requireOpen('allocate in');
      const address = this.make(size);
      if (address !== 0) return address;
      const { core } = this.#runtime.attachment;
      core.events.addExhausted(size);
      if (quietly) return NULL;
      throw new HeapExhaustedError(
        `malloc: no room for ${size} bytes in ${describeContext(this)}\n` +
          renderContextTree(readContextTree(core.memory)),
        size,
      );
    });
  }

  /** A new object, with another chunk if need be; 0 = there is no room. */
  protected abstract make(size: number): Address;

  /** Is an object, with all that belongs to it, so long that it gets a chunk of its own? */
  protected needsOwn(bytes: number): boolean {
    return bytes > getMaxBytes(this.#runtime.memory.u32, this.at) / OWN_SHARE;
  }
}

showAsJson(Context.prototype);
