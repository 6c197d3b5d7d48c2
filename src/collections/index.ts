/** collections: typed things in the heap: vectors. */

export { Vector } from './vector.js';
export type {
  AnyElement,
  ElementInput,
  ElementOf,
  ElementType,
  NumberElements,
  ViewOf,
} from './vector-elements.js';
export type { VectorHandle, VectorHandleOf } from './vector-handle.js';
export type { VectorEntry } from './vector-list.js';
export { type VectorOptions, Vectors } from './vectors.js';
