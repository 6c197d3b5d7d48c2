/** contexts: memory whose objects end together. */

export { type Attachment, HEAP_KIND } from './attachment.js';
export type { BumpContext } from './bump-context.js';
export { Context } from './context.js';
export type { ContextStats, ContextSummary } from './context-figures.js';
export type { ContextHandle } from './context-handle.js';
export { CONTEXT_OPTION, type ContextOptions, type ContextType } from './context-options.js';
export type { AnyContext, ContextOf } from './context-runtime.js';
export { type ContextNode, readContextTree, renderContextTree } from './context-tree.js';
export { Contexts } from './contexts.js';
export type { SetContext } from './set-context.js';
export { readString, writeString } from './strings.js';
export type { VectorContext } from './vector-context.js';
export { elementBytesOf, type ViewConstructor, viewOf } from './view.js';
