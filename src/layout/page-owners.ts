/**
 * Page owners: one byte per page of a span, which names the thread that owns the span.
 *
 * A thread refills its magazines from its own spans. Blocks of other spans that it frees return
 * through its remote magazines (slot.ts). So blocks that two threads allocate never share a cache
 * line, and neither do their tags, whichever thread frees them. After mimalloc's pages, which a
 * thread owns (Leijen, Zorn and de Moura 2019).
 *
 * Written under the class lock; read at any time by any thread that frees a block.
 *
 *     byte n   owner of page n: slot + 1, 0 = unowned
 *
 * I1  The owner is a hint; nothing depends on it. A block in the wrong magazine is cached there
 *     just as well, and returns the same way. So a thread's death does no harm here.
 * I2  It is valid for pages of a span only, and is set before a run becomes a span.
 */

import type { PageIndex } from '../base/index.js';

export const UNOWNED = 0;

export const codeOf = (slot: number): number => slot + 1;
export const slotAt = (owner: number): number => owner - 1;

export const get = (owners: Uint8Array, page: PageIndex): number => owners[page];
/** Sets the owner of all pages of a span. */
export const set = (owners: Uint8Array, head: PageIndex, pages: number, owner: number): void => {
  for (let n = 0; n < pages; n++) owners[head + n] = owner;
};
