/**
 * Checks of contexts, chunks and vectors after a rescue, by the tables alone.
 */

import type { Address } from 'shmalloc';
import type { ContextIndex } from '../../src/layout/index.js';
import { HEAP_ID } from './program.js';
import { type HeapMemory, type Library, ownedBlocks, type ThreadHeap } from './simulation.js';

/** Contexts whose record is in use. */
export function usedContexts({ layout }: Library, { i32, geometry }: HeapMemory): ContextIndex[] {
  const table = layout.ContextRecord.contextTable(geometry);
  const used: ContextIndex[] = [];
  for (let index = 1; index <= layout.Records.loadFrontier(i32, table); index++) {
    const state = layout.Records.load(i32, layout.Records.at(table, index));
    if (state !== 0) used.push(index as ContextIndex);
  }
  return used;
}

/** True if the context belongs to a living thread, or was released. */
function isKept({ layout }: Library, { i32, u32, geometry }: HeapMemory, index: number): boolean {
  const table = layout.ContextRecord.contextTable(geometry);
  let root = index;
  const record = () => layout.Records.at(table, root);
  while (layout.ContextRecord.getParent(u32, record()) !== 0)
    root = layout.ContextRecord.getParent(u32, record());
  const phase = layout.ContextRecord.phaseOf(layout.Records.load(i32, record()));
  if (phase === layout.ContextRecord.RELEASED) return true;
  const slot = layout.ContextRecord.ownerOf(i32, u32, table, index);
  if (slot < 0 || phase !== layout.ContextRecord.LIVE) return false;
  const owner = layout.Registry.loadOwner(i32, geometry.registry, slot as never);
  return owner !== 0 && !globalThis.shmallocDead.has(owner);
}

/** The faults of contexts and their chunks; empty = none. */
export function objectFaults(lib: Library, core: ThreadHeap): string[] {
  const { layout } = lib;
  const { i32, u32, geometry } = core.memory;
  const faults: string[] = [];
  const owned = ownedBlocks(core);
  for (const index of usedContexts(lib, core.memory)) {
    if (!isKept(lib, core.memory, index)) faults.push(`left behind: context ${index}`);
  }
  const used = new Set<number>(usedContexts(lib, core.memory));
  const chunks = layout.ChunkRecord.chunkTable(geometry);
  for (let chunk = 1; chunk <= layout.Records.loadFrontier(i32, chunks); chunk++) {
    const record = layout.Records.at(chunks, chunk);
    const context = layout.Records.load(i32, record);
    const address = layout.ChunkRecord.getAddress(u32, record);
    if (context !== 0 && !used.has(context)) faults.push(`left behind: chunk ${chunk}`);
    if (address !== 0 && !owned.delete(address)) faults.push(`chunk ${chunk} has no block`);
  }
  for (const slot of layout.Slot.usedRecords(u32, geometry.slots, geometry.threads)) {
    if (layout.Slot.getIntentWord(u32, slot) !== 0) faults.push('left behind: an intent');
    if (u32[layout.Slot.inFlightHeaderWord(slot)] !== 0)
      faults.push('left behind: an in-flight header');
  }
  for (const address of vectorBlocks(lib, core, owned)) owned.delete(address as Address);
  for (const address of owned) faults.push(`lost: ${address}, an owned block`);
  return faults;
}

/** The headers of vectors among these blocks, and the blocks that they name. */
function vectorBlocks({ layout }: Library, { memory }: ThreadHeap, owned: Set<number>): number[] {
  const found: number[] = [];
  for (const address of owned) {
    const header = (address >>> 2) as never;
    if (layout.VectorHeader.read(memory.u32, header) === null) continue;
    found.push(address, memory.u32[layout.VectorHeader.dataWord(header)] as number);
  }
  return found;
}

/** Ends released contexts, as a thread would that knows their handles. */
export function endReleased(lib: Library, core: ThreadHeap): void {
  endVectors(lib, core);
  const attachment = { core, heapId: HEAP_ID, threadId: 0, scribble: false };
  const contexts = new lib.contexts.Contexts(attachment);
  for (const handle of contexts.released()) contexts.adopt(handle).delete();
}

/** Deletes the vectors of the heap, whichever thread made them. */
function endVectors({ layout }: Library, core: ThreadHeap): void {
  const { u32, geometry } = core.memory;
  const inFlightHeader = layout.Slot.inFlightHeaderWord(
    layout.Slot.at(geometry.slots, core.slotIndex),
  );
  for (const address of ownedBlocks(core)) {
    const header = (address >>> 2) as never;
    const fields = layout.VectorHeader.read(u32, header);
    if (fields === null || (fields.type & layout.VectorHeader.IN_CONTEXT) !== 0) continue;
    u32[inFlightHeader] = address;
    layout.VectorHeader.clear(u32, header);
    core.ownedBlocks.remove(layout.VectorHeader.dataWord(header));
    core.ownedBlocks.remove(inFlightHeader);
  }
}
