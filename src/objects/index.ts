/** objects: memory contexts, and typed things in the heap. */
export { Context, type ContextStats } from './context.js';
export type { ContextHandle } from './context-handle.js';
export type { ContextOptions, ContextType } from './context-options.js';
export { type Contexts, createContexts } from './contexts.js';
export { addHost, HEAP_KIND, type Host, hostOf } from './host.js';
export { readString } from './strings.js';
export { Vector, type VectorOptions } from './vector.js';
export type { AnyElement, ElementOf, ElementType, ViewOf } from './vector-elements.js';
export type { VectorHandle, VectorHandleOf } from './vector-handle.js';
export { listVectors, type VectorEntry } from './vector-list.js';
export { elementBytesOf, type ViewConstructor, viewOf } from './view.js';
