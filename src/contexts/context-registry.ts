/**
 * Context records, as a thread that makes, links, hands over and ends contexts uses them.
 *
 * Called by context.ts and contexts.ts. Owner thread of the context only, but for adopt, which any
 * thread may try. No lock: a record changes hands by one compare-and-swap of its state
 * (layout/context-record.ts).
 *
 * I1  Parent links are the source; child and sibling links are for who adopts a tree. They are right
 *     whenever a context is released.
 */

import { List, type SlotIndex, type WordIndex } from '../base/index.js';
import {
  BUMP_KIND,
  type ContextIndex,
  casRecord,
  contextKind,
  contextPhase,
  contextState,
  contextTable,
  emptyContext,
  getAdoptions,
  getFirstChild,
  getGeneration,
  getNextSibling,
  getParent,
  getPrevSibling,
  LIVE_CONTEXT,
  loadRecord,
  orderWrites,
  RELEASED_CONTEXT,
  recordAt,
  SET_KIND,
  setAdoptions,
  setChunk,
  setChunkCount,
  setContextBytes,
  setFirstChild,
  setInitialBytes,
  setKeeper,
  setMaxBytes,
  setNextBytes,
  setNextSibling,
  setParent,
  setPrevSibling,
  storeParent,
  storeRecord,
  TEXT_BYTES_MAX,
  UNRESOLVED_CONTEXT,
  withPhase,
  writeNames,
} from '../layout/index.js';
import { createRecordPool } from '../pages/index.js';
import { freeContext } from '../recovery/index.js';
import type { Attachment } from './attachment.js';
import type { ContextType, ResolvedContext } from './context-options.js';

export interface ContextRegistry {
  at(index: ContextIndex): WordIndex;
  /** Makes a context; 0 when the heap has no record for one more. */
  create(name: string, parent: ContextIndex, options: ResolvedContext): ContextIndex;
  /** Ends one that has no chunk and no child any more. */
  end(index: ContextIndex): void;
  /** Puts a context below another one, or makes it a root (0). */
  move(index: ContextIndex, parent: ContextIndex): void;
  /** Gives a root away: it is nobody's then. */
  release(index: ContextIndex): void;
  /** Takes a root that is nobody's; false when it is somebody's, or gone, or another one. */
  adopt(index: ContextIndex, generation: number, adoptions: number): boolean;
  kindOf(index: ContextIndex): ContextType;
  /** Links these anew, which are all contexts of this thread (I1). */
  relink(indexes: readonly ContextIndex[]): void;
  /** The contexts right below one, the last made first. */
  childrenOf(index: ContextIndex): ContextIndex[];
}

const NONE = 0 as ContextIndex;
const ADOPTIONS_MASK = 0x1ff;
const encoder = new TextEncoder();

