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

import { List, type WordIndex } from '../base/index.js';
import type { ThreadHeap } from '../heap/index.js';
import * as ContextRecord from '../layout/context-record.js';
import { type ContextIndex, orderWrites, type RecordTable } from '../layout/index.js';
import * as Records from '../layout/record-table.js';
import { createRecordPool, type RecordPool } from '../pages/index.js';
import { freeContext } from '../recovery/index.js';
import type { ContextType, ResolvedContext } from './context-options.js';

const NONE = 0 as ContextIndex;
const ADOPTIONS_MASK = 0x1ff;
const encoder = new TextEncoder();

export class ContextRegistry {
  readonly #core: ThreadHeap;
  readonly #i32: Int32Array;
  readonly #u32: Uint32Array;
  readonly #table: RecordTable;
  readonly #pool: RecordPool;
  readonly #names = new EncodedNames();

  constructor(core: ThreadHeap) {
    const { i32, u32, geometry } = core.memory;
    this.#core = core;
    this.#i32 = i32;
    this.#u32 = u32;
    this.#table = ContextRecord.contextTable(geometry);
    this.#pool = createRecordPool(i32, this.#table);
  }

  at(index: number): WordIndex {
    return Records.at(this.#table, index);
  }

  kindOf(index: ContextIndex): ContextType {
    return ContextRecord.kindOf(Records.load(this.#i32, this.at(index))) === ContextRecord.SET_KIND
      ? 'set'
      : 'bump';
  }

  /** Makes a context; 0 when the heap has no record for one more. */
  create(name: string, parent: ContextIndex, options: ResolvedContext): ContextIndex {
    const { memory, slotIndex } = this.#core;
    const u32 = this.#u32;
    const kind = options.kind === 'set' ? ContextRecord.SET_KIND : ContextRecord.BUMP_KIND;
    // Before the record is taken: what may fail.
    const nameBytes = this.#names.of(name);
    const identBytes = encodeText(options.ident);
    // The generation is known only when the record is: until then it is as good as none.
    const claim = ContextRecord.stateOf(ContextRecord.UNRESOLVED, kind, slotIndex, 0);
    // point: context.claim
    const index = this.#pool.take(claim) as ContextIndex;
    if (index === 0) return NONE;
    const record = this.at(index);
    ContextRecord.writeNames(memory.u8, record, nameBytes, identBytes);
    for (const clear of CLEARED) clear(u32, record, 0);
    ContextRecord.empty(u32, record);
    ContextRecord.setInitialBytes(u32, record, options.initialBytes);
    ContextRecord.setMaxBytes(u32, record, options.maxBytes);
    ContextRecord.setNextBytes(u32, record, options.initialBytes);
    // point: context.link
    ContextRecord.setParent(u32, record, parent);
    this.#link(index, parent);
    const generation = ContextRecord.getGeneration(u32, record);
    // point: context.live
    Records.store(
      this.#i32,
      record,
      ContextRecord.stateOf(ContextRecord.LIVE, kind, slotIndex, generation),
    );
    return index;
  }

  #link(index: ContextIndex, parent: ContextIndex): void {
    const u32 = this.#u32;
    if (parent === 0) return;
    const first = ContextRecord.getFirstChild(u32, this.at(parent));
    ContextRecord.setNextSibling(u32, this.at(index), first);
    ContextRecord.setPrevSibling(u32, this.at(index), 0);
    if (first !== 0) ContextRecord.setPrevSibling(u32, this.at(first), index);
    ContextRecord.setFirstChild(u32, this.at(parent), index);
  }

  #unlink(index: ContextIndex): void {
    const u32 = this.#u32;
    const parent = ContextRecord.getParent(u32, this.at(index));
    if (parent === 0) return;
    const next = ContextRecord.getNextSibling(u32, this.at(index));
    const prev = ContextRecord.getPrevSibling(u32, this.at(index));
    if (next !== 0) ContextRecord.setPrevSibling(u32, this.at(next), prev);
    if (prev !== 0) ContextRecord.setNextSibling(u32, this.at(prev), next);
    else ContextRecord.setFirstChild(u32, this.at(parent), next);
  }

  /** Ends one that has no chunk and no child any more. */
  end(index: ContextIndex): void {
    this.#unlink(index);
    const { memory, slotIndex } = this.#core;
    freeContext(memory, slotIndex, this.at(index));
    this.#pool.remember(index);
  }

  /** Puts a context below another one, or makes it a root (0). */
  move(index: ContextIndex, parent: ContextIndex): void {
    const { slotIndex } = this.#core;
    const i32 = this.#i32;
    const record = this.at(index);
    this.#unlink(index);
    // Before it is a root: whose it is then, it says itself.
    // point: context.root
    Records.store(
      i32,
      record,
      ContextRecord.withPhase(Records.load(i32, record), ContextRecord.LIVE, slotIndex),
    );
    // point: context.reparent
    ContextRecord.storeParent(this.#u32, record, parent);
    this.#link(index, parent);
  }

  /** Gives a root away: it is nobody's then. */
  release(index: ContextIndex): void {
    const i32 = this.#i32;
    const record = this.at(index);
    // point: context.release
    Records.store(
      i32,
      record,
      ContextRecord.withPhase(
        Records.load(i32, record),
        ContextRecord.RELEASED,
        this.#adoptionBits(record),
      ),
    );
  }

  /** Low bits of the adoptions: a released context has them where a live one has its slot. */
  #adoptionBits(record: WordIndex): number {
    return ContextRecord.getAdoptions(this.#u32, record) & ADOPTIONS_MASK;
  }

  /** Takes a root that is nobody's; false when it is somebody's, or gone, or another one. */
  adopt(index: ContextIndex, generation: number, adoptions: number): boolean {
    const { slotIndex } = this.#core;
    const i32 = this.#i32;
    const u32 = this.#u32;
    const record = this.at(index);
    const state = Records.load(i32, record);
    if (ContextRecord.phaseOf(state) !== ContextRecord.RELEASED) return false;
    if (
      ContextRecord.getGeneration(u32, record) !== generation ||
      ContextRecord.getAdoptions(u32, record) !== adoptions
    )
      return false;
    // Failure: another thread has adopted it. ABA: the state has low bits of the generation and of
    // the adoptions, which would have to come round between these lines.
    // point: context.adopt
    if (
      !Records.cas(
        i32,
        record,
        state,
        ContextRecord.withPhase(state, ContextRecord.LIVE, slotIndex),
      )
    ) {
      return false;
    }
    // Who lists what is nobody's must not see the next hand of a context that seems to be released.
    orderWrites();
    ContextRecord.setAdoptions(u32, record, adoptions + 1);
    return true;
  }

  /** Links these anew, which are all contexts of this thread (I1). */
  relink(indexes: readonly ContextIndex[]): void {
    const u32 = this.#u32;
    for (const index of indexes) {
      ContextRecord.setFirstChild(u32, this.at(index), NONE);
      ContextRecord.setNextSibling(u32, this.at(index), NONE);
      ContextRecord.setPrevSibling(u32, this.at(index), NONE);
    }
    for (const index of indexes) this.#link(index, ContextRecord.getParent(u32, this.at(index)));
  }

  /** The contexts right below one, the last made first. */
  childrenOf(index: ContextIndex): ContextIndex[] {
    const u32 = this.#u32;
    const children = new List<ContextIndex>();
    for (let child = ContextRecord.getFirstChild(u32, this.at(index)); child !== 0; ) {
      children.push(child);
      child = ContextRecord.getNextSibling(u32, this.at(child));
    }
    return children;
  }
}

/** What a new context has none of. */
const CLEARED = [
  ContextRecord.setFirstChild,
  ContextRecord.setNextSibling,
  ContextRecord.setPrevSibling,
  ContextRecord.setChunk,
  ContextRecord.setChunkCount,
  ContextRecord.setBytes,
  ContextRecord.setKeeper,
];

/** A text as its record keeps it: cut to what there is room for, never within a character. */
function encodeText(text: string): Uint8Array {
  if (text === '') return EMPTY;
  const bytes = new Uint8Array(ContextRecord.TEXT_BYTES_MAX);
  return bytes.subarray(0, encoder.encodeInto(text, bytes).written);
}

const EMPTY = new Uint8Array(0);
/** Maximum names that are kept encoded. */
const NAMES_MAX = 1000;

/** Names are few, and used again and again. */
class EncodedNames {
  readonly #known = new Map<string, Uint8Array>();

  of(name: string): Uint8Array {
    let encoded = this.#known.get(name);
    if (encoded === undefined) {
      encoded = encodeText(name);
      if (this.#known.size < NAMES_MAX) this.#known.set(name, encoded);
    }
    return encoded;
  }
}
