/**
 * Verification of the context records: each record by itself, and the tree.
 *
 * chunk-chains.ts verifies their chunks. Called by objects.ts, whose note about other threads applies here, too.
 */

import { List, type SlotIndex, type WordIndex } from '../base/index.js';
import * as ContextRecord from '../layout/context-record.js';
import type { HeapMemory, RecordTable } from '../layout/index.js';
import * as Records from '../layout/record-table.js';
import * as Registry from '../layout/registry.js';
import { isStable } from '../pages/index.js';
import { ChainVerifier } from './chunk-chains.js';
import type { Findings } from './verify.js';

/** The last records of the two tables that may be in use. */
export interface Frontiers {
  readonly context: number;
  readonly chunk: number;
}

/** Checks all context records up to their frontier. */
export function checkContexts(memory: HeapMemory, findings: Findings, frontiers: Frontiers): void {
  new ContextVerifier(memory, findings, frontiers).run();
}

class ContextVerifier {
  readonly #memory: HeapMemory;
  readonly #i32: Int32Array;
  readonly #u32: Uint32Array;
  readonly #findings: Findings;
  readonly #frontier: number;
  readonly #table: RecordTable;
  /** 1 = the chain of parents from this context is known to end. */
  readonly #ends: Uint8Array;
  readonly #chains: ChainVerifier;
  /** 1 = a parent lists this context as its child. */
  readonly #listed: Uint8Array;

  constructor(memory: HeapMemory, findings: Findings, { context, chunk }: Frontiers) {
    this.#memory = memory;
    this.#i32 = memory.i32;
    this.#u32 = memory.u32;
    this.#findings = findings;
    this.#frontier = context;
    this.#table = ContextRecord.contextTable(memory.geometry);
    this.#ends = new Uint8Array(this.#table.count + 1);
    this.#chains = new ChainVerifier(memory, findings, chunk);
    this.#listed = new Uint8Array(context + 1);
  }

  run(): void {
    const { report } = this.#findings;
    if (this.#table.count === 0) return;
    this.#checkNone();
    for (let index = 1; index <= this.#frontier; index++) {
      if (this.#stateOf(index) === 0) continue;
      report.contexts++;
      this.#checkState(index);
      this.#checkParent(index);
    }
    if (!report.quiet) return;
    for (let index = 1; index <= this.#frontier; index++) {
      if (this.#stateOf(index) === 0) continue;
      this.#checkOwner(index);
      this.#checkChildren(index);
      this.#chains.check(index);
    }
    this.#checkListed();
    this.#chains.checkStrays();
  }

  #at(index: number): WordIndex {
    return Records.at(this.#table, index);
  }

  #stateOf(index: number): number {
    return Records.load(this.#i32, this.#at(index));
  }

  #inUse(index: number): boolean {
    return index > 0 && index <= this.#table.count && this.#stateOf(index) !== 0;
  }

  /** Record 0 must have no room: an allocation in it would be in no context. */
  #checkNone(): void {
    const u32 = this.#u32;
    const none = this.#at(0);
    if (ContextRecord.getCursor(u32, none) === 0 && ContextRecord.getChunkEnd(u32, none) === 0)
      return;
    this.#findings.problem(
      'context-record I3',
      none * 4,
      'record 0 is not a context, but has room for objects',
    );
  }

