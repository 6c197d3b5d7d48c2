/**
 * The storage of a vector in a context: header and elements are the context's memory, and end with it.
 *
 * Made by vectors.ts; used by local-vector.ts. One thread at a time; the context's owner thread alone
 * makes it longer.
 */

import { type Address, HeapError, hex, type WordIndex } from '../base/index.js';
import type { Attachment, Contexts, VectorContext } from '../contexts/index.js';
import type { Fill } from '../heap/index.js';
import * as ContextRecord from '../layout/context-record.js';
import type { VectorFields } from '../layout/index.js';
import * as Records from '../layout/record-table.js';
import * as VectorHeader from '../layout/vector-header.js';
import type { ElementKind } from './vector-elements.js';
import { vectorError } from './vector-engine.js';
import { newSerial, noHeader, type VectorPlace, VectorStorage } from './vector-storage.js';

export class ContextStorage extends VectorStorage {
  readonly #contexts: Contexts;
  readonly #i32: Int32Array;
  readonly #generationWord: WordIndex;
  readonly #serialWord: WordIndex;

  constructor(place: VectorPlace, contexts: Contexts) {
    const { memory } = place.attachment.core;
    const record = Records.at(ContextRecord.contextTable(memory.geometry), place.fields.context);
    super(place, ContextRecord.epochWord(record), place.fields.epoch);
    this.#contexts = contexts;
    this.#i32 = memory.i32;
    this.#generationWord = ContextRecord.generationWord(record);
    this.#serialWord = VectorHeader.serialWord(place.header);
  }

  isLive(): boolean {
    const i32 = this.#i32;
    const { generation, serial } = this.fields;
    return (
      i32[this.lifeWord] === this.life &&
      i32[this.#generationWord] === (generation | 0) &&
      i32[this.#serialWord] === (serial | 0)
    );
  }

  ended(asked: string): HeapError {
    return new HeapError(
      'ERR_SHMALLOC_CONTEXT_ENDED',
      `Vector.${asked}: the vector at ${hex(this.address)} went with its context, which was reset ` +
        'or deleted, or it was deleted itself',
    );
  }

  replace(bytes: number, fill: Fill): Address {
    const context = this.#ownContext();
    if (context === undefined) {
      throw vectorError(
        `the vector at ${hex(this.address)} lives in a context that another thread owns: only that ` +
          'thread can make it longer',
      );
    }
    const { u32 } = this.attachment.core.memory;
    const block = context.malloc(bytes);
    if (block === 0) return block;
    const old = VectorHeader.getData(u32, this.header);
    fill(block, bytes, old);
    VectorHeader.setData(u32, this.header, block);
    if (old !== 0) context.free(old);
    return block;
  }

  finish(): void {}

  unmake(): void {
    this.end();
  }

  end(): void {
    const { u32 } = this.attachment.core.memory;
    const data = VectorHeader.getData(u32, this.header);
    VectorHeader.clear(u32, this.header);
    // The header stays until the context ends: another instance may still look at it.
    if (data !== 0) this.#ownContext()?.free(data);
  }

  /** Its context, where this thread owns it. */
  #ownContext(): VectorContext | undefined {
    return this.#contexts.forVectors(this.fields.context);
  }
}

/** A new vector in a context of this thread, without elements. */
export function makeInContext(
  attachment: Attachment,
  contexts: Contexts,
  { index, generation, epoch, malloc }: VectorContext,
  { kind, stride }: ElementKind,
): ContextStorage {
  const { u32 } = attachment.core.memory;
  const address = malloc(VectorHeader.BYTES);
  if (address === 0) throw noHeader(attachment);
  const header = (address >>> 2) as WordIndex;
  const fields: VectorFields = {
    type: kind | VectorHeader.IN_CONTEXT,
    stride,
    context: index,
    epoch: epoch(),
    generation,
    serial: newSerial(),
    threadId: attachment.threadId,
  };
  VectorHeader.write(u32, header, fields);
  return new ContextStorage({ attachment, header, fields }, contexts);
}
