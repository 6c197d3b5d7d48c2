/**
 * Homes: where a vector's header and storage are, and how it gets another storage.
 *
 * Made by vector.ts for a new vector or an attached one; used by local-vector.ts and shared-vector.ts.
 *
 *     in the heap             header: an owned block        storage: placed into the header's data
 *     in a context            header and storage: the context's memory, of its owner thread
 *     in a context, shared    header: the context's memory  storage: placed into a chunk record
 *
 * I1  A header that is made or deleted stands in the slot's in-flight header meanwhile
 *     (layout/slot.ts): should the thread die, recovery deletes it. What stands there is ended before
 *     anything else is put there.
 * I2  A vector is live as long as its serial, and its context's generation and epoch, are where they
 *     were. Whatever is done with it looks there first.
 * I3  The storage of a shared vector in a context goes with the context also when the context's owner
 *     dies while others are in the middle of a push. So what they all change is in the chunk record,
 *     which is never anybody's memory, and its block is given back under the vector's lock only: by who
 *     ends the context, or by who holds the lock just then (layout/chunk-record.ts, bit 30).
 * I4  For the same reason nobody but the context's owner writes the header of a shared vector in a
 *     context, also to delete it: that its record has another serial says that it is gone.
 */

import {
  type Address,
  HeapError,
  HeapExhaustedError,
  hex,
  random,
  type WordIndex,
} from '../base/index.js';
import {
  type Attachment,
  Context,
  clearStorage,
  endStorage,
  rememberEmptied,
  takeStorage,
  type VectorContext,
} from '../contexts/index.js';
import { clearInFlightHeader, type Fill, inFlightHeaderOf } from '../heap/index.js';
import {
  CONTEXT_VECTOR,
  chunkTable,
  chunkWord,
  clearVector,
  contextOwner,
  contextTable,
  epochWord,
  generationWord,
  getVectorData,
  isMarkedEnded,
  orderWrites,
  recordAt,
  SHARED_VECTOR,
  setStorageHeader,
  setVectorData,
  storageLockWord,
  storageSerialWord,
  storageVersionWord,
  VECTOR_HEADER_BYTES,
  type VectorFields,
  vectorDataWord,
  vectorLockWord,
  vectorSerialWord,
  vectorVersionWord,
  writeVectorHeader,
} from '../layout/index.js';

/** What is behind a context; undefined where it is none. */
export const vectorContextOf = (value: unknown): VectorContext | undefined =>
  Context.is(value) ? value.forVectors() : undefined;

/** A vector's place in memory. */
export abstract class VectorStorage {
  readonly attachment: Attachment;
  readonly header: WordIndex;
  readonly fields: VectorFields;
  readonly dataWord: WordIndex;
  readonly versionWord: WordIndex;
  readonly lockWord: WordIndex;
  /** `i32[lifeWord]` is `life` no more once its memory may be another's (signed). */
  readonly lifeWord: WordIndex;
  readonly life: number;
  /** Three words that are these as long as the vector is live. */
  readonly #words: readonly [WordIndex, WordIndex, WordIndex];
  readonly #values: readonly [number, number, number];
  readonly #i32: Int32Array;

  protected constructor(
    attachment: Attachment,
    header: WordIndex,
    fields: VectorFields,
    [dataWord, versionWord, lockWord]: readonly [WordIndex, WordIndex, WordIndex],
    words: readonly [WordIndex, WordIndex, WordIndex],
    values: readonly [number, number, number],
  ) {
    this.attachment = attachment;
    this.header = header;
    this.fields = fields;
    this.dataWord = dataWord;
    this.versionWord = versionWord;
    this.lockWord = lockWord;
    this.#i32 = attachment.core.memory.i32;
    this.#words = words;
    // Signed, as they are compared: a larger number would be a pointer to one.
    this.#values = [values[0] | 0, values[1] | 0, values[2] | 0];
    this.lifeWord = words[0];
    this.life = this.#values[0];
  }

  /** Takes it back, where it could not be finished. */
  unmake(): void {
    this.end();
  }

  /** Is it one? Asks nothing of the value, which may be a proxy that throws. */
  static is(value: unknown): value is VectorStorage {
    return typeof value === 'object' && value !== null && #words in value;
  }

  get address(): Address {
    return (this.header * 4) as Address;
  }

  isLive(): boolean {
    // No call in it: it is asked under a lock, where there may be little stack left.
    const i32 = this.#i32;
    const words = this.#words;
    const values = this.#values;
    return (
      i32[words[0]] === values[0] && i32[words[1]] === values[1] && i32[words[2]] === values[2]
    );
  }

