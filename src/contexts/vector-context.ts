/**
 * What a context is to the vectors in it.
 *
 * Given by Context.forVectors; used by vector-storage.ts and storage-free-list.ts. The context's owner
 * thread only.
 */

import type { Address } from '../base/index.js';
import type { Attachment } from './attachment.js';

/** What vectors need of the context that they live in. */
export interface VectorContext {
  readonly attachment: Attachment;
  readonly index: number;
  readonly generation: number;
  readonly kind: 'bump' | 'set';
  epoch(): number;
  /** 0 = the heap is full. */
  malloc(bytes: number): Address;
  /** Sets only. */
  free(address: Address): void;
  /** A chunk record for the storage of a shared vector, which ends with the context; 0 = none free. */
  addStorage(): number;
}