export function createContextRegistry({ core }: Attachment): ContextRegistry {
  const { memory, slotIndex } = core;
  const { i32, u32, u8, geometry } = memory;
  const table = contextTable(geometry);
  const pool = createRecordPool(i32, table);
  const nameOf = createNames();

  const at = (index: number): WordIndex => recordAt(table, index);

  function create(name: string, parent: ContextIndex, options: ResolvedContext): ContextIndex {
    const kind = options.kind === 'set' ? SET_KIND : BUMP_KIND;
    // Before the record is taken: what may fail.
    const nameBytes = nameOf(name);
    const identBytes = encodeText(options.ident);
    // The generation is known only when the record is: until then it is as good as none.
    // point: context.claim
    const index = pool.take(contextState(UNRESOLVED_CONTEXT, kind, slotIndex, 0)) as ContextIndex;
    if (index === 0) return NONE;
    const record = at(index);
    writeNames(u8, record, nameBytes, identBytes);
    for (const clear of CLEARED) clear(u32, record, 0);
    emptyContext(u32, record);
    setInitialBytes(u32, record, options.initialBytes);
    setMaxBytes(u32, record, options.maxBytes);
    setNextBytes(u32, record, options.initialBytes);
    // point: context.link
    setParent(u32, record, parent);
    link(index, parent);
    const generation = getGeneration(u32, record);
    // point: context.live
    storeRecord(i32, record, contextState(LIVE_CONTEXT, kind, slotIndex, generation));
    return index;
  }

  function link(index: ContextIndex, parent: ContextIndex): void {
    if (parent === 0) return;
    const first = getFirstChild(u32, at(parent));
    setNextSibling(u32, at(index), first);
    setPrevSibling(u32, at(index), 0);
    if (first !== 0) setPrevSibling(u32, at(first), index);
    setFirstChild(u32, at(parent), index);
  }

  function unlink(index: ContextIndex): void {
    const parent = getParent(u32, at(index));
    if (parent === 0) return;
    const next = getNextSibling(u32, at(index));
    const prev = getPrevSibling(u32, at(index));
    if (next !== 0) setPrevSibling(u32, at(next), prev);
    if (prev !== 0) setNextSibling(u32, at(prev), next);
    else setFirstChild(u32, at(parent), next);
  }

  function end(index: ContextIndex): void {
    unlink(index);
    freeContext(memory, slotIndex, at(index));
    pool.remember(index);
  }

  function move(index: ContextIndex, parent: ContextIndex): void {
    const record = at(index);
    unlink(index);
    // Before it is a root: whose it is then, it says itself.
    // point: context.root
    storeRecord(i32, record, withPhase(loadRecord(i32, record), LIVE_CONTEXT, slotIndex));
    // point: context.reparent
    storeParent(u32, record, parent);
    link(index, parent);
  }

  function release(index: ContextIndex): void {
    const record = at(index);
    // point: context.release
    storeRecord(
      i32,
      record,
      withPhase(loadRecord(i32, record), RELEASED_CONTEXT, handBits(record)),
    );
  }

  /** Of a released context in the place of the slot, which it has none of. */
  const handBits = (record: WordIndex): number => getAdoptions(u32, record) & ADOPTIONS_MASK;

  function adopt(index: ContextIndex, generation: number, adoptions: number): boolean {
    const record = at(index);
    const state = loadRecord(i32, record);
    if (contextPhase(state) !== RELEASED_CONTEXT) return false;
    if (getGeneration(u32, record) !== generation || getAdoptions(u32, record) !== adoptions)
      return false;
    // Failure: another thread has adopted it. ABA: the state has low bits of the generation and of
    // the adoptions, which would have to come round between these lines.
    // point: context.adopt
    if (!casRecord(i32, record, state, withPhase(state, LIVE_CONTEXT, slotIndex as SlotIndex))) {
      return false;
    }
    // Who lists what is nobody's must not see the next hand of a context that seems to be released.
    orderWrites();
    setAdoptions(u32, record, adoptions + 1);
    return true;
  }

  function relink(indexes: readonly ContextIndex[]): void {
    for (const index of indexes) {
      setFirstChild(u32, at(index), NONE);
      setNextSibling(u32, at(index), NONE);
      setPrevSibling(u32, at(index), NONE);
    }
    for (const index of indexes) link(index, getParent(u32, at(index)));
  }

  function childrenOf(index: ContextIndex): ContextIndex[] {
    const children = new List<ContextIndex>();
    for (let child = getFirstChild(u32, at(index)); child !== 0; ) {
      children.push(child);
      child = getNextSibling(u32, at(child));
    }
    return children;
  }

  return {
    at,
    create,
    end,
    move,
    release,
    adopt,
    kindOf: (index) => (contextKind(loadRecord(i32, at(index))) === SET_KIND ? 'set' : 'bump'),
    relink,
    childrenOf,
  };
}

/** What a new context has none of. */
const CLEARED = [
  setFirstChild,
  setNextSibling,
  setPrevSibling,
  setChunk,
  setChunkCount,
  setContextBytes,
  setKeeper,
];

/** A text as its record keeps it: cut to what there is room for, never within a character. */
function encodeText(text: string): Uint8Array {
  if (text === '') return EMPTY;
  const bytes = new Uint8Array(TEXT_BYTES_MAX);
  return bytes.subarray(0, encoder.encodeInto(text, bytes).written);
}

const EMPTY = new Uint8Array(0);
/** So many names are kept encoded. */
const NAMES_MAX = 1000;

/** Names are few, and used again and again. */
function createNames(): (name: string) => Uint8Array {
  const known = new Map<string, Uint8Array>();
  return (name) => {
    let encoded = known.get(name);
    if (encoded === undefined) {
      encoded = encodeText(name);
      if (known.size < NAMES_MAX) known.set(name, encoded);
    }
    return encoded;
  };
}
