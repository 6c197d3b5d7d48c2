/**
 * What tests of memory contexts need: an audit of the tables of contexts and chunks against the
 * heap's tags and against each other, and the state in which nothing is left.
 */

import type { ExecutionContext } from 'ava';
import type { SharedHeap } from 'shmalloc';
import { hex, OWNED, OWNED_LARGE } from '../../src/base/index.js';
import {
  chunkTable,
  contextPhase,
  contextTable,
  getChunk,
  getChunkAddress,
  getChunkBytes,
  getChunkCount,
  getContextBytes,
  getFirstChild,
  getIntentIn,
  getIntentOut,
  getIntentWord,
  getKeeper,
  getNextChunk,
  getNextSibling,
  getParent,
  getPrevSibling,
  type HeapMemory,
  LIVE_CONTEXT,
  loadFrontier,
  loadRecord,
  RELEASED_CONTEXT,
  recordAt,
  usedSlotRecords,
} from '../../src/layout/index.js';
import { heldIn, memoryOf } from '../helpers.js';

/** Records in use of a table, by index. */
export function usedRecords({ i32 }: HeapMemory, table: ReturnType<typeof chunkTable>): number[] {
  const used: number[] = [];
  for (let index = 1; index <= loadFrontier(i32, table); index++) {
    if (loadRecord(i32, recordAt(table, index)) !== 0) used.push(index);
  }
  return used;
}

/** How many records of contexts and chunks are in use. */
export function countRecords(heap: SharedHeap): { contexts: number; chunks: number } {
  const memory = memoryOf(heap);
  return {
    contexts: usedRecords(memory, contextTable(memory.geometry)).length,
    chunks: usedRecords(memory, chunkTable(memory.geometry)).length,
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
  const contexts = contextTable(geometry);
  const chunks = chunkTable(geometry);
  const faults: string[] = [];
  const owned = ownedBlocks(memory);
  const chunksOf = new Map<number, Set<number>>();
  for (const index of usedRecords(memory, chunks)) {
    const record = recordAt(chunks, index);
    const context = loadRecord(i32, record);
    const address = getChunkAddress(u32, record);
    if (address === 0) faults.push(`chunk ${index} of context ${context} has no block`);
    else if (!owned.delete(address)) {
      faults.push(`chunk ${index} of context ${context} has ${hex(address)}: not owned, or twice`);
    }
    chunksOf.set(context, (chunksOf.get(context) ?? new Set()).add(index));
  }
  // What an error has left to the next placement of a thread that lives.
  for (const slot of usedSlotRecords(u32, geometry.slots, geometry.threads)) {
    if (getIntentWord(u32, slot) === 0) continue;
    owned.delete(getIntentIn(u32, slot));
    owned.delete(getIntentOut(u32, slot));
  }
  for (const address of owned) faults.push(`the owned block at ${hex(address)} is nobody's`);

  const used = new Set(usedRecords(memory, contexts));
  const seenAsChild = new Map<number, number>();
  for (const index of used) {
    const record = recordAt(contexts, index);
    const phase = contextPhase(loadRecord(i32, record));
    if (phase !== LIVE_CONTEXT && phase !== RELEASED_CONTEXT) {
      faults.push(`context ${index} is in phase ${phase}`);
    }
    const parent = getParent(u32, record);
    if (parent !== 0 && !used.has(parent)) faults.push(`context ${index} hangs below ${parent}`);
    let prev = 0;
    for (let child = getFirstChild(u32, record); child !== 0; ) {
      if (seenAsChild.has(child)) {
        faults.push(`context ${child} is a child twice`);
        break;
      }
      seenAsChild.set(child, index);
      if (getPrevSibling(u32, recordAt(contexts, child)) !== prev) {
        faults.push(`the link back of context ${child} is wrong`);
      }
      prev = child;
      child = getNextSibling(u32, recordAt(contexts, child));
    }
    checkChain(index);
  }
  for (const index of used) {
    const parent = getParent(u32, recordAt(contexts, index));
    if ((seenAsChild.get(index) ?? 0) !== parent) {
      faults.push(`context ${index} says ${parent}, is listed by ${seenAsChild.get(index) ?? 0}`);
    }
  }
  for (const context of chunksOf.keys())
    faults.push(`chunks of context ${context} are left behind`);
  return faults;

  /** The chain of a context has all its chunks, and counts them. */
  function checkChain(index: number): void {
    const record = recordAt(contexts, index);
    const left = chunksOf.get(index) ?? new Set();
    chunksOf.delete(index);
    let count = 0;
    let bytes = 0;
    const keeper = getKeeper(u32, record);
    let hasKeeper = keeper === 0;
    for (let chunk = getChunk(u32, record); chunk !== 0; chunk = chunkAfter(chunk)) {
      if (!left.delete(chunk)) {
        faults.push(`the chain of context ${index} has chunk ${chunk}, which is not its own`);
        break;
      }
      hasKeeper ||= chunk === keeper;
      count++;
      bytes += getChunkBytes(u32, recordAt(chunks, chunk));
    }
    for (const chunk of left) faults.push(`chunk ${chunk} is in no chain of context ${index}`);
    if (!hasKeeper) faults.push(`context ${index} keeps chunk ${keeper}, which it does not have`);
    if (count !== getChunkCount(u32, record) || bytes !== getContextBytes(u32, record)) {
      faults.push(
        `context ${index}: ${count} chunks, ${bytes} bytes; it says ` +
          `${getChunkCount(u32, record)}, ${getContextBytes(u32, record)}`,
      );
    }
  }

  function chunkAfter(chunk: number): number {
    return getNextChunk(u32, recordAt(chunks, chunk));
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
