/**
 * Placement of a heap whose frees are more than the allocator's: with debug options, or forgiving.
 *
 * Put in the place of the plain one by debug-thread.ts and error-policy.ts. Owner thread only.
 */

import type { Address } from '../base/index.js';
import type { Calls, OwnedBlocks, ThreadHeap } from '../heap/index.js';

/** The same placement, but that what it frees for the program goes through these calls. */
export function freeingBy(
  { memory, ownedBlocks, marks }: ThreadHeap,
  { free }: Calls,
): OwnedBlocks {
  const { u32 } = memory;
  return {
    ...ownedBlocks,
    free(word) {
      const block = u32[word] as Address;
      if (block === 0) return false;
      // Here a thread that dies in between loses the block, and its records say so: better than an
      // address of a block that is free.
      u32[word] = 0;
      // The same calls as the program's, but under the object's lock.
      marks.nested = true;
      try {
        free(block);
      } catch (error) {
        u32[word] = block;
        throw error;
      } finally {
        marks.nested = false;
      }
      return true;
    },
  };
}