  #checkState(index: number): void {
    const place = this.#at(index) * 4;
    if (isStable(() => this.#stateOf(index) !== 0 && !this.#isState(this.#stateOf(index)))) {
      const state = `0x${(this.#stateOf(index) >>> 0).toString(16)}`;
      this.#findings.problem(
        'context-record I1',
        place,
        `context ${index} has state ${state}, which does not exist`,
      );
      return;
    }
    const released = () => ContextRecord.phaseOf(this.#stateOf(index)) === ContextRecord.RELEASED;
    if (isStable(() => released() && ContextRecord.loadParent(this.#u32, this.#at(index)) !== 0)) {
      this.#findings.problem(
        'context-record I1',
        place,
        `context ${index} has no owner, but is not a root`,
      );
    }
  }

  #isState(state: number): boolean {
    const phase = ContextRecord.phaseOf(state);
    // A released context has no slot.
    return (
      phase !== 0 &&
      (phase === ContextRecord.RELEASED ||
        ContextRecord.slotOf(state) < this.#memory.geometry.threads)
    );
  }

  #checkParent(index: number): void {
    const place = this.#at(index) * 4;
    const parentOf = (context: number) => ContextRecord.loadParent(this.#u32, this.#at(context));
    if (
      isStable(
        () => this.#stateOf(index) !== 0 && parentOf(index) !== 0 && !this.#inUse(parentOf(index)),
      )
    ) {
      const is = `context ${index} is below context ${parentOf(index)}, which does not exist`;
      this.#findings.problem('context-record I2', place, is);
      return;
    }
    // The parents' own parents are checked in their turn.
    if (!isStable(() => !this.#climbs(index))) return;
    this.#findings.problem(
      'context-record I2',
      place,
      `the chain of parents of context ${index} does not end`,
    );
    // Each context on this way is reported once.
    for (let at = index; this.#ends[at] === 0; at = parentOf(at)) this.#ends[at] = 1;
  }

  /** True if the chain of parents ends. Remembers the contexts on the way. */
  #climbs(from: number): boolean {
    const path = new List<number>();
    for (let index = from; index !== 0 && this.#ends[index] === 0; ) {
      if (path.push(index) > this.#table.count) return false;
      const parent =
        this.#stateOf(index) === 0 ? 0 : ContextRecord.loadParent(this.#u32, this.#at(index));
      index = parent > this.#table.count ? 0 : parent;
    }
    for (const index of path) this.#ends[index] = 1;
    return true;
  }

  // ---- Checks for a quiet heap only

  #checkOwner(index: number): void {
    const i32 = this.#i32;
    const u32 = this.#u32;
    const place = this.#at(index) * 4;
    const state = this.#stateOf(index);
    if (ContextRecord.phaseOf(state) === ContextRecord.UNRESOLVED) {
      const by = `slot ${ContextRecord.slotOf(state)}`;
      this.#findings.problem(
        'context-record I1',
        place,
        `context ${index} is unresolved: its creation or end was not completed by ${by}`,
      );
    }
    if (
      ContextRecord.loadParent(u32, this.#at(index)) !== 0 ||
      ContextRecord.phaseOf(state) !== ContextRecord.LIVE
    )
      return;
    const slot = ContextRecord.ownerOf(i32, u32, this.#table, index) as SlotIndex;
    if (
      slot >= this.#memory.geometry.threads ||
      Registry.loadOwner(i32, this.#memory.geometry.registry, slot) !== 0
    )
      return;
    this.#findings.problem(
      'context-record I1',
      place,
      `context ${index} belongs to slot ${slot}, which has no owner`,
    );
  }

  #checkChildren(index: number): void {
    const u32 = this.#u32;
    let prev = 0;
    for (let child: number = ContextRecord.getFirstChild(u32, this.#at(index)); child !== 0; ) {
      const wrong =
        !this.#inUse(child) || child > this.#frontier
          ? 'does not exist'
          : ContextRecord.loadParent(u32, this.#at(child)) !== index
            ? `is below context ${ContextRecord.loadParent(u32, this.#at(child))}`
            : this.#listed[child] !== 0
              ? 'is listed twice'
              : ContextRecord.getPrevSibling(u32, this.#at(child)) !== prev
                ? 'has a wrong link back'
                : '';
      if (wrong !== '') {
        const says = `context ${index} has context ${child} as a child, which ${wrong}`;
        this.#findings.problem('context-record I2', this.#at(index) * 4, says);
      }
      // A broken list can lead anywhere; the next sibling of a child with a wrong link back is
      // sound.
      if (wrong !== '' && wrong !== 'has a wrong link back') return;
      this.#listed[child] = 1;
      prev = child;
      child = ContextRecord.getNextSibling(u32, this.#at(child));
    }
  }

  #checkListed(): void {
    for (let index = 1; index <= this.#frontier; index++) {
      if (this.#stateOf(index) === 0 || this.#listed[index] === 1) continue;
      const parent = ContextRecord.loadParent(this.#u32, this.#at(index));
      if (!this.#inUse(parent)) continue;
      const is = `context ${index} is below context ${parent}, which does not list it`;
      this.#findings.problem('context-record I2', this.#at(index) * 4, is);
    }
  }
}
