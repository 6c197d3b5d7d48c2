/**
 * Bump contexts: an allocation moves a pointer. Objects have no header, and end together.
 *
 * The fast path is four reads and two stores of the context's record, with no call; everything else
 * is in #mallocSlow. A call site that sees one kind of context gets it inlined.
 */

import { type Address, GRANULE_BYTES } from '../base/index.js';
import { requireSize } from '../heap/index.js';
import { CURSOR, getMaxBytes, getObjects, LIMIT, OBJECTS, setObjects } from '../layout/index.js';
import { Context } from './context.js';

// Rebound: an imported constant costs a cell load at each use, a constant of the same file none.
const AT_CURSOR = CURSOR;
const AT_LIMIT = LIMIT;
const AT_OBJECTS = OBJECTS;
/** Sizes that equal themselves under this mask are integers from 0 to 64 KiB - 1. */
const FAST_SIZE_MASK = 0xffff;
/**
 * Such a size and a granule less one, under this mask, are whole granules. Without the sign bit: what
 * may be negative and what may not are compared as floating-point numbers.
 */
const GRANULES_MASK = 0x1fff0;
const GRANULE_LESS_ONE = GRANULE_BYTES - 1;
/** An object longer than this part of the longest chunk gets a chunk of its own. */
const OWN_SHARE = 4;

export class BumpContext extends Context {
  readonly kind = 'bump';
  readonly #u32: Uint32Array = this.world.memory.u32;

  malloc(size: number): Address {
    if (typeof size !== 'number' || size !== (size & FAST_SIZE_MASK)) {
      return this.#mallocSlow(size, false);
    }
    const u32 = this.#u32;
    const at = this.at;
    const address = u32[at + AT_CURSOR];
    const bytes = (size + GRANULE_LESS_ONE) & GRANULES_MASK;
    // 0 bytes do not fit here either: there are such objects too, each with an address of its own.
    if ((bytes - 1) >>> 0 >= (u32[at + AT_LIMIT] - address) >>> 0) {
      return this.#mallocSlow(size, false);
    }
    u32[at + AT_OBJECTS]++;
    u32[at + AT_CURSOR] = address + bytes;
    return address as Address;
  }

  tryMalloc(size: number): Address {
    return this.#mallocSlow(size, true);
  }

  #mallocSlow(size: number, quietly: boolean): Address {
    return this.telling(() => this.#make(size, quietly));
  }

  #make(size: number, quietly: boolean): Address {
    requireSize('malloc', size);
    this.requireOpen('allocate in');
    const { memory, chunks } = this.world;
    const { u32 } = memory;
    const bytes = Math.max(GRANULE_BYTES, Math.ceil(size / GRANULE_BYTES) * GRANULE_BYTES);
    if (bytes > getMaxBytes(u32, this.at) / OWN_SHARE) return this.#mallocOwn(size, bytes, quietly);
    if (bytes > u32[this.at + LIMIT] - u32[this.at + CURSOR]) {
      if (!chunks.grow(this.index, this.at, bytes)) return this.refuse('malloc', size, quietly);
    }
    const address = u32[this.at + CURSOR];
    u32[this.at + OBJECTS]++;
    u32[this.at + CURSOR] = address + bytes;
    return address as Address;
  }

  #mallocOwn(size: number, bytes: number, quietly: boolean): Address {
    const { memory, chunks } = this.world;
    const chunk = chunks.addOwn(this.index, this.at, bytes);
    if (chunk === 0) return this.refuse('malloc', size, quietly);
    setObjects(memory.u32, this.at, getObjects(memory.u32, this.at) + 1);
    return chunks.addressOf(chunk);
  }

  free(): void {
    throw this.#single('free');
  }

  realloc(): Address {
    throw this.#single('realloc');
  }

  usableSize(): number {
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
