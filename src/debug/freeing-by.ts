/**
 * Placement for a heap whose free is not the allocator's: with debug options, or with onError.
 *
 * Put in the place of the plain one by debug-thread.ts and error-policy.ts. Owner thread only.
 */

import type { Address, WordIndex } from '../base/index.js';
import { type Calls, OwnedBlocks, type ThreadHeap } from '../heap/index.js';

/** The same placement, except that blocks it frees for the program go through these calls. */
export class FreeingBy extends OwnedBlocks {
  readonly #heap: ThreadHeap;
  readonly #calls: Calls;

  constructor(heap: ThreadHeap, calls: Calls) {
    super(heap);
    this.#heap = heap;
    this.#calls = calls;
  }

  override free(word: WordIndex): boolean {
    const { memory, marks } = this.#heap;
    const { u32 } = memory;
    const block = u32[word] as Address;
    if (block === 0) return false;
    // A thread that dies between these steps loses the block, and its record says so: that is
    // better than an address of a free block.
    u32[word] = 0;
    // The program's own calls, but under the object's lock.
    marks.nested = true;
    try {
      this.#calls.free(block);
    } catch (error) {
      u32[word] = block;
      throw error;
    } finally {
      marks.nested = false;
    }
    return true;
  }
}
