/**
 * Contexts: the public class behind `heap.contexts`.
 *
 * One instance per thread and heap, made by api/. Owner thread only.
 */

import { callProgram, markPublic, notCloned, show, typeError } from '../base/index.js';
import { adoptContext, listReleased } from './adoption.js';
import type { Attachment } from './attachment.js';
import type { Context } from './context.js';
import type { ContextHandle } from './context-handle.js';
import type { ContextOptions, ContextType } from './context-options.js';
import { type AnyContext, addErrors, type ContextOf, ContextRuntime } from './context-runtime.js';
import { type ContextNode, readContextTree, renderContextTree } from './context-tree.js';
import { LIVE } from './object-header.js';
import type { SetContext } from './set-context.js';
import type { VectorContext } from './vector-context.js';

/**
 * The memory contexts of a heap: makes them, and lists those that there are.
 *
 * @example
 * ```ts
 * using request = heap.contexts.create('request');
 * const row = request.alloc(Float64Array, 100);
 * // nothing to free: `request` ends here, and the row with it
 * ```
 */
export class Contexts {
  /**
   * Structured clone refuses the object for it.
   * @internal
   */
  readonly notCloned = notCloned('heap.contexts', 'post heap.handle, and attach that there');
  readonly #attachment: Attachment;
  #made: ContextRuntime | null = null;

  /**
   * Made by api/ alone.
   * @internal
   */
  constructor(attachment: Attachment) {
    this.#attachment = attachment;
    attachment.core.whenCut(() => this.#runtime.repair());
  }

  /** Made at its first use: most threads have no contexts, and it is a tenth of an attach. */
  get #runtime(): ContextRuntime {
    this.#made ??= new ContextRuntime(this.#attachment);
    return this.#made;
  }

  /**
   * Makes a memory context: what is allocated in it ends when it does.
   * @param name what kind of context it is, a request say; with `ident` it is found again in statistics
   * @param options kind, parent, sizes of its chunks
   * @returns the context
   * @throws HeapError ERR_SHMALLOC_CONTEXT when the heap has as many as it was made for, or the
   *   parent is none of this thread's; TypeError, RangeError ERR_SHMALLOC_INVALID_OPTION
   *
   * Threads: any; the context belongs to the caller's. Cost: about 0.5 microseconds. Memory is taken
   * with the first object.
   */
  create<K extends ContextType = 'bump'>(name: string, options?: ContextOptions<K>): ContextOf<K> {
    return this.#runtime.create('contexts.create', name, options);
  }

