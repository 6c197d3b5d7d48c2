/**
 * Set contexts: objects have a header that names their context, and one that is freed is used again
 * for the next of its size. As PostgreSQL's AllocSet: sizes are powers of two, one list for each.
 *
 * I1  A list holds freed objects of its size; their headers say so (object-header.ts), and are looked
 *     at before one is used again. A list with a damaged header is given up until the next reset.
 * I2  An object that is longer than a quarter of the longest chunk has a chunk of its own, which its
 *     free gives back to the heap.
 */

import {
  type Address,
  BlockDamagedError,
  GRANULE_BYTES,
  GRANULE_SHIFT,
  hex,
  InvalidAddressError,
  NULL,
  roundUp,
  show,
} from '../base/index.js';
import { copyBytes, requireSize } from '../heap/index.js';
import * as ContextRecord from '../layout/context-record.js';
import { type ContextIndex, isDataAddress } from '../layout/index.js';
import { Context } from './context.js';
import {
  LIVE,
  OBJECT_HEADER_BYTES,
  type ObjectHeader,
  type ObjectHeaders,
  OWN_CHUNK,
} from './object-header.js';

const HEADER = OBJECT_HEADER_BYTES;
/** Sizes that equal themselves under this mask are integers from 0 to 64 KiB - 1. */
const FAST_SIZE_MASK = 0xffff;

/** The smallest power of two that holds so many bytes, at least a granule: its logarithm. */
const logOf = (bytes: number): number =>
  bytes <= GRANULE_BYTES ? GRANULE_SHIFT : 32 - Math.clz32(bytes - 1);

/** What a size's objects hold. A shift, not a power: engines take 30 ns for one of those. */
const bytesOf = (log: number): number => 1 << log;

/** What an object takes of a chunk of its own. */
const ownBytes = (request: number): number => roundUp(HEADER + Math.max(request, 1), GRANULE_BYTES);

export class SetContext extends Context {
  readonly kind = 'set';
  readonly #u32: Uint32Array = this.runtime.memory.u32;
  // A field of its own: each step on the way to it costs time in malloc.
  readonly #index: ContextIndex = this.index;
  readonly #headers: ObjectHeaders = this.runtime.headers;

  malloc(size: number): Address {
    if (typeof size !== 'number' || size !== (size & FAST_SIZE_MASK)) {
      return this.mallocSlow(size, false);
    }
    return this.#take(size, logOf(size)) || this.mallocSlow(size, false);
  }

