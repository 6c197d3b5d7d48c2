/**
 * The part of a heap's public class that has to do with memory contexts.
 *
 * SharedHeap extends it. One instance per thread and heap.
 */

import type { Address } from '../base/index.js';
import { listVectors, type VectorEntry } from '../collections/index.js';
import {
  type Attachment,
  addAttachment,
  type Context,
  type ContextHandle,
  type ContextOptions,
  type Contexts,
  createContexts,
  readString,
} from '../contexts/index.js';
import type { Debug } from '../debug/index.js';
import type { ThreadHeap } from '../heap/index.js';
import { type ContextNode, readContextTree, renderContextTree } from '../inspect/index.js';
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
  readonly #attachment: Attachment;

  protected constructor(core: ThreadHeap, debug: Debug | null, identity: AttachmentIdentity) {
    super(core, debug, identity.heapId);
    this.#core = core;
    const describe = (): string => renderContextTree(readContextTree(core.memory));
    const attachment = { core, ...identity, describe };
    this.#attachment = attachment;
    addAttachment(this, attachment);
    this.#contexts = createContexts(attachment);
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
  createContext(name: string, options?: ContextOptions): Context {
    return this.#contexts.create(name, options);
  }

  /**
   * Makes a context, calls `work` with it, and ends it when that returns or throws; where it returns
   * a promise, when that settles.
   * @returns what `work` returns
   * @throws as createContext; what `work` throws
   */
  withContext<T>(name: string, work: (context: Context) => T, options?: ContextOptions): T {
    return this.#contexts.within(name, work, options);
  }

  /** The contexts of this thread that have no parent. */
  contexts(): Context[] {
    return this.#contexts.roots();
  }

  /**
   * Takes a context over that another thread has released, with all below it.
   * @throws HeapError ERR_SHMALLOC_CONTEXT where another thread has it, ERR_SHMALLOC_CONTEXT_ENDED
   *   where it has ended; TypeError ERR_SHMALLOC_INVALID_OPTION for what is no handle
   *
   * Threads: any; of several that try at once, one gets it.
   */
  adoptContext(handle: ContextHandle): Context {
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
   * The vectors of the heap, whoever made them: so that nothing is lost with a handle that never
   * arrived, or with the thread that had it. `Vector.attach(heap, entry.handle)` gives one, to be looked
   * into or deleted. Those in contexts that are not shared are not listed: they end with the context.
   *
   * Threads: any; figures of vectors that others change meanwhile are those of about one moment. Cost:
   * a walk over all blocks, where there ever was a vector or a context.
   */
  vectors(): VectorEntry[] {
    return listVectors(this.#attachment);
  }

  /**
   * The context of this thread that an object lives in; undefined where none does. Only objects in
   * contexts of kind `set` know theirs.
   *
   * Threads: any. Cost: about 20 ns.
   */
  contextOf(address: Address): Context | undefined {
    return this.#contexts.contextOf(address);
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
