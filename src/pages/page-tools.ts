/**
 * Page tools: what a thread works with on pages and spans.
 *
 * A part of the thread's heap (heap/tools.ts), which makes them in the order that they stand in.
 */

import type { HeapMemory } from '../layout/index.js';
import type { Locks } from '../sync/index.js';
import type { PageHeap } from './page-heap.js';
import type { RetiredSpans } from './retired-spans.js';
import type { Spans } from './spans.js';

export interface PageTools {
  readonly memory: HeapMemory;
  /** The thread as page owner; UNOWNED for a thread without a slot. */
  readonly owner: number;
  readonly locks: Locks;
  readonly pageHeap: PageHeap;
  readonly retired: RetiredSpans;
  readonly spans: Spans;
}
