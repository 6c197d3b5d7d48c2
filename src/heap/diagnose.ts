/**
 * What is wrong with an address: finds out what lies there, and says so.
 *
 * Called by allocator.ts and face/ when an address is not the start of a live block, and by
 * error messages, behind a gate. Any thread; takes the page lock for the walk over the runs.
 * Changes nothing.
 */

import {
  type Address,
  BLOCK_BYTES,
  blockIndex,
  GRANULE_BYTES,
  GRANULE_SHIFT,
  hex,
  InvalidAddressError,
  type InvalidAddressReason,
  PAGE_BYTES,
  type PageIndex,
  type SizeClass,
  SPAN_BLOCKS,
  show,
} from '../base/index.js';
import {
  FREE_RUN,
  getRun,
  type HeapMemory,
  LARGE_RUN,
  PAGE_LOCK,
  pageOf,
  pageRecord,
  runKind,
  runOwner,
  runPages,
  SPAN_RUN,
  UNTOUCHED_RUN,
} from '../layout/index.js';
import type { Locks } from '../sync/index.js';
import { headOfLocked } from './walk.js';

interface Finding {
  readonly reason: InvalidAddressReason;
  readonly text: string;
}

/** Makes the error for an address that cannot be freed, reallocated, measured or viewed. */
export type Diagnose = (asked: string, address: unknown) => InvalidAddressError;

export function createDiagnose(memory: HeapMemory, locks: Locks): Diagnose {
  const { i32, tags, geometry } = memory;

  return function diagnose(asked, address) {
    const { reason, text } = find(address);
    return new InvalidAddressError(asked, address, reason, text);
  };

  function find(address: unknown): Finding {
    if (typeof address !== 'number') {
      const what = typeof address === 'string' ? 'a string' : show(address);
      return { reason: 'not-a-number', text: `${what} is no address: addresses are numbers` };
    }
    if (Number.isNaN(address)) return { reason: 'nan', text: 'NaN is no address' };
    if (address < 0) return { reason: 'negative', text: 'addresses are not negative' };
    if (!Number.isInteger(address) && Number.isFinite(address)) {
      return { reason: 'fractional', text: 'addresses are whole numbers of bytes' };
    }
    if (address >= geometry.end) {
      return { reason: 'out-of-range', text: `past the heap's end at ${hex(geometry.end)}` };
    }
    if (address < geometry.base) {
      return { reason: 'out-of-range', text: `below the heap's start at ${hex(geometry.base)}` };
    }
    if (address < geometry.dataStart) {
      return {
        reason: 'metadata',
        text: `in the heap's metadata, which ends at ${hex(geometry.dataStart)}`,
      };
    }
    const finding = findInData(address);
    if (address % GRANULE_BYTES === 0) return finding;
    return {
      reason: 'misaligned',
      text: `not a multiple of ${GRANULE_BYTES}, and ${finding.text}`,
    };
  }

  function findInData(address: number): Finding {
    const page = pageOf(address);
    const { head, word } = runAround(page);
    const start = (head * PAGE_BYTES) as Address;
    const bytes = runPages(word) * PAGE_BYTES;
    const kind = runKind(word);
    if (kind === SPAN_RUN) return findInSpan(address, start, runOwner(word) as SizeClass);
    if (kind === LARGE_RUN) {
      return {
        reason: 'interior',
        text: `inside the block at ${hex(start)}, ${bytes} bytes, large`,
      };
    }
    if (kind === UNTOUCHED_RUN) {
      return { reason: 'untouched', text: 'in pages that were never allocated' };
    }
    const what = kind === FREE_RUN ? 'in free pages' : 'in pages that are being freed';
    return {
      reason: 'freed',
      text: `${what} at ${hex(start)}, ${bytes} bytes: freed already, or never allocated`,
    };
  }

  function runAround(page: PageIndex): { head: PageIndex; word: number } {
    locks.acquire(PAGE_LOCK);
    const head = headOfLocked(memory, page);
    const word = getRun(i32, pageRecord(geometry.pageTable, head));
    locks.release(PAGE_LOCK);
    return { head, word };
  }

  function findInSpan(address: number, span: Address, c: SizeClass): Finding {
    const index = blockIndex(c, address - span);
    if (index >= SPAN_BLOCKS[c]) {
      return {
        reason: 'interior',
        text: `in the unused end of the span at ${hex(span)} of class ${c}`,
      };
    }
    const block = span + index * BLOCK_BYTES[c];
    const live = tags[block >>> GRANULE_SHIFT] !== 0;
    const what = `block at ${hex(block)}, ${BLOCK_BYTES[c]} bytes, class ${c}`;
    if (address !== block) {
      return live
        ? { reason: 'interior', text: `inside the ${what}` }
        : { reason: 'freed', text: `inside the free ${what}` };
    }
    return live
      ? { reason: 'freed', text: `the ${what}, is live now, and was not a moment ago` }
      : { reason: 'freed', text: `the ${what}, is free: freed already, or never allocated` };
  }
}
