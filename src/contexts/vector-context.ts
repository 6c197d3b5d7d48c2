/**
 * What a context is to the vectors in it.
 *
 * Given by Context.forVectors; used by collections/context-storage.ts. The context's owner thread only.
 */

import type { Address } from '../base/index.js';

/** What vectors need of the context that they live in. */
export interface VectorContext {
  readonly index: number;
  readonly generation: number;
  epoch(): number;
  /** 0 = the heap is full. */
  malloc(bytes: number): Address;
  /** In a `bump` context the object ends with the context. */
  free(address: Address): void;
}
