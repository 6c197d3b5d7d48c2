/**
 * The list of vectors: which there are in the heap, whoever made them, so that none is lost with a
 * handle, or with the thread that had it.
 *
 * Called by api/. Any attached thread; takes the page lock for the walk over the blocks.
 *
 * I1  Listed are vectors in the heap, found by their headers, which are blocks of their own. Those in
 *     contexts end with these.
 * I2  One that is just being made or deleted is not listed: it stands in an in-flight header
 *     (vector-storage I1).
 * I3  Vectors change while they are read: a figure is of about one moment, and never more than there is
 *     room for.
 */

import { type Address, List, type WordIndex } from '../base/index.js';
import { eachBlock } from '../blocks/index.js';
import type { Attachment } from '../contexts/index.js';
import * as Header from '../layout/header.js';
import type { HeapMemory, VectorFields } from '../layout/index.js';
import * as Registry from '../layout/registry.js';
import * as Slot from '../layout/slot.js';
import * as VectorHeader from '../layout/vector-header.js';
import { isThreadAlive, type ThreadWord } from '../sync/index.js';
import { isKind } from './vector-elements.js';
import { makeVectorHandle, type VectorHandle } from './vector-handle.js';

/** A vector of the heap, as it was a moment ago. Plain data. */
export interface VectorEntry {
  /** What `vectors.attach` takes: to look into the vector, or to `delete()` it. */
  handle: VectorHandle;
  /** `Float64Array`, `address`, `24 bytes`. */
  elements: string;
  /** May any thread use it at any time? */
  shared: boolean;
  /** Elements, and how many there is room for. */
  length: number;
  capacity: number;
  /** Usable bytes of its blocks. */
  bytes: number;
  /** `threadId` of the thread that made it. */
  threadId: number;
  /** Is that thread attached to the heap? Not one that has ended, nor one that has detached. */
  attached: boolean;
}

/** A vector that was found. */
interface Found {
  readonly address: Address;
  readonly fields: VectorFields;
}

/** All vectors, by address. */
export function listVectors({ core, heapId }: Attachment): VectorEntry[] {
  const { memory } = core;
  // Where there was no object yet there is nothing to walk for.
  if (!Header.hadOwned(memory.u32, memory.geometry.header)) return [];
  const isAttached = createRoll(memory);
  const blocks = new Map<number, number>();
  const candidates = new List<Address>();
  for (const { address, bytes, owned } of eachBlock(core.inspector)) {
    if (owned !== undefined) blocks.set(address, bytes);
    if (owned === 'vector' && bytes >= VectorHeader.BYTES) candidates.push(address);
  }
  return [...findInHeap(memory, candidates)].flatMap((found) => {
    const { address, fields } = found;
    const read = readLengths(memory, found, blocks);
    if (read === undefined) return [];
    const handle = makeVectorHandle(heapId, address, fields);
    const { elements, shared } = handle;
    const { threadId } = fields;
    return [{ handle, elements, shared, ...read, threadId, attached: isAttached(threadId) }];
  });
}

function findInHeap(memory: HeapMemory, candidates: readonly Address[]): Found[] {
  const { u32, geometry } = memory;
  const found = new List<Found>();
  for (const address of candidates) {
    const header = (address >>> 2) as WordIndex;
    const fields = VectorHeader.read(u32, header);
    if (fields === null || !isVector(fields) || (fields.type & VectorHeader.IN_CONTEXT) !== 0)
      continue;
    found.push({ address, fields });
  }
  // Elements may be such as a header is made of: the storage of another one is none.
  const storages = new Set(found.map(({ address }) => u32[dataWordOf(address)]));
  const unresolved = new Set(
    Slot.used(u32, geometry.slots, geometry.threads).map(
      (slot) => u32[Slot.inFlightHeaderWord(Slot.at(geometry.slots, slot))],
    ),
  );
  return found.filter(({ address }) => !storages.has(address) && !unresolved.has(address));
}

const dataWordOf = (address: Address): WordIndex =>
  VectorHeader.dataWord((address >>> 2) as WordIndex);

const isVector = ({ type, stride, serial }: VectorFields): boolean =>
  serial !== 0 && isKind({ kind: type & VectorHeader.KIND_MASK, stride });

/** What a vector has in it; undefined where it has ended meanwhile. */
function readLengths(
  { i32, u32 }: HeapMemory,
  { address, fields }: Found,
  blocks: ReadonlyMap<number, number>,
): Pick<VectorEntry, 'length' | 'capacity' | 'bytes'> | undefined {
  const header = (address >>> 2) as WordIndex;
  const data = VectorHeader.loadStorage(i32, dataWordOf(address));
  const shared = (fields.type & VectorHeader.SHARED) !== 0;
  const room = blocks.get(data) ?? 0;
  const capacityMax = Math.floor(room / fields.stride);
  // In a block that was not there before anything may stand.
  const stored = shared && room > 0;
  const capacity = shared
    ? stored
      ? VectorHeader.getStoredCapacity(u32, data)
      : 0
    : VectorHeader.getCapacity(u32, header);
  const length = shared
    ? stored
      ? VectorHeader.loadStoredLength(i32, data)
      : 0
    : VectorHeader.getLength(u32, header);
  if (VectorHeader.read(u32, header)?.serial !== fields.serial) return undefined;
  const cut = Math.min(capacity, capacityMax);
  return {
    length: Math.min(length, cut),
    capacity: cut,
    bytes: room + (blocks.get(address) ?? 0),
  };
}

/** Says which threads are attached, and live; each is looked for once. */
function createRoll(memory: HeapMemory): (threadId: number) => boolean {
  const { i32, u32, geometry } = memory;
  const known = new Map<number, boolean>();
  const look = (threadId: number): boolean =>
    Slot.used(u32, geometry.slots, geometry.threads).some((slot) => {
      if (Slot.getThreadId(u32, Slot.at(geometry.slots, slot)) !== threadId) return false;
      const owner = Registry.loadOwner(i32, geometry.registry, slot);
      return owner !== 0 && isThreadAlive(memory, owner as ThreadWord) !== false;
    });
  return (threadId) => {
    let attached = known.get(threadId);
    if (attached === undefined) {
      attached = look(threadId);
      known.set(threadId, attached);
    }
    return attached;
  };
}
