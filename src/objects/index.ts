/** objects: memory contexts, and typed things in the heap. */
export { addHost, findHost, type Host, hostOf } from './host.js';
export { Vector, type VectorOptions } from './vector.js';
export type { AnyElement, ElementOf, ElementType, ViewOf } from './vector-elements.js';
export type { VectorHandle } from './vector-handle.js';
export {
  addVectorContext,
  endStorage,
  type VectorContext,
  vectorContextOf,
} from './vector-home.js';
export { type ViewConstructor, viewOf } from './view.js';
