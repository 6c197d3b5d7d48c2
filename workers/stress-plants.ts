/**
 * Mistakes planted in the books or the heap before the audit of a stress run, for tests that it
 * finds them.
 *
 * Used by stress-auditor.ts.
 */

import type { SharedHeap } from 'shmalloc';
import type { Books } from './stress-books.js';
import { BOX_COUNT, BOX_EMPTY, BOX_FULL, type BookedBlock, type Ledger } from './stress-ledger.js';

export type Plant = 'lost' | 'gone' | 'corrupt' | 'overlap' | 'stray';

type Planter = (ledger: Ledger, heap: SharedHeap, books: readonly Books[]) => void;

export const PLANTS: Record<Plant, Planter> = {
  /** A live block that is in no books. */
  lost(_ledger, heap) {
    heap.malloc_ts(100);
  },

  /** A block in the books that is not live. */
  gone(_ledger, heap, books) {
    heap.free_ts(firstBlock(books).address);
  },

  /** A changed byte. */
  corrupt(_ledger, heap, books) {
    heap.u8[firstBlock(books).address] ^= 0xff;
  },

  /** Two holders of one block. */
  overlap(ledger, _heap, books) {
    const { address, size, usable, seed, stride } = firstBlock(books);
    const record = emptyBox(ledger);
    ledger.describe(record, address, size, usable);
    ledger.describePattern(record, seed, stride);
    ledger.setState(record, BOX_FULL);
  },

  /** A write through a null address. */
  stray(_ledger, heap) {
    heap.i32[1] = 42;
  },
};

function firstBlock(books: readonly Books[]): BookedBlock {
  for (const own of books) {
    const entry = own.held.find((held) => own.block(held).filled);
    if (entry !== undefined) return own.block(entry);
  }
  throw new Error('there is no block to plant a mistake in');
}

function emptyBox(ledger: Ledger): number {
  for (let box = 0; box < BOX_COUNT; box++) {
    const record = ledger.boxRecord(box);
    if (ledger.state(record) === BOX_EMPTY) return record;
  }
  throw new Error('there is no empty box to plant a mistake in');
}
