/**
 * The part of a heap's public class that has to do with memory contexts.
 *
 * SharedHeap extends it. One instance per thread and heap.
 */

import type { Address } from '../base/index.js';
import { Vectors } from '../collections/index.js';
import {
  type AnyContext,
  type ContextHandle,
  type ContextNode,
  type ContextOf,
  type ContextOptions,
  Contexts,
  type ContextType,
  readContextTree,
  readString,
  renderContextTree,
  type SetContext,
} from '../contexts/index.js';
import type { Debug } from '../debug/index.js';
import type { ThreadHeap } from '../heap/index.js';
import { type PrintOptions, writerOf } from '../options/index.js';
import { InspectableHeap } from './inspectable-heap.js';

/** Who this attachment is, for objects that are handed from thread to thread. */
export interface AttachmentIdentity {
  readonly heapId: string;
  readonly threadId: number;
  readonly scribble: boolean;
}

/** A heap with memory contexts: what SharedHeap adds its calls to. */
export abstract class ContextHeap extends InspectableHeap {
  readonly #core: ThreadHeap;
  readonly #contexts: Contexts;
  readonly #vectors: Vectors;

  protected constructor(core: ThreadHeap, debug: Debug | null, identity: AttachmentIdentity) {
    super(core, debug, identity.heapId);
    this.#core = core;
    const attachment = { core, ...identity };
    this.#contexts = new Contexts(attachment);
    this.#vectors = new Vectors(attachment, this.#contexts);
  }

  /**
   * Makes a memory context: what is allocated in it ends when it does.
   * @param name what kind of context it is; with `ident` people know it again in statistics
   * @throws HeapError ERR_SHMALLOC_CONTEXT when the heap has as many as it was made for, or the
   *   parent is none of this thread's; TypeError, RangeError ERR_SHMALLOC_INVALID_OPTION
   *
   * Threads: any; the context is this thread's. Cost: about 0.5 microseconds. Memory is taken with
   * the first object.
   */
  createContext<K extends ContextType = 'bump'>(
    name: string,
    options?: ContextOptions<K>,
  ): ContextOf<K> {
    return this.#contexts.create(name, options);
  }

  /**
   * Makes a context, calls `work` with it, and ends it when that returns or throws; where it returns
   * a promise, when that settles.
   * @returns what `work` returns
   * @throws as createContext; what `work` throws
   */
  withContext<T, K extends ContextType = 'bump'>(
    name: string,
    work: (context: ContextOf<K>) => T,
    options?: ContextOptions<K>,
  ): T {
    return this.#contexts.run(name, work, options);
  }

  /** The memory contexts of this heap. */
  get contexts(): Contexts {
    return this.#contexts;
  }

  /** The vectors of this heap. */
  get vectors(): Vectors {
    return this.#vectors;
  }

  /**
   * Takes a context over that another thread has released, with all below it.
   * @throws HeapError ERR_SHMALLOC_CONTEXT where another thread has it, ERR_SHMALLOC_CONTEXT_ENDED
   *   where it has ended; TypeError ERR_SHMALLOC_INVALID_OPTION for what is no handle
   *
   * Threads: any; of several that try at once, one gets it.
   */
  adoptContext(handle: ContextHandle): AnyContext {
    return this.#contexts.adopt(handle);
  }

  /**
   * Handles of all contexts that were released and not adopted yet, by whomever: so that nothing is
   * lost with a handle that never arrived.
   *
   * Threads: any; another one may adopt them first. Cost: a look at every context of the heap.
   */
  releasedContexts(): ContextHandle[] {
    return this.#contexts.released();
  }

  /**
   * All contexts of the heap, those of other threads too, each before its children: how much memory
   * each has, and how much of it is used.
   *
   * Threads: any; while others run, figures are those of about one moment. Cost: a look at every
   * context of the heap.
   */
  contextTree(): ContextNode[] {
    return readContextTree(this.#core.memory);
  }

  /**
   * Prints contextTree(): a line for each context, below its parent; of more than a hundred children
   * one line for the others; a grand total.
   */
  printContexts(options?: PrintOptions): void {
    const write = writerOf('printContexts', options);
    write(`${renderContextTree(this.contextTree())}\n`);
  }

  /**
   * The context of this thread that an object lives in; undefined where none does. Only objects in
   * contexts of kind `set` know theirs.
   *
   * Threads: any. Cost: about 20 ns.
   */
  contextOf(address: Address): SetContext | undefined {
    return this.#contexts.of(address);
  }

  /**
   * The text that `context.allocString` has stored at an address.
   * @throws RangeError ERR_SHMALLOC_INVALID_ADDRESS where no text can be
   *
   * Threads: any.
   */
  readString(address: Address): string {
    return readString(this.#core.memory, address);
  }

  /** Ends this thread's contexts: it leaves the heap. */
  protected closeContexts(): void {
    this.#contexts.close();
  }

  /** Are they, while nothing of this thread says that its leaving goes on? */
  protected areContextsClosed(): boolean {
    return this.#contexts.isClosed();
  }
}
