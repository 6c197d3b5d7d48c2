/**
 * Page owners: one byte per page of a span, which says what thread the span is owned by.
 *
 * A thread refills its magazines from spans owned by it, and blocks of other spans that it frees go back
 * there by way of its remote magazines (slot.ts): so that blocks which two threads allocate never share a
 * cache line, and neither do their tags, whoever frees them. After mimalloc's pages, which a thread
 * owns (Leijen, Zorn and de Moura 2019).
 *
 * Written under the class lock; read by any thread that frees a block, at any time.
 *
 *     byte n   owner of page n: slot + 1, 0 = nobody's
 *
 * I1  A hint, and nothing else depends on it: a block that goes into the wrong magazine is as well cached
 *     there, and comes back the same way. So no death can do harm here.
 * I2  Means something for pages of a span only, and is set before a run becomes one.
 */

import type { PageIndex } from '../base/index.js';

export const UNOWNED = 0;

export const ownerCodeOf = (slot: number): number => slot + 1;
export const slotAt = (owner: number): number => owner - 1;

export const getOwner = (owners: Uint8Array, page: PageIndex): number => owners[page];
/** Of all pages of a span. */
export const setOwners = (
  owners: Uint8Array,
  head: PageIndex,
  pages: number,
  owner: number,
): void => {
  for (let n = 0; n < pages; n++) owners[head + n] = owner;
};