  /** An object from the list of its size, or from the current chunk; 0 where neither has one. */
  #take(size: number, log: number): Address {
    const u32 = this.#u32;
    const at = this.at;
    const list = ContextRecord.freeListWord(at, log);
    let address = u32[list] as Address;
    if (address === 0) {
      const start = u32[at + ContextRecord.CURSOR];
      if (HEADER + bytesOf(log) > u32[at + ContextRecord.LIMIT] - start) return NULL;
      address = (start + HEADER) as Address;
      const end = start + HEADER + bytesOf(log);
      this.#headers.writeLive(address, this.#index, log, size);
      u32[at + ContextRecord.CURSOR] = end;
    } else {
      const next = this.#headers.nextFreed(address, this.#index, log);
      if (next < 0) throw this.#damaged(list, address, log);
      const bytes = HEADER + bytesOf(log);
      this.#headers.writeLive(address, this.#index, log, size);
      // Stores alone from here: an overflow of the stack leaves the object where it is, and so does a cut.
      u32[list] = next;
      u32[at + ContextRecord.FREED_BYTES] -= bytes;
    }
    u32[at + ContextRecord.OBJECTS]++;
    return address;
  }

  protected make(size: number): Address {
    const bytes = HEADER + (size > 2 ** 31 ? size : 2 ** logOf(size));
    const { chunks } = this.runtime;
    if (chunks.needsOwn(this.at, bytes)) return this.#makeOwn(size);
    const address = this.#take(size, logOf(size));
    if (address !== 0) return address;
    this.#carve();
    return chunks.grow(this.#index, this.at, bytes) ? this.#take(size, logOf(size)) : NULL;
  }

  /** What is left of the current chunk becomes freed objects, the longest that fit. */
  #carve(): void {
    const u32 = this.#u32;
    const at = this.at;
    for (;;) {
      const left = u32[at + ContextRecord.LIMIT] - u32[at + ContextRecord.CURSOR] - HEADER;
      if (left < GRANULE_BYTES) return;
      const log = 31 - Math.clz32(left);
      const next = u32[at + ContextRecord.CURSOR] + HEADER + bytesOf(log);
      this.#list((u32[at + ContextRecord.CURSOR] + HEADER) as Address, log);
      // Right after the store that lists it: nothing that V8 could cut comes in between.
      u32[at + ContextRecord.CURSOR] = next;
    }
  }

  /** Puts an object that nobody has into the list of its size. */
  #list(address: Address, log: number): void {
    const u32 = this.#u32;
    const at = this.at;
    const list = ContextRecord.freeListWord(at, log);
    const bytes = HEADER + bytesOf(log);
    this.#headers.writeFreed(address, this.#index, log, u32[list]);
    u32[list] = address;
    u32[at + ContextRecord.FREED_BYTES] += bytes;
  }

  #makeOwn(size: number): Address {
    const { chunks } = this.runtime;
    const chunk = chunks.addOwn(this.#index, this.at, ownBytes(size));
    if (chunk === 0) return NULL;
    const address = (chunks.addressOf(chunk) + HEADER) as Address;
    this.#u32[this.at + ContextRecord.OBJECTS]++;
    this.#headers.writeLive(address, this.#index, OWN_CHUNK + chunk, size);
    return address;
  }

  /**
   * Frees one object: the next one of its size in this context takes its memory.
   * @param address what `malloc`, `calloc` or `realloc` of this context returned; 0 does nothing
   * @throws InvalidAddressError; HeapError ERR_SHMALLOC_CONTEXT_ENDED
   *
   * Threads: the context's own. Cost: about 15 ns.
   */
  free(address: number): void {
    if (address === 0) return;
    const { extent, request } = this.#look('free', address);
    if (extent >= OWN_CHUNK) {
      this.runtime.deferring(() => this.#freeOwn(address as Address, extent, request));
      return;
    }
    this.#list(address as Address, extent);
    this.#u32[this.at + ContextRecord.OBJECTS]--;
  }

  #freeOwn(address: Address, extent: number, request: number): void {
    // Before its memory is the heap's: what stays behind there must not look like a live object.
    this.#headers.writeFreed(address, this.#index, extent, request);
    try {
      this.runtime.chunks.dropOwn(this.at, extent - OWN_CHUNK, ownBytes(request));
    } catch (error) {
      this.#headers.writeLive(address, this.#index, extent, request);
      throw error;
    }
    this.#u32[this.at + ContextRecord.OBJECTS]--;
  }

  /**
   * Gives an object another size, keeping its contents up to the smaller one; it may move.
   * `realloc(0, n)` is malloc, `realloc(p, 0)` frees and gives 0.
   * @param address an object of this context, or 0
   * @param size bytes, a whole number from 0
   * @returns its address then
   * @throws as malloc and free
   *
   * Threads: the context's own. Cost: about 20 ns where its power of two stays, else a copy.
   */
  realloc(address: number, size: number): Address {
    requireSize('realloc', size);
    if (address === 0) return this.malloc(size);
    const { extent, request } = this.#look('realloc', address);
    if (size === 0) {
      this.free(address);
      return NULL;
    }
    // Longer ones have no logarithm here: it comes round at 4 GiB.
    if (size <= ContextRecord.LISTED_BYTES_MAX && extent === logOf(size)) {
      this.#headers.writeLive(address as Address, this.#index, extent, size);
      return address as Address;
    }
    return this.runtime.deferring(() => {
      const moved = this.malloc(size);
      copyBytes(this.runtime.memory, moved, address as Address, Math.min(size, request));
      this.free(address);
      return moved;
    });
  }

  /**
   * Usable bytes of an object.
   * @param address an object of this context
   * @returns bytes, at least as many as were asked for
   * @throws as free
   *
   * Threads: the context's own. Cost: about 10 ns.
   */
  usableSize(address: number): number {
    const { extent } = this.#look('measure', address);
    if (extent < OWN_CHUNK) return bytesOf(extent);
    return this.runtime.chunks.bytesOf(extent - OWN_CHUNK) - HEADER;
  }

  /** The header of a live object of this context. */
  #look(call: string, address: number): ObjectHeader {
    this.requireOpen(`${call} an object of`);
    const header = this.#headers.read(address);
    if (header !== null && header.context === this.#index && header.state === LIVE) return header;
    throw this.#diagnose(call, address, header);
  }

  #diagnose(call: string, address: unknown, header: ObjectHeader | null): Error {
    const { memory, attachment, byIndex } = this.runtime;
    const inData = isDataAddress(memory.geometry, address) && address % GRANULE_BYTES === 0;
    if (!inData) return attachment.core.diagnose(call, address);
    const own = show(this.name);
    if (header === null) {
      return new InvalidAddressError(
        call,
        address,
        'foreign',
        `no object of context ${own} begins there, or the 16 bytes before it were overwritten`,
      );
    }
    if (header.context === this.#index) {
      const text = `an object of context ${own} that was freed already`;
      return new InvalidAddressError(call, address, 'freed', text);
    }
    const other = byIndex.get(header.context);
    const name = other === undefined ? 'of another thread' : show(other.context.name);
    const text = `an object of context ${name}, not of ${own}`;
    return new InvalidAddressError(call, address, 'foreign', text);
  }

  #damaged(list: number, address: Address, log: number): Error {
    this.#u32[list] = 0;
    return new BlockDamagedError(
      `the header of a freed object of context ${show(this.name)}, 16 bytes before ` +
        `${hex(address)}, was overwritten; freed objects of ${bytesOf(log)} bytes are not used again ` +
        'before its next reset',
      'write-after-free',
      address,
      -HEADER,
      -1,
    );
  }
}
