/**
 * Vectors: the public class behind `heap.vectors`.
 *
 * One instance per thread and heap, made by api/. Any thread.
 */

import {
  ANYTHING,
  FLAG,
  markPublic,
  notCloned,
  type OptionValues,
  readOptions,
} from '../base/index.js';
import { describeContext } from '../blocks/index.js';
import { type Attachment, CONTEXT_OPTION, type Context, type Contexts } from '../contexts/index.js';
import * as VectorHeader from '../layout/vector-header.js';
import { ContextStorage, makeInContext } from './context-storage.js';
import { Vector } from './vector.js';
import { type ElementType, kindOf, type NumberElements } from './vector-elements.js';
import { CAPACITY_FIRST, checkCapacity, vectorError } from './vector-engine.js';
import { findVector, type VectorHandleOf } from './vector-handle.js';
import { listVectors, type VectorEntry } from './vector-list.js';
import { HeapStorage, makeInHeap } from './vector-storage.js';

/** What a vector can be made with. */
export interface VectorOptions {
  /** Elements that there is room for at once, a whole number. Default 8. */
  capacity?: number | undefined;
  /** Any thread may use it, at any time; it lives in the heap. Default: one thread at a time. */
  shared?: boolean | undefined;
  /** The context of this thread that it lives in, and ends with. Default: it lives in the heap. */
  context?: Context | undefined;
}

const VALUES: OptionValues<VectorOptions> = {
  capacity: ANYTHING,
  shared: FLAG,
  context: CONTEXT_OPTION,
};

/**
 * The vectors of a heap: makes them, attaches to them, and lists those that there are.
 *
 * @example
 * ```ts
 * using samples = heap.vectors.create(Float64Array);
 * samples.push(1.5);
 * console.log(samples.at(-1)); // 1.5
 * ```
 */
export class Vectors {
  /**
   * Structured clone refuses the object for it.
   * @internal
   */
  readonly notCloned = notCloned('heap.vectors', 'post heap.handle, and attach that there');
  readonly #attachment: Attachment;
  readonly #contexts: Contexts;

  /**
   * Made by api/ alone.
   * @internal
   */
  constructor(attachment: Attachment, contexts: Contexts) {
    this.#attachment = attachment;
    this.#contexts = contexts;
  }

  /**
   * Makes a vector with no elements.
   * @param elements a typed array constructor (elements are numbers, or bigints, as in such an array);
   *   `'address'` (of blocks of this heap, or 0); or `{ bytes: n }` (records: Uint8Arrays of n bytes,
   *   copied in and out)
   * @param options room, sharing, context
   * @returns the vector, for this thread
   * @throws TypeError, RangeError, HeapError ERR_SHMALLOC_VECTOR, ERR_SHMALLOC_INVALID_OPTION,
   *   ERR_SHMALLOC_CONTEXT, ERR_SHMALLOC_CONTEXT_ENDED; HeapExhaustedError
   *
   * Threads: any. Cost: two allocations, about 0.5 microseconds.
   */
  create<E extends ElementType>(elements: E, options?: VectorOptions): Vector<E> {
    const attachment = this.#attachment;
    attachment.core.repairIfCut();
    const { kind, stride } = kindOf('vectors.create', elements);
    const { capacity, shared, context } = readVectorOptions(options);
    const place = context && this.#contexts.placeOf('vectors.create', context);
    // Subscribers to events may make vectors too: not before this one is done.
    return attachment.core.events.deferring(() => {
      const storage =
        place === undefined
          ? makeInHeap(attachment, { kind: kind | (shared ? VectorHeader.SHARED : 0), stride })
          : makeInContext(attachment, this.#contexts, place, { kind, stride });
      try {
        const vector = new Vector<E>(storage);
        vector.reserve(Math.max(1, capacity));
        storage.finish();
        return vector;
      } catch (error) {
        storage.unmake();
        throw error;
      }
    });
  }

  /**
   * A vector that is there already, for this thread. One that is not shared may then be used by this
   * thread and no other.
   * @param vector its handle, or the address of its header (`vector.address`). In TypeScript the elements
   *   are those of the vector whose handle it is; where that is not known any more, as in a message, say
   *   which they are: `heap.vectors.attach<'address'>(handle)`
   * @returns the vector, for this thread
   * @throws TypeError, HeapError ERR_SHMALLOC_VECTOR for what is neither, is of another heap, or of
   *   a vector that is gone; ERR_SHMALLOC_CONTEXT_ENDED where its context has ended or was reset
   *
   * Threads: any. Cost: about a microsecond. A handle of a vector that is gone is found out; at an
   * address there may be another vector by now.
   */
  attach<E extends ElementType = NumberElements>(vector: VectorHandleOf<E> | number): Vector<E> {
    const place = findVector(this.#attachment, vector);
    const storage =
      place.fields.context === 0
        ? new HeapStorage(place)
        : new ContextStorage(place, this.#contexts);
    if (!storage.isLive()) throw storage.ended('attach');
    return new Vector<E>(storage);
  }

  /**
   * The vectors in the heap, whoever made them: so that nothing is lost with a handle that never
   * arrived, or with the thread that had it. `heap.vectors.attach(entry.handle)` gives one, to be looked
   * into or deleted. Those in contexts are not listed: they end with the context.
   * @returns of each its handle and its figures
   *
   * Threads: any; figures of vectors that others change meanwhile are those of about one moment. Cost:
   * a walk over all blocks, where there ever was a vector or a context.
   */
  list(): VectorEntry[] {
    return listVectors(this.#attachment);
  }
}

markPublic(Vectors, Vector);

interface ResolvedVector {
  readonly capacity: number;
  readonly shared: boolean;
  readonly context: Context | undefined;
}

function readVectorOptions(options: VectorOptions | undefined): ResolvedVector {
  const {
    capacity = CAPACITY_FIRST,
    shared = false,
    context,
  } = readOptions('vectors.create', options, VALUES);
  if (shared && context !== undefined) {
    throw vectorError(
      `vectors.create: a shared vector lives in the heap, not in ${describeContext(context)}: leave ` +
        'out `context`, and have the vector deleted with the context: ' +
        'context.onReset(() => vector.delete())',
    );
  }
  return { capacity: checkCapacity('vectors.create', capacity), shared, context };
}
