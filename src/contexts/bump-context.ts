/**
 * Bump contexts: an allocation moves a pointer. Objects have no header, and end together.
 *
 * The fast path is four reads and two stores of the context's record, with no call; everything else
 * is in mallocSlow. A call site that sees one kind of context gets it inlined.
 */

import { type Address, GRANULE_BYTES, NULL, roundUp } from '../base/index.js';
import * as ContextRecord from '../layout/context-record.js';
import { Context } from './context.js';

// Rebound: an imported constant costs a cell load at each use, a constant of the same file none.
const AT_CURSOR = ContextRecord.CURSOR;
const AT_LIMIT = ContextRecord.LIMIT;
const AT_OBJECTS = ContextRecord.OBJECTS;
/** Sizes that equal themselves under this mask are integers from 0 to 64 KiB - 1. */
const FAST_SIZE_MASK = 0xffff;
/**
 * Such a size and a granule less one, under this mask, are whole granules. Without the sign bit: what
 * may be negative and what may not are compared as floating-point numbers.
 */
const GRANULES_MASK = 0x1fff0;
const GRANULE_LESS_ONE = GRANULE_BYTES - 1;

export class BumpContext extends Context {
  readonly kind = 'bump';
  readonly #u32: Uint32Array = this.runtime.memory.u32;

  malloc(size: number): Address {
    if (typeof size !== 'number' || size !== (size & FAST_SIZE_MASK)) {
      return this.mallocSlow(size, false);
    }
    const u32 = this.#u32;
    const at = this.at;
    const address = u32[at + AT_CURSOR];
    const bytes = (size + GRANULE_LESS_ONE) & GRANULES_MASK;
    // 0 bytes do not fit here either: there are such objects too, each with an address of its own.
    if ((bytes - 1) >>> 0 >= (u32[at + AT_LIMIT] - address) >>> 0) {
      return this.mallocSlow(size, false);
    }
    u32[at + AT_OBJECTS]++;
    u32[at + AT_CURSOR] = address + bytes;
    return address as Address;
  }

  protected make(size: number): Address {
    const { chunks } = this.runtime;
    const u32 = this.#u32;
    const at = this.at;
    const bytes = Math.max(GRANULE_BYTES, roundUp(size, GRANULE_BYTES));
    if (chunks.needsOwn(at, bytes)) {
      const chunk = chunks.addOwn(this.index, at, bytes);
      if (chunk === 0) return NULL;
      u32[at + ContextRecord.OBJECTS]++;
      return chunks.addressOf(chunk);
    }
    if (
      bytes > u32[at + ContextRecord.LIMIT] - u32[at + ContextRecord.CURSOR] &&
      !chunks.grow(this.index, at, bytes)
    ) {
      return NULL;
    }
    const address = u32[at + ContextRecord.CURSOR];
    u32[at + ContextRecord.OBJECTS]++;
    u32[at + ContextRecord.CURSOR] = address + bytes;
    return address as Address;
  }

  // For programs in JavaScript: TypeScript refuses these calls where it compiles.

  protected free(): never {
    throw this.#single('free');
  }

  protected realloc(): never {
    throw this.#single('realloc');
  }

  protected usableSize(): never {
    throw this.#single('measure');
  }

  #single(what: string): Error {
    this.requireOpen(`${what} an object of`);
    return this.error(
      `${what} an object of`,
      "its kind is 'bump': objects have no header and end together, by reset() or delete(); use " +
        "kind: 'set' to free them one by one",
    );
  }
}
