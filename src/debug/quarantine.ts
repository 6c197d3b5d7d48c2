/**
 * Quarantine: freed blocks of a thread that wait before they are reused, so that a program that
 * still uses one harms no other block, and is detected.
 *
 * Used by debug-calls.ts. Owner thread only. (As in Valgrind and AddressSanitizer.)
 *
 * The queue is the thread's own, and may be lost with it: the blocks' records say which blocks wait
 * (layout/block-record.ts I2), and recovery finds them there.
 *
 * I1  A block is in the queue, or given back: one that cannot be given back now stays in it.
 * I2  Adding a block does not throw, since the block is freed: a block that cannot leave now leaves
 *     with the next one. Only a broken heap makes it throw.
 */

import { type Address, isCorruption, isInvalidAddress, List, OwnSet } from '../base/index.js';

export interface Quarantine {
  /**
   * Adds a block, and gives the oldest blocks back while the total exceeds the maximum.
   * @param free gives a block back to the heap
   * @returns the first damage found in the blocks that left; null if they were unchanged
   */
  add(block: Address, bytes: number, free: (block: Address) => void): Error | null;
  /** Gives all blocks back; returns the damage found, and the number of blocks. */
  drain(free: (block: Address) => void): { blocks: number; errors: Error[] };
  /**
   * For a queue that may name blocks already given back, after a cut call. @returns the blocks that
   * it keeps
   */
  keepOnly(waits: (block: Address) => boolean): ReadonlySet<Address>;
}

interface Waiting {
  readonly block: Address;
  readonly bytes: number;
}

/** @param check the error for a block that was written to after its free */
export function createQuarantine(
  bytesMax: number,
  check: (block: Address) => Error | null,
): Quarantine {
  let queue = new List<Waiting>();
  /**
   * Index of the oldest entry; those before it are gone. To shift each out would cost O(length).
   */
  let oldest = 0;
  let total = 0;

  function release(free: (block: Address) => void): Error | null {
    const { block, bytes } = queue[oldest];
    // With a maximum of 0 the block was filled just now.
    let error: Error | null = bytesMax === 0 ? null : check(block);
    try {
      free(block);
    } catch (refused) {
      // Another thread has freed the block too, and was faster: this thread must not give it back.
      if (!isInvalidAddress(refused)) throw refused;
      error ??= refused;
    }
    oldest++;
    total -= bytes;
    if (oldest * 2 >= queue.length) {
      queue = queue.slice(oldest) as List<Waiting>;
      oldest = 0;
    }
    return error;
  }

  return {
    add(block, bytes, free) {
      queue.push({ block, bytes });
      total += bytes;
      let found: Error | null = null;
      try {
        while (total > bytesMax) {
          const error = release(free);
          found ??= error;
        }
      } catch (error) {
        if (isCorruption(error)) throw error;
      }
      return found;
    },
    drain(free) {
      const blocks = queue.length - oldest;
      const errors = new List<Error>();
      while (oldest < queue.length) {
        const late = release(free);
        if (late !== null) errors.push(late);
      }
      return { blocks, errors };
    },
    keepOnly(waits) {
      queue = queue.slice(oldest).filter(({ block }) => waits(block)) as List<Waiting>;
      oldest = 0;
      total = queue.reduce((sum, { bytes }) => sum + bytes, 0);
      const kept = new OwnSet<Address>();
      for (let n = 0; n < queue.length; n++) kept.add((queue[n] as Waiting).block);
      return kept;
    },
  };
}
