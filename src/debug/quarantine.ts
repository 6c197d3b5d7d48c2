/**
 * Quarantine: freed blocks of a thread that wait before they are used again, so that a program that
 * still uses one hurts nobody, and is found out.
 *
 * Used by debug-calls.ts. Owner thread only. (As in Valgrind and AddressSanitizer.)
 *
 * The queue itself is the thread's own, and may be lost with it: which blocks wait is in their
 * records (layout/block-record.ts I2), and recovery finds them there.
 *
 * I1  A block is in the queue, or given back: one that cannot be given back now stays in it.
 * I2  To add a block does not throw, since the block is freed: what cannot leave for it leaves with
 *     the next one. A broken heap is another matter.
 */

import { type Address, isCorruption, isInvalidAddress, List, OwnSet } from '../base/index.js';

export interface Quarantine {
  /**
   * Takes a block in, and gives the oldest ones back while there are too many bytes.
   * @param free gives a block back to the heap
   * @returns what was found in the blocks that left; null = they were as they had been freed
   */
  add(block: Address, bytes: number, free: (block: Address) => void): Error | null;
  /** Gives all back: all that was found, and how many there were. */
  drain(free: (block: Address) => void): { blocks: number; errors: Error[] };
  /** A call was cut, and the queue may name blocks that are given back. @returns those that it keeps */
  keepOnly(waits: (block: Address) => boolean): ReadonlySet<Address>;
}

interface Waiting {
  readonly block: Address;
  readonly bytes: number;
}

/** @param check the error for a block that was written to since */
export function createQuarantine(
  bytesMax: number,
  check: (block: Address) => Error | null,
): Quarantine {
  let queue = new List<Waiting>();
  /** Entries before this one are gone: to shift each out would cost the queue's length. */
  let oldest = 0;
  let total = 0;

  function release(free: (block: Address) => void): Error | null {
    const { block, bytes } = queue[oldest];
    // With nothing held back it was filled just now.
    let error: Error | null = bytesMax === 0 ? null : check(block);
    try {
      free(block);
    } catch (refused) {
      // Another thread has freed it too, and was faster: it is not this thread's to give back.
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
