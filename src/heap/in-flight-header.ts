/**
 * The word of a thread's slot that has the vector that it makes or deletes (layout/slot.ts): what is
 * named there is deleted, by recovery where the thread has died, by its next call where it lives.
 *
 * Used by vectors of the heap, and by the repair of what V8 has cut. Owner thread only.
 */

import type { WordIndex } from '../base/index.js';
import * as Slot from '../layout/slot.js';
import * as VectorHeader from '../layout/vector-header.js';
import type { ThreadHeap } from './thread-heap.js';

/** The word of this thread's slot that has what it makes or deletes. */
export function inFlightHeaderOf(core: ThreadHeap): WordIndex {
  return Slot.inFlightHeaderWord(Slot.at(core.memory.geometry.slots, core.slotIndex));
}

/** Deletes what is there: what was left there too, by an error, or by a call that was cut. */
export function clearInFlightHeader(core: ThreadHeap): void {
  const { memory, ownedBlocks } = core;
  const word = inFlightHeaderOf(core);
  const address = memory.u32[word];
  if (address === 0) return;
  const header = (address >>> 2) as WordIndex;
  VectorHeader.clear(memory.u32, header);
  ownedBlocks.remove(VectorHeader.dataWord(header));
  ownedBlocks.remove(word);
}
