/**
 * Verification of the context records: each record by itself, the tree, and the chains and counts.
 *
 * Called by objects.ts, whose note about other threads applies here, too.
 */

import { GRANULE_SHIFT, hex, List, type SlotIndex, type WordIndex } from '../base/index.js';
import {
  chunkTable,
  contextOwner,
  contextPhase,
  contextSlot,
  contextTable,
  FREE_LISTS_MAX,
  freeListWord,
  getChunk,
  getChunkAddress,
  getChunkBytes,
  getChunkCount,
  getChunkEnd,
  getChunkStart,
  getContextBytes,
  getCursor,
  getFirstChild,
  getFreedBytes,
  getKeeper,
  getNextChunk,
  getNextSibling,
  getPrevChunk,
  getPrevSibling,
  getUsedBefore,
  type HeapMemory,
  LIVE_CONTEXT,
  loadOwner,
  loadParent,
  loadRecord,
  RELEASED_CONTEXT,
  recordAt,
  UNRESOLVED_CONTEXT,
} from '../layout/index.js';
import { isStable } from '../pages/index.js';
import type { Findings } from './verify.js';

/** Checks all context records up to the frontier, the last record that may be in use. */
export function checkContexts(
  memory: HeapMemory,
  findings: Findings,
  frontier: number,
  chunkFrontier: number,
): void {
  const { i32, u32, geometry } = memory;
  const { problem, report, owned } = findings;
  const table = contextTable(geometry);
  const chunks = chunkTable(geometry);
  const at = (index: number): WordIndex => recordAt(table, index);
  const stateOf = (index: number): number => loadRecord(i32, at(index));
  const inUse = (index: number): boolean =>
    index > 0 && index <= table.count && stateOf(index) !== 0;

  if (table.count === 0) return;
  checkNone();
  /** 1 = the chain of parents from this context is known to end. */
  const ends = new Uint8Array(table.count + 1);
  for (let index = 1; index <= frontier; index++) {
    if (stateOf(index) === 0) continue;
    report.contexts++;
    checkState(index);
    checkParent(index);
  }
  if (!report.quiet) return;
  /** By chunk record: the context whose chain contains it; 0 = none. */
  const hangs = new Uint32Array(chunkFrontier + 1);
  const listed = new Uint8Array(frontier + 1);
  for (let index = 1; index <= frontier; index++) {
    if (stateOf(index) === 0) continue;
    checkOwner(index);
    checkChildren(index);
    checkChains(index);
    checkCursor(index);
    checkTaken(index);
  }
  checkListed();
  checkHanging();

  /** Record 0 must have no room: an allocation in it would be in no context. */
  function checkNone(): void {
    const none = at(0);
    if (getCursor(u32, none) === 0 && getChunkEnd(u32, none) === 0) return;
    problem('context-record I3', none * 4, 'record 0 is not a context, but has room for objects');
  }

  function checkState(index: number): void {
    const place = at(index) * 4;
    if (isStable(() => stateOf(index) !== 0 && !isState(stateOf(index)))) {
      const state = `0x${(stateOf(index) >>> 0).toString(16)}`;
      problem(
        'context-record I1',
        place,
        `context ${index} has state ${state}, which does not exist`,
      );
      return;
    }
    const released = () => contextPhase(stateOf(index)) === RELEASED_CONTEXT;
    if (isStable(() => released() && loadParent(u32, at(index)) !== 0)) {
      problem('context-record I1', place, `context ${index} has no owner, but is not a root`);
    }
  }

  function isState(state: number): boolean {
    const phase = contextPhase(state);
    // A released context has no slot.
    return phase !== 0 && (phase === RELEASED_CONTEXT || contextSlot(state) < geometry.threads);
  }

  function checkParent(index: number): void {
    const place = at(index) * 4;
    const parentOf = (context: number) => loadParent(u32, at(context));
    if (isStable(() => stateOf(index) !== 0 && parentOf(index) !== 0 && !inUse(parentOf(index)))) {
      const is = `context ${index} is below context ${parentOf(index)}, which does not exist`;
      problem('context-record I2', place, is);
      return;
    }
    // The parents' own parents are checked in their turn.
    if (!isStable(() => !climbs(index))) return;
    problem('context-record I2', place, `the chain of parents of context ${index} does not end`);
    // Each context on this way is reported once.
    for (let at = index; ends[at] === 0; at = parentOf(at)) ends[at] = 1;
  }

  /** True if the chain of parents ends. Remembers the contexts on the way. */
  function climbs(from: number): boolean {
    const path = new List<number>();
    for (let index = from; index !== 0 && ends[index] === 0; ) {
      if (path.push(index) > table.count) return false;
      const parent = stateOf(index) === 0 ? 0 : loadParent(u32, at(index));
      index = parent > table.count ? 0 : parent;
    }
    for (const index of path) ends[index] = 1;
    return true;
  }

  // ---- Checks for a quiet heap only

  function checkOwner(index: number): void {
    const place = at(index) * 4;
    const state = stateOf(index);
    if (contextPhase(state) === UNRESOLVED_CONTEXT) {
      const by = `slot ${contextSlot(state)}`;
      problem(
        'context-record I1',
        place,
        `context ${index} is unresolved: its creation or end was not completed by ${by}`,
      );
    }
    if (loadParent(u32, at(index)) !== 0 || contextPhase(state) !== LIVE_CONTEXT) return;
    const slot = contextOwner(i32, u32, table, index) as SlotIndex;
    if (slot >= geometry.threads || loadOwner(i32, geometry.registry, slot) !== 0) return;
    problem(
      'context-record I1',
      place,
      `context ${index} belongs to slot ${slot}, which has no owner`,
    );
  }

  function checkChildren(index: number): void {
    let prev = 0;
    for (let child: number = getFirstChild(u32, at(index)); child !== 0; ) {
      const wrong =
        !inUse(child) || child > frontier
          ? 'does not exist'
          : loadParent(u32, at(child)) !== index
            ? `is below context ${loadParent(u32, at(child))}`
            : listed[child] !== 0
              ? 'is listed twice'
              : getPrevSibling(u32, at(child)) !== prev
                ? 'has a wrong link back'
                : '';
      if (wrong !== '') {
        const says = `context ${index} has context ${child} as a child, which ${wrong}`;
        problem('context-record I2', at(index) * 4, says);
      }
      // A broken list can lead anywhere; the next sibling of a child with a wrong link back is
      // sound.
      if (wrong !== '' && wrong !== 'has a wrong link back') return;
      listed[child] = 1;
      prev = child;
      child = getNextSibling(u32, at(child));
    }
  }

  function checkListed(): void {
    for (let index = 1; index <= frontier; index++) {
      if (stateOf(index) === 0 || listed[index] === 1) continue;
      const parent = loadParent(u32, at(index));
      if (!inUse(parent)) continue;
      const is = `context ${index} is below context ${parent}, which does not list it`;
      problem('context-record I2', at(index) * 4, is);
    }
  }

  function checkChains(index: number): void {
    const record = at(index);
    const keeper = getKeeper(u32, record);
    let keeps = keeper === 0;
    let count = 0;
    let bytes = 0;
    let after = 0;
    hang(index, getChunk(u32, record), (chunk, n) => {
      if (getPrevChunk(u32, chunk) !== after) {
        problem(
          'context-record I4',
          chunk * 4,
          `chunk ${n} of context ${index} has a wrong link back`,
        );
      }
      after = n;
      keeps ||= n === keeper;
      count++;
      bytes += getChunkBytes(u32, chunk);
      const usable = owned.get(getChunkAddress(u32, chunk));
      if (usable === undefined || usable === getChunkBytes(u32, chunk)) return;
      const is = `a chunk of context ${index} has ${getChunkBytes(u32, chunk)} bytes; its block has`;
      problem('context-record I4', chunk * 4, `${is} ${usable}`);
    });
    if (!keeps) {
      const has = `context ${index} is to keep chunk ${keeper}, which is not in its chain`;
      problem('context-record I4', record * 4, has);
    }
    const counted = [getChunkCount(u32, record), getContextBytes(u32, record)];
    if (counted[0] === count && counted[1] === bytes) return;
    const says = `context ${index} counts ${counted[0]} chunks, ${counted[1]} bytes; it has`;
    problem('context-record I4', record * 4, `${says} ${count}, ${bytes}`);
  }

  /** Follows a chain of chunk records until its end or its first broken record. */
  function hang(index: number, first: number, visit: (chunk: WordIndex, n: number) => void): void {
    for (let chunk = first; chunk !== 0; ) {
      const inside = chunk <= chunkFrontier;
      const record = recordAt(chunks, inside ? chunk : 0);
      if (!inside || loadRecord(i32, record) !== index || hangs[chunk] !== 0) {
        const what = inside && hangs[chunk] !== 0 ? 'twice' : 'which is not its own';
        const has = `the chain of context ${index} has chunk ${chunk}, ${what}`;
        problem('context-record I4', at(index) * 4, has);
        return;
      }
      hangs[chunk] = index;
      visit(record, chunk);
      chunk = getNextChunk(u32, record);
    }
  }

  function checkHanging(): void {
    for (let chunk = 1; chunk <= chunkFrontier; chunk++) {
      const record = recordAt(chunks, chunk);
      const context = loadRecord(i32, record);
      if (context === 0 || hangs[chunk] !== 0) continue;
      const is = `chunk ${chunk} belongs to context ${context}, but is not in its chain`;
      problem('context-record I4', record * 4, is);
    }
  }

  /** Checks that start <= cursor <= limit, all three in one chunk. */
  function checkCursor(index: number): void {
    const record = at(index);
    const start = getChunkStart(u32, record);
    const cursor = getCursor(u32, record);
    const limit = getChunkEnd(u32, record);
    const isNone = start === 0 && cursor === 0 && limit === 0;
    if (isNone || (start <= cursor && cursor <= limit && isInChunk(index, start, limit))) return;
    const says = `context ${index} has the cursor ${cursor} and a chunk from ${start} to ${limit}`;
    problem('context-record I4', record * 4, `${says}: not inside one of its chunks`);
  }

  /** Checks the bytes of objects and of freed objects. */
  function checkTaken(index: number): void {
    const record = at(index);
    const current = getCursor(u32, record) - getChunkStart(u32, record);
    const used = getUsedBefore(u32, record) + current - getFreedBytes(u32, record);
    if (used < 0 || used > getContextBytes(u32, record)) {
      const says = `objects of context ${index} take ${used} of ${getContextBytes(u32, record)} bytes`;
      problem('context-record I4', record * 4, says);
    }
    for (let log = GRANULE_SHIFT; log < GRANULE_SHIFT + FREE_LISTS_MAX; log++) {
      const address = u32[freeListWord(record, log)];
      if (address === 0 || isInChunk(index, address, address + 2 ** log)) continue;
      const has = `context ${index} has a freed object at ${hex(address)}: not inside its chunks`;
      problem('context-record I4', record * 4, has);
    }
  }

  function isInChunk(index: number, start: number, limit: number): boolean {
    let chunk = getChunk(u32, at(index));
    for (let n = 0; chunk !== 0 && chunk <= chunkFrontier && n <= chunkFrontier; n++) {
      const record = recordAt(chunks, chunk);
      const address = getChunkAddress(u32, record);
      if (address <= start && limit <= address + getChunkBytes(u32, record)) return true;
      chunk = getNextChunk(u32, record);
    }
    return false;
  }
}
