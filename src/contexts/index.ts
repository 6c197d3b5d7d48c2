/** contexts: memory whose objects end together. */

export { type Attachment, addAttachment, attachmentOf, HEAP_KIND } from './attachment.js';
export { clearStorage, endStorage } from './chunk-storage.js';
export { Context, type ContextStats } from './context.js';
export type { ContextHandle } from './context-handle.js';
export type { ContextOptions, ContextType } from './context-options.js';
export { type Contexts, createContexts } from './contexts.js';
export { rememberEmptied, takeStorage } from './storage-free-list.js';
export { readString } from './strings.js';
export type { VectorContext } from './vector-context.js';
export { elementBytesOf, type ViewConstructor, viewOf } from './view.js';
