/**
 * debug: the additional work of each call in a heap with debug options: red zones, quarantine,
 * history, call stacks, checks, traces. Heaps without such options do not use it.
 */
export { SCRIBBLE } from './block-checks.js';
export type { Allocation } from './debug-inspector.js';
export { createDebug, type Debug, optionOff } from './debug-thread.js';
export { applyErrorPolicy } from './error-policy.js';
export { type HistoryEvent, type HistoryFilter, renderHistory } from './history.js';
