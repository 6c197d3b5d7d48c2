/**
 * The word of a thread's slot that has the vector that it makes or deletes (layout/slot.ts): what is
 * named there is deleted, by recovery where the thread has died, by its next call where it lives.
 *
 * Used by vectors of the heap, and by the repair of what V8 has cut. Owner thread only.
 */

import type { WordIndex } from '../base/index.js';
import { clearVector, inFlightHeaderWord, slotRecord, vectorDataWord } from '../layout/index.js';
import type { ThreadHeap } from './thread-heap.js';

/** The word of this thread's slot that has what it makes or deletes. */
export function inFlightHeaderOf(core: ThreadHeap): WordIndex {
  return inFlightHeaderWord(slotRecord(core.memory.geometry.slots, core.slotIndex));
}

/** Deletes what is there: what was left there too, by an error, or by a call that was cut. */
export function clearInFlightHeader(core: ThreadHeap): void {
  const { memory, ownedBlocks } = core;
  const word = inFlightHeaderOf(core);
  const address = memory.u32[word];
  if (address === 0) return;
  const header = (address >>> 2) as WordIndex;
  clearVector(memory.u32, header);
  ownedBlocks.remove(vectorDataWord(header));
  ownedBlocks.remove(word);
}
