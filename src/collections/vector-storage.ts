/**
 * The storage of a vector: where its header and its elements are, and how it gets another block.
 *
 * Made by vectors.ts for a new vector or an attached one; used by local-vector.ts and shared-vector.ts.
 *
 *     in the heap     header: an owned block               elements: placed into the header's data word
 *     in a context    header and elements: the context's memory, of its owner thread (context-storage.ts)
 *
 * I1  A header that is made or deleted stands in the slot's in-flight header meanwhile
 *     (layout/slot.ts): should the thread die, recovery deletes it. What stands there is ended before
 *     anything else is put there.
 * I2  A vector is live as long as its serial, and its context's generation and epoch, are where they
 *     were. Every call checks that first.
 */

import {
  type Address,
  type HeapError,
  HeapExhaustedError,
  hex,
  random,
  type WordIndex,
} from '../base/index.js';
import type { Attachment } from '../contexts/index.js';
import { clearInFlightHeader, type Fill, inFlightHeaderOf } from '../heap/index.js';
import { orderWrites, type VectorFields } from '../layout/index.js';
import * as VectorHeader from '../layout/vector-header.js';
import type { ElementKind } from './vector-elements.js';
import { vectorError } from './vector-engine.js';

/** Which vector: the thread's attachment, the header, and what that says. */
export interface VectorPlace {
  readonly attachment: Attachment;
  readonly header: WordIndex;
  readonly fields: VectorFields;
}

/** A vector's place in memory. */
export abstract class VectorStorage implements VectorPlace {
  readonly attachment: Attachment;
  readonly header: WordIndex;
  readonly fields: VectorFields;
  /** `i32[lifeWord]` is not `life` any more once the memory may be another's. */
  readonly lifeWord: WordIndex;
  readonly life: number;
  /** For `is`: nothing else has it. */
  readonly #isStorage = true;

  protected constructor(
    { attachment, header, fields }: VectorPlace,
    lifeWord: WordIndex,
    life: number,
  ) {
    this.attachment = attachment;
    this.header = header;
    this.fields = fields;
    this.lifeWord = lifeWord;
    // Signed, as it is compared: a larger number would be a pointer to one.
    this.life = life | 0;
  }

  /** True if the value is one. Asks nothing of the value, which may be a proxy that throws. */
  static is(value: unknown): value is VectorStorage {
    return typeof value === 'object' && value !== null && #isStorage in value;
  }

  get address(): Address {
    return (this.header * 4) as Address;
  }

  /** False once the vector has ended (I2). Calls nothing: under a lock there may be little stack left. */
  abstract isLive(): boolean;

  /** The error for a call of a vector that has ended. */
  abstract ended(asked: string): HeapError;

  /**
   * Makes a new block the storage, and gives the old one back.
   * @param fill writes what is to be in it, before any thread can see it
   * @returns 0 when the heap is full: nothing has changed
   */
  abstract replace(bytes: number, fill: Fill): Address;

  /** Makes a new vector one that lives. */
  abstract finish(): void;

  /** Takes a new vector back that could not be finished. */
  abstract unmake(): void;

  /** Gives header and elements back. The caller has the lock of a shared vector, which ends too. */
  abstract end(): void;
}

export class HeapStorage extends VectorStorage {
  readonly #i32: Int32Array;
  readonly #dataWord: WordIndex;

  constructor(place: VectorPlace) {
    super(place, VectorHeader.serialWord(place.header), place.fields.serial);
    this.#i32 = place.attachment.core.memory.i32;
    this.#dataWord = VectorHeader.dataWord(place.header);
  }

  isLive(): boolean {
    return this.#i32[this.lifeWord] === this.life;
  }

  ended(asked: string): HeapError {
    return vectorError(`Vector.${asked}: the vector at ${hex(this.address)} was deleted`);
  }

  replace(bytes: number, fill: Fill): Address {
    return this.attachment.core.ownedBlocks.replace(this.#dataWord, bytes, fill);
  }

  finish(): void {
    const { u32 } = this.attachment.core.memory;
    // point: inflight.clear
    u32[inFlightHeaderOf(this.attachment.core)] = 0;
  }

  unmake(): void {
    clearInFlightHeader(this.attachment.core);
  }

  end(): void {
    const { memory, objectLocks } = this.attachment.core;
    clearInFlightHeader(this.attachment.core);
    // point: inflight.set
    memory.u32[inFlightHeaderOf(this.attachment.core)] = this.address;
    // point: inflight.unmark
    VectorHeader.clear(memory.u32, this.header);
    // Only a shared vector has been locked.
    const lock = VectorHeader.lockWord(this.header);
    if (objectLocks.isMine(lock)) objectLocks.release(lock);
    clearInFlightHeader(this.attachment.core);
    // Readers see that it has ended before its memory is another's, this thread's own also.
    orderWrites();
  }
}

/** A new vector in the heap, without elements; until it is finished it is in the in-flight header. */
export function makeInHeap(attachment: Attachment, { kind, stride }: ElementKind): HeapStorage {
  const { memory, ownedBlocks } = attachment.core;
  const nowhere = { context: 0, epoch: 0, generation: 0 };
  const { threadId } = attachment;
  const fields = { type: kind, stride, ...nowhere, serial: newSerial(), threadId };
  clearInFlightHeader(attachment.core);
  const address = ownedBlocks.replace(
    inFlightHeaderOf(attachment.core),
    VectorHeader.BYTES,
    (block) => {
      VectorHeader.write(memory.u32, (block >>> 2) as WordIndex, fields);
    },
  );
  if (address === 0) throw noHeader(attachment);
  return new HeapStorage({ attachment, header: (address >>> 2) as WordIndex, fields });
}

/** A number that tells a vector from one that is later at its address: handles have it. */
export const newSerial = (): number => Math.floor(random() * 0xffffffff) + 1;

export function noHeader({ core }: Attachment): HeapExhaustedError {
  core.events.addExhausted(VectorHeader.BYTES);
  return new HeapExhaustedError(
    `vectors.create: the heap has no ${VectorHeader.BYTES} bytes left for its header`,
    VectorHeader.BYTES,
  );
}
