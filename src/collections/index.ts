/** collections: typed things in the heap: vectors. */

export { Vector, type VectorOptions } from './vector.js';
export type { AnyElement, ElementOf, ElementType, ViewOf } from './vector-elements.js';
export type { VectorHandle, VectorHandleOf } from './vector-handle.js';
export { listVectors, type VectorEntry } from './vector-list.js';