  /** The error for whatever is asked of a vector that is live no more. */
  ended(asked: string): HeapError {
    const where = `the vector at ${hex(this.address)}`;
    return this.fields.context === 0
      ? new HeapError('ERR_SHMALLOC_VECTOR', `Vector.${asked}: ${where} was deleted`)
      : new HeapError(
          'ERR_SHMALLOC_CONTEXT_ENDED',
          `Vector.${asked}: ${where} went with its context, which was reset or deleted, or it was ` +
            'deleted itself',
        );
  }

  /**
   * Makes a new block the storage, and gives the old one back.
   * @param fill writes what is to be in it, before anybody can see it
   * @returns 0 when the heap is full: nothing has changed
   */
  replace(bytes: number, fill: Fill): Address {
    return this.attachment.core.ownedBlocks.replace(this.dataWord, bytes, fill);
  }

  /** The vector is done: from now on it lives. */
  finish(): void {}

  /** Gives header and storage back. The caller has the lock of a shared vector; it goes with it. */
  abstract end(): void;

  /** A lock was released: ends what somebody else has left to whoever had it. */
  released(): void {}

  /** Gives the lock back, of a vector that ends. Only a shared one has been locked. */
  protected unlock(): void {
    const { objectLocks } = this.attachment.core;
    if (objectLocks.isMine(this.lockWord)) objectLocks.release(this.lockWord);
  }
}

// ---- in the heap

class HeapStorage extends VectorStorage {
  constructor(attachment: Attachment, header: WordIndex, fields: VectorFields) {
    const serial = vectorSerialWord(header);
    super(
      attachment,
      header,
      fields,
      [vectorDataWord(header), vectorVersionWord(header), vectorLockWord(header)],
      [serial, serial, serial],
      [fields.serial, fields.serial, fields.serial],
    );
  }

  override finish(): void {
    const { u32 } = this.attachment.core.memory;
    // point: inflight.clear
    u32[inFlightHeaderOf(this.attachment.core)] = 0;
  }

  override unmake(): void {
    clearInFlightHeader(this.attachment.core);
  }

  end(): void {
    const { memory } = this.attachment.core;
    clearInFlightHeader(this.attachment.core);
    // point: inflight.set
    memory.u32[inFlightHeaderOf(this.attachment.core)] = this.address;
    // point: inflight.unmark
    clearVector(memory.u32, this.header);
    this.unlock();
    clearInFlightHeader(this.attachment.core);
    // Who reads sees that it has ended before its memory is another's, this thread's own also.
    orderWrites();
  }
}

/** A new vector in the heap, without a storage; until it is finished it is in the in-flight header. */
export function makeInHeap(attachment: Attachment, type: number, stride: number): VectorStorage {
  const { memory, ownedBlocks } = attachment.core;
  const nowhere = { chunk: 0, context: 0, epoch: 0, generation: 0 };
  const fields = { type, stride, ...nowhere, serial: serial(), threadId: attachment.threadId };
  clearInFlightHeader(attachment.core);
  const address = ownedBlocks.replace(
    inFlightHeaderOf(attachment.core),
    VECTOR_HEADER_BYTES,
    (block) => {
      writeVectorHeader(memory.u32, (block >>> 2) as WordIndex, fields);
    },
  );
  if (address === 0) throw noHeader(attachment);
  return new HeapStorage(attachment, (address >>> 2) as WordIndex, fields);
}

/** So that a vector's handle is not taken for one of another vector that is there later. */
const serial = (): number => Math.floor(random() * 0xffffffff) + 1;

function noHeader({ core }: Attachment): HeapExhaustedError {
  core.events.addExhausted(VECTOR_HEADER_BYTES);
  return new HeapExhaustedError(
    `Vector.create: the heap has no ${VECTOR_HEADER_BYTES} bytes left for its header`,
    VECTOR_HEADER_BYTES,
  );
}

// ---- in a context, one thread's

class ContextStorage extends VectorStorage {
  readonly #context: VectorContext | undefined;

  constructor(
    attachment: Attachment,
    header: WordIndex,
    fields: VectorFields,
    context: VectorContext | undefined,
  ) {
    const record = recordAt(contextTable(attachment.core.memory.geometry), fields.context);
    super(
      attachment,
      header,
      fields,
      [vectorDataWord(header), vectorVersionWord(header), vectorLockWord(header)],
      [epochWord(record), generationWord(record), vectorSerialWord(header)],
      [fields.epoch, fields.generation, fields.serial],
    );
    this.#context = context;
  }

