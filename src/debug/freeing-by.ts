/**
 * Placement for a heap whose free is not the allocator's: with debug options, or with onError.
 *
 * Put in the place of the plain one by debug-thread.ts and error-policy.ts. Owner thread only.
 */

import type { Address } from '../base/index.js';
import type { Calls, OwnedBlocks, ThreadHeap } from '../heap/index.js';

/** The same placement, except that blocks it frees for the program go through these calls. */
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
      // A thread that dies between these steps loses the block, and its record says so: that is
      // better than an address of a free block.
      u32[word] = 0;
      // The program's own calls, but under the object's lock.
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