  /**
   * Makes a context, calls `work` with it, and ends it when that returns or throws; where it returns
   * a promise, when that is fulfilled or rejected.
   * @param name as create
   * @param work gets the context
   * @param options as create
   * @returns what `work` returns
   * @throws as create; what `work` throws
   *
   * Threads: any; the context belongs to the caller's. Cost: as create, and the context's end.
   */
  run<T, K extends ContextType = 'bump'>(
    name: string,
    work: (context: ContextOf<K>) => T,
    options?: ContextOptions<K>,
  ): T {
    if (typeof work !== 'function') {
      throw typeError(
        'ERR_SHMALLOC_INVALID_OPTION',
        `contexts.run: work must be a function that gets the context, got ${show(work)}`,
      );
    }
    return runIn(this.#runtime.create('contexts.run', name, options), work);
  }

  /**
   * Takes over a context that another thread has released, with all below it.
   * @param handle what `context.release()` returned there
   * @returns the context, this thread's now
   * @throws HeapError ERR_SHMALLOC_CONTEXT where another thread owns it, ERR_SHMALLOC_CONTEXT_ENDED
   *   where it has ended; TypeError ERR_SHMALLOC_INVALID_OPTION for what is no handle
   *
   * Threads: any; of several that try at once, one gets it. Cost: about a microsecond a context.
   */
  adopt(handle: ContextHandle): AnyContext {
    return adoptContext(this.#runtime, 'contexts.adopt', handle);
  }

  /** The contexts of this thread that have no parent. Threads: any. Cost: a copy of the list. */
  list(): AnyContext[] {
    // After a cut call they are not what the records say until that is repaired.
    this.#runtime.attachment.core.repairIfCut();
    return [...this.#runtime.roots].map(({ context }) => context) as AnyContext[];
  }

  /**
   * Handles of all contexts that were released and are not adopted yet, whoever made them: so that
   * nothing is lost with a handle that never arrived.
   *
   * Threads: any; another one may adopt them first. Cost: a look at every context of the heap.
   */
  released(): ContextHandle[] {
    return listReleased(this.#runtime, 'contexts.released');
  }

  /**
   * All contexts of the heap, those of other threads too, each before its children: how much memory
   * each has, and how much of it is used.
   *
   * Threads: any; while others run, figures are those of about one moment. Cost: a look at every
   * context of the heap.
   */
  tree(): ContextNode[] {
    return readContextTree(this.#runtime.memory);
  }

  /**
   * The context of this thread that an object lives in; undefined where none does. Only objects in
   * contexts of kind `set` know theirs.
   * @param address an object
   *
   * Threads: any. Cost: about 20 ns.
   */
  of(address: number): SetContext | undefined {
    const { headers, byIndex } = this.#runtime;
    const header = headers.read(address);
    const context = header?.state === LIVE ? byIndex.get(header.context)?.context : undefined;
    return context?.kind === 'set' ? (context as SetContext) : undefined;
  }

  /**
   * tree() as text: a line for each context, below its parent; of more than a hundred children one
   * line for the others; a grand total.
   *
   * Threads: any. Cost: as tree, and the text.
   */
  toString(): string {
    return renderContextTree(this.tree());
  }

  /**
   * A context that a vector is to be made in.
   * @throws HeapError ERR_SHMALLOC_CONTEXT, ERR_SHMALLOC_CONTEXT_ENDED
   * @internal
   */
  placeOf(call: string, context: Context): VectorContext {
    return this.#runtime.liveState(`${call}: make a vector in`, context).forVectors();
  }

  /**
   * A context of this thread as vectors see it; undefined where it is none of this thread's.
   * @internal
   */
  forVectors(index: number): VectorContext | undefined {
    return this.#runtime.byIndex.get(index as never)?.forVectors();
  }

  /**
   * Ends all of them: the thread leaves the heap.
   * @throws AggregateError of what callbacks have thrown, when all is done
   * @internal
   */
  close(): void {
    this.#made?.close();
  }

  /**
   * True once close has begun and no callback is under way: it was cut, or is done.
   * @internal
   */
  isClosed(): boolean {
    return this.#made?.isClosed() ?? false;
  }
}

markPublic(Contexts);

/** Calls `work` with a context that ends with it. */
function runIn<T, C extends AnyContext>(context: C, work: (context: C) => T): T {
  let result: T;
  try {
    result = callProgram(() => work(context));
  } catch (error) {
    throw endFailed(context, error);
  }
  if (isPromise(result)) {
    // A promise of ours: what a thenable's own then gives back is not its value.
    return Promise.resolve(result).then(
      (value) => {
        context[Symbol.dispose]();
        return value;
      },
      (error) => {
        throw endFailed(context, error);
      },
    ) as T;
  }
  context[Symbol.dispose]();
  return result;
}

/** Ends the context of work that has thrown; what to throw. */
function endFailed(context: AnyContext, error: unknown): unknown {
  try {
    context[Symbol.dispose]();
    return error;
  } catch (worse) {
    const errors = [error];
    addErrors(errors, worse);
    return new AggregateError(
      errors,
      `contexts.run: the work failed, and then callbacks of context ${show(context.name)}`,
    );
  }
}

const isPromise = (value: unknown): value is Promise<unknown> =>
  typeof (value as { then?: unknown } | null)?.then === 'function';
