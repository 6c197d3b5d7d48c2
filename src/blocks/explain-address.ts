/**
 * Explains a bad address: finds out what is there, and makes the error.
 *
 * Called by slow-path.ts and api/ if an address is not the start of a live block, and by error
 * messages, in a section. Any thread; takes the page lock for the walk over the runs. Changes
 * nothing.
 */

import {
  GRANULE_BYTES,
  hex,
  InvalidAddressError,
  type InvalidAddressReason,
  LARGE,
  show,
} from '../base/index.js';
import type { HeapMemory } from '../layout/index.js';
import type { HeapAccess } from '../pages/index.js';
import { createOwnerships, describeOwner } from './block-owner.js';
import { type BlockPlace, inspect } from './locate.js';

interface Finding {
  readonly reason: InvalidAddressReason;
  readonly text: string;
}

/** Makes the error for an address that cannot be freed, reallocated, measured or viewed. */
export type Diagnose = (asked: string, address: unknown) => InvalidAddressError;

export function createDiagnose(memory: HeapMemory, access: HeapAccess): Diagnose {
  return function diagnose(asked, address) {
    const { reason, text } = findReason(memory, access, address);
    return new InvalidAddressError(asked, address, reason, text);
  };
}

function findReason(memory: HeapMemory, access: HeapAccess, address: unknown): Finding {
  const { base, end, dataStart } = memory.geometry;
  if (typeof address !== 'number') {
    const what = typeof address === 'string' ? 'a string' : show(address);
    return { reason: 'not-a-number', text: `${what} is no address: addresses are numbers` };
  }
  if (address === 0) return { reason: 'null', text: 'null: no block begins there' };
  if (Number.isNaN(address)) return { reason: 'nan', text: 'NaN is no address' };
  if (address < 0) return { reason: 'negative', text: 'addresses are not negative' };
  if (!Number.isInteger(address) && Number.isFinite(address)) {
    return { reason: 'fractional', text: 'addresses are whole numbers of bytes' };
  }
  if (address >= end) {
    return { reason: 'out-of-range', text: `past the heap's end at ${hex(end)}` };
  }
  if (address < base) {
    return { reason: 'out-of-range', text: `below the heap's start at ${hex(base)}` };
  }
  if (address < dataStart) {
    return { reason: 'metadata', text: `in the heap's metadata, which ends at ${hex(dataStart)}` };
  }
  const finding = findInData(memory, access, address);
  if (address % GRANULE_BYTES === 0) return finding;
  return {
    reason: 'misaligned',
    text: `not a multiple of ${GRANULE_BYTES}, and ${finding.text}`,
  };
}

function findInData(memory: HeapMemory, access: HeapAccess, address: number): Finding {
  const place = inspect(memory, access, address);
  if (place.is === 'block') return findInBlock(memory, address, place);
  if (place.is === 'span end') {
    return {
      reason: 'interior',
      text: `in the unused end of the span at ${hex(place.start)} of class ${place.sizeClass}`,
    };
  }
  if (place.is === 'untouched') {
    return { reason: 'untouched', text: 'in pages that were never allocated' };
  }
  const what = place.is === 'free' ? 'in free pages' : 'in pages that are being freed';
  return {
    reason: 'freed',
    text: `${what} at ${hex(place.start)}, ${place.bytes} bytes: freed already, or never allocated`,
  };
}

function findInBlock(memory: HeapMemory, address: number, place: BlockPlace): Finding {
  const { start, bytes, sizeClass, live, owned } = place;
  const kind = sizeClass === LARGE ? 'large' : `class ${sizeClass}`;
  const what = `block at ${hex(start)}, ${bytes} bytes, ${kind}`;
  if (owned) {
    const where = address === start ? 'the start of' : 'inside';
    const whose = createOwnerships(memory);
    return {
      reason: 'owned',
      text: `${where} the ${what}: ${describeOwner(whose(start))}, which frees it`,
    };
  }
  if (address !== start) {
    return live
      ? { reason: 'interior', text: `inside the ${what}` }
      : { reason: 'freed', text: `inside the free ${what}` };
  }
  return live
    ? { reason: 'freed', text: `the ${what}, is live now, and was not a moment ago` }
    : { reason: 'freed', text: `the ${what}, is free: freed already, or never allocated` };
}