  override replace(bytes: number, fill: Fill): Address {
    const context = this.#context;
    if (context === undefined) {
      throw new HeapError(
        'ERR_SHMALLOC_VECTOR',
        `the vector at ${hex(this.address)} lives in a context, and has to be attached with that ` +
          'context to get more room: Vector.attach(context, handle)',
      );
    }
    const { u32 } = this.attachment.core.memory;
    const block = context.malloc(bytes);
    if (block === 0) return block;
    const old = getVectorData(u32, this.header);
    fill(block, bytes, old);
    setVectorData(u32, this.header, block);
    if (old !== 0 && context.kind === 'set') context.free(old);
    return block;
  }

  end(): void {
    const { u32 } = this.attachment.core.memory;
    const data = getVectorData(u32, this.header);
    clearVector(u32, this.header);
    // The header stays until the context ends: another instance may still look at it.
    if (data !== 0 && this.#context?.kind === 'set') this.#context.free(data);
  }
}

// ---- in a context, shared

class ChunkStorage extends VectorStorage {
  readonly #record: WordIndex;
  readonly #context: VectorContext | undefined;

  constructor(
    attachment: Attachment,
    header: WordIndex,
    fields: VectorFields,
    context: VectorContext | undefined,
  ) {
    const record = recordAt(chunkTable(attachment.core.memory.geometry), fields.chunk);
    const word = storageSerialWord(record);
    super(
      attachment,
      header,
      fields,
      [chunkWord(record), storageVersionWord(record), storageLockWord(record)],
      [word, word, word],
      [fields.serial, fields.serial, fields.serial],
    );
    this.#record = record;
    this.#context = context;
  }

  end(): void {
    clearStorage(this.attachment, this.#record);
    this.unlock();
    this.released();
    if (this.#isOwners()) this.#endOwn();
  }

  /** Is the context still the one that the vector was made in, and this thread's? (I4) */
  #isOwners(): boolean {
    const { memory, slotIndex } = this.attachment.core;
    const { i32, u32, geometry } = memory;
    const { context, generation, epoch } = this.fields;
    const table = contextTable(geometry);
    const record = recordAt(table, context);
    if (u32[generationWord(record)] !== generation || u32[epochWord(record)] !== epoch)
      return false;
    return contextOwner(i32, u32, table, context) === slotIndex;
  }

  #endOwn(): void {
    const { attachment, header, fields } = this;
    clearVector(attachment.core.memory.u32, header);
    rememberEmptied(attachment, fields);
    if (this.#context?.kind !== 'set') return;
    try {
      this.#context.free(this.address);
    } catch {
      // By a Context that has given it away and got it back as another one: it goes with the context.
    }
  }

  override released(): void {
    const { core } = this.attachment;
    const { i32 } = core.memory;
    if (!isMarkedEnded(i32, this.#record)) return;
    try {
      endStorage(this.attachment, this.fields.chunk, true);
    } catch {
      // It stays marked, for the next one that lets go of the lock, or the next recovery.
    }
  }
}

/** A new vector in a context, without a storage. */
export function makeInContext(context: VectorContext, type: number, stride: number): VectorStorage {
  const { attachment, index, generation } = context;
  const { memory } = attachment.core;
  const address = context.malloc(VECTOR_HEADER_BYTES);
  if (address === 0) throw noHeader(attachment);
  const header = (address >>> 2) as WordIndex;
  let chunk = 0;
  if ((type & SHARED_VECTOR) !== 0) {
    chunk = takeStorage(context);
    if (chunk === 0) {
      if (context.kind === 'set') context.free(address);
      throw new HeapError(
        'ERR_SHMALLOC_VECTOR',
        'Vector.create: the heap has no record left for the storage of one more shared vector in a ' +
          'context; make it with more contexts',
      );
    }
  }
  const fields: VectorFields = {
    type: type | CONTEXT_VECTOR,
    stride,
    chunk,
    context: index,
    epoch: context.epoch(),
    generation,
    serial: serial(),
    threadId: attachment.threadId,
  };
  writeVectorHeader(memory.u32, header, fields);
  if (chunk === 0) return new ContextStorage(attachment, header, fields, context);
  const record = recordAt(chunkTable(memory.geometry), chunk);
  setStorageHeader(memory.u32, record, address);
  memory.u32[storageSerialWord(record)] = fields.serial;
  return new ChunkStorage(attachment, header, fields, context);
}

/** The home of a vector that is there already. */
export function vectorStorageOf(
  attachment: Attachment,
  header: WordIndex,
  fields: VectorFields,
  context: VectorContext | undefined,
): VectorStorage {
  if ((fields.type & CONTEXT_VECTOR) === 0) return new HeapStorage(attachment, header, fields);
  const inIt = context?.index === fields.context ? context : undefined;
  return fields.chunk === 0
    ? new ContextStorage(attachment, header, fields, inIt)
    : new ChunkStorage(attachment, header, fields, inIt);
}
