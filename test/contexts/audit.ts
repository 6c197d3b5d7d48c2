/**
 * What tests of memory contexts need: an audit of the tables of contexts and chunks against the
 * heap's tags and against each other, and the state in which nothing is left.
 */

import type { ExecutionContext } from 'ava';
import type { SharedHeap } from 'shmalloc';
import { hex, OWNED, OWNED_LARGE } from '../../src/base/index.js';
import * as ChunkRecord from '../../src/layout/chunk-record.js';
import * as ContextRecord from '../../src/layout/context-record.js';
import type { HeapMemory } from '../../src/layout/index.js';
import * as Records from '../../src/layout/record-table.js';
import * as Slot from '../../src/layout/slot.js';
import { heldIn, memoryOf } from '../helpers.js';

/** Records in use of a table, by index. */
export function usedRecords(
  { i32 }: HeapMemory,
  table: ReturnType<typeof ChunkRecord.chunkTable>,
): number[] {
  const used: number[] = [];
  for (let index = 1; index <= Records.loadFrontier(i32, table); index++) {
    if (Records.load(i32, Records.at(table, index)) !== 0) used.push(index);
  }
  return used;
}

/** How many records of contexts and chunks are in use. */
export function countRecords(heap: SharedHeap): { contexts: number; chunks: number } {
  const memory = memoryOf(heap);
  return {
    contexts: usedRecords(memory, ContextRecord.contextTable(memory.geometry)).length,
    chunks: usedRecords(memory, ChunkRecord.chunkTable(memory.geometry)).length,
  };
}

/** Every block that belongs to an object of the heap, by its tag. */
function ownedBlocks({ tags, geometry }: HeapMemory): Set<number> {
  const blocks = new Set<number>();
  const data = tags.subarray(geometry.dataStart >>> 4, geometry.end >>> 4);
  for (const tag of [OWNED, OWNED_LARGE]) {
    for (let n = data.indexOf(tag); n >= 0; n = data.indexOf(tag, n + 1)) {
      blocks.add(geometry.dataStart + n * 16);
    }
  }
  return blocks;
}

/** What is wrong with the contexts of a heap that is quiet; nothing when all is well. */
export function auditContexts(heap: SharedHeap): string[] {
  const memory = memoryOf(heap);
  const { i32, u32, geometry } = memory;
  const contexts = ContextRecord.contextTable(geometry);
  const chunks = ChunkRecord.chunkTable(geometry);
  const faults: string[] = [];
  const owned = ownedBlocks(memory);
  const chunksOf = new Map<number, Set<number>>();
  for (const index of usedRecords(memory, chunks)) {
    const record = Records.at(chunks, index);
    const context = Records.load(i32, record);
    const address = ChunkRecord.getAddress(u32, record);
    if (address === 0) faults.push(`chunk ${index} of context ${context} has no block`);
    else if (!owned.delete(address)) {
      faults.push(`chunk ${index} of context ${context} has ${hex(address)}: not owned, or twice`);
    }
    chunksOf.set(context, (chunksOf.get(context) ?? new Set()).add(index));
  }
  // What an error has left to the next placement of a thread that lives.
  for (const slot of Slot.usedRecords(u32, geometry.slots, geometry.threads)) {
    if (Slot.getIntentWord(u32, slot) === 0) continue;
    owned.delete(Slot.getIntentIn(u32, slot));
    owned.delete(Slot.getIntentOut(u32, slot));
  }
  for (const address of owned) faults.push(`the owned block at ${hex(address)} is nobody's`);

  const used = new Set(usedRecords(memory, contexts));
  const seenAsChild = new Map<number, number>();
  for (const index of used) {
    const record = Records.at(contexts, index);
    const phase = ContextRecord.phaseOf(Records.load(i32, record));
    if (phase !== ContextRecord.LIVE && phase !== ContextRecord.RELEASED) {
      faults.push(`context ${index} is in phase ${phase}`);
    }
    const parent = ContextRecord.getParent(u32, record);
    if (parent !== 0 && !used.has(parent)) faults.push(`context ${index} hangs below ${parent}`);
    let prev = 0;
    for (let child = ContextRecord.getFirstChild(u32, record); child !== 0; ) {
      if (seenAsChild.has(child)) {
        faults.push(`context ${child} is a child twice`);
        break;
      }
      seenAsChild.set(child, index);
      if (ContextRecord.getPrevSibling(u32, Records.at(contexts, child)) !== prev) {
        faults.push(`the link back of context ${child} is wrong`);
      }
      prev = child;
      child = ContextRecord.getNextSibling(u32, Records.at(contexts, child));
    }
    checkChain(index);
  }
  for (const index of used) {
    const parent = ContextRecord.getParent(u32, Records.at(contexts, index));
    if ((seenAsChild.get(index) ?? 0) !== parent) {
      faults.push(`context ${index} says ${parent}, is listed by ${seenAsChild.get(index) ?? 0}`);
    }
  }
  for (const context of chunksOf.keys())
    faults.push(`chunks of context ${context} are left behind`);
  return faults;

  /** The chain of a context has all its chunks, and counts them. */
  function checkChain(index: number): void {
    const record = Records.at(contexts, index);
    const left = chunksOf.get(index) ?? new Set();
    chunksOf.delete(index);
    let count = 0;
    let bytes = 0;
    const keeper = ContextRecord.getKeeper(u32, record);
    let hasKeeper = keeper === 0;
    for (let chunk = ContextRecord.getChunk(u32, record); chunk !== 0; chunk = chunkAfter(chunk)) {
      if (!left.delete(chunk)) {
        faults.push(`the chain of context ${index} has chunk ${chunk}, which is not its own`);
        break;
      }
      hasKeeper ||= chunk === keeper;
      count++;
      bytes += ChunkRecord.getBytes(u32, Records.at(chunks, chunk));
    }
    for (const chunk of left) faults.push(`chunk ${chunk} is in no chain of context ${index}`);
    if (!hasKeeper) faults.push(`context ${index} keeps chunk ${keeper}, which it does not have`);
    if (
      count !== ContextRecord.getChunkCount(u32, record) ||
      bytes !== ContextRecord.getBytes(u32, record)
    ) {
      faults.push(
        `context ${index}: ${count} chunks, ${bytes} bytes; it says ` +
          `${ContextRecord.getChunkCount(u32, record)}, ${ContextRecord.getBytes(u32, record)}`,
      );
    }
  }

  function chunkAfter(chunk: number): number {
    return ChunkRecord.getNext(u32, Records.at(chunks, chunk));
  }
}

/** The heap and its contexts are whole, and nobody is in it. */
export function assertSound(t: ExecutionContext, heap: SharedHeap, when = ''): void {
  t.deepEqual(heldIn(heap), [], when);
  t.deepEqual(heap.verify({ quiet: true }).problems, [], when);
  t.deepEqual(auditContexts(heap), [], when);
}

/** No context is left, and no block. */
export function assertNothingLeft(t: ExecutionContext, heap: SharedHeap, when = ''): void {
  assertSound(t, heap, when);
  t.deepEqual(countRecords(heap), { contexts: 0, chunks: 0 }, when);
  // What this thread has freed may be in its quarantine, where the heap has one.
  t.is(heap.stats().inUseBytes, heap.verify({ quiet: true }).quarantinedBytes, when);
}
