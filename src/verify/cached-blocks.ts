/**
 * Verification of the magazines of one size class, and the blocks in them.
 *
 * Called by size-class.ts, under the lock of the class, in a quiet heap only.
 */

import {
  GRANULE_SHIFT,
  hex,
  type MagazineIndex,
  OwnSet,
  type SizeClass,
  type WordIndex,
} from '../base/index.js';
import { type HeapMemory, magazinesOf } from '../layout/index.js';
import * as Slot from '../layout/slot.js';
import type { Findings } from './verify.js';

/** Collects all cached blocks of the class; checks the magazines on the way. */
export function collectCached(memory: HeapMemory, c: SizeClass, findings: Findings): Set<number> {
  return new MagazineVerifier(memory, c, findings).collect();
}

class MagazineVerifier {
  readonly #memory: HeapMemory;
  readonly #i32: Int32Array;
  readonly #u32: Uint32Array;
  readonly #findings: Findings;
  readonly #c: SizeClass;
  readonly #found = new OwnSet<number>();

  constructor(memory: HeapMemory, c: SizeClass, findings: Findings) {
    this.#memory = memory;
    this.#i32 = memory.i32;
    this.#u32 = memory.u32;
    this.#findings = findings;
    this.#c = c;
  }

  collect(): Set<number> {
    const { slots, threads } = this.#memory.geometry;
    for (const slot of Slot.usedRecords(this.#u32, slots, threads)) {
      const magazines = magazinesOf(this.#c);
      for (let n = 0; n < magazines.length; n++) this.#collectMagazine(slot, magazines[n]);
    }
    return this.#found;
  }

  #collectMagazine(slot: WordIndex, magazine: MagazineIndex): void {
    const u32 = this.#u32;
    const bottom = Slot.magazineBottom(u32, slot, magazine);
    const top = Slot.getTop(u32, slot, magazine);
    if (Slot.getTransit(u32, slot, magazine) !== 0) {
      this.#findings.problem(
        'slot I3',
        slot * 4,
        `a transit of class ${this.#c} is open, but its lock was free`,
      );
    }
    if (Slot.isParked(u32, slot, magazine)) return;
    if (!this.#isBounded(bottom, top, bottom + Slot.getLimit(u32, slot, magazine))) {
      this.#findings.problem(
        'slot I1',
        slot * 4,
        `the entries of a magazine of class ${this.#c} are not between a zero and a sentinel`,
      );
      return;
    }
    for (let entry = bottom; entry < top; entry++) {
      const address = u32[entry];
      if (this.#found.has(address)) {
        this.#findings.problem('spans I5', address, `the block at ${hex(address)} is cached twice`);
      }
      this.#found.add(address);
    }
  }

  /** At `end` is a sentinel, or one block that a free pushed over it before its flush failed. */
  #isBounded(bottom: number, top: number, end: number): boolean {
    const i32 = this.#i32;
    const u32 = this.#u32;
    const address =
      u32[end] % (1 << GRANULE_SHIFT) === 0 && u32[end] >= this.#memory.geometry.dataStart;
    return (
      u32[bottom - 1] === 0 &&
      bottom <= top &&
      top <= end + 1 &&
      (i32[end] === Slot.SENTINEL || address) &&
      i32[end + 1] === Slot.SENTINEL
    );
  }
}
