/**
 * Realloc: a block gets another size, where it stands or somewhere else.
 *
 * Called by calls.ts. Owner thread only; the block is the caller's meanwhile.
 *
 * I1  A block that moves to a large one, or from one, is copied into a block that is not committed;
 *     then the old one is freed, and the new one committed last: at no point are both lost to a living
 *     thread, or both live.
 */

import {
  type Address,
  BLOCK_BYTES,
  classOf,
  GRANULE_SHIFT,
  LARGE,
  type MagazineIndex,
  NULL,
  pagesOf,
  type SizeClass,
  SMALL_BYTES_MAX,
} from '../base/index.js';
import * as Slot from '../layout/slot.js';
import { requireSize } from './arguments.js';
import { copyBytes } from './block-bytes.js';
import { tagOf, usableBytes } from './lookup.js';
import {
  fill,
  give,
  isFull,
  magazineFor,
  newest,
  pop,
  refuse,
  reserve,
  uncommitted,
} from './slow-path.js';
import type { ThreadHeap } from './thread-heap.js';

// Rebound: an imported constant costs a cell load at each use, a constant of the same file none.
const blockBytes = BLOCK_BYTES;
const LARGE_TAG = LARGE;
const SHIFT = GRANULE_SHIFT;
const STEP = Slot.MALLOC_STEP;

/** What is to become of a block. */
interface Move {
  readonly address: Address;
  /** Its tag. */
  readonly c: SizeClass;
  readonly size: number;
}

export function realloc(heap: ThreadHeap, address: Address, size: number): Address {
  requireSize('realloc', size);
  heap.section.checkOpen();
  if (address === 0) return heap.calls.malloc(size);
  const c = tagOf(heap, address, 'realloc');
  if (size === 0) {
    heap.calls.free(address);
    return NULL;
  }
  if (c === LARGE_TAG || size > SMALL_BYTES_MAX) return reallocOther(heap, address, c, size);
  const target = classOf(size);
  if (target === c) return address;
  // Between two magazines of this thread, neither empty nor full: no section, no lock.
  const magazine = magazineFor(heap, address, c);
  const to = newest(heap, target);
  if (to === 0 || isFull(heap, magazine)) return reallocOther(heap, address, c, size);
  copyBytes(heap.memory, to, address, Math.min(size, blockBytes[c]));
  return moveSmall(heap, address, magazine, target);
}

function reallocOther(heap: ThreadHeap, address: Address, c: SizeClass, size: number): Address {
  const move = { address, c, size };
  return size > SMALL_BYTES_MAX ? moveToLarge(heap, move) : moveToSmall(heap, move);
}

/**
 * Moves a block, whose bytes are copied, to another class: its own magazine is not full, the target's not
 * empty. Straight stores, as in the fast paths: nothing can come between the free and the malloc.
 * @param magazine the block's own, as the caller has found it: meanwhile its span may get another owner
 */
function moveSmall(
  heap: ThreadHeap,
  address: Address,
  magazine: MagazineIndex,
  target: SizeClass,
): Address {
  const memory = heap.memory;
  const u32 = memory.u32;
  const tags = memory.tags;
  const tops = heap.tops;
  const ownTop = u32[tops + magazine];
  const targetTop = u32[tops + target] - 1;
  const moved = u32[targetTop] || uncommitted(heap, target);
  u32[ownTop] = address;
  u32[tops + magazine] = ownTop + 1;
  tags[address >>> SHIFT] = 0;
  tags[moved >>> SHIFT] = target;
  memory.f64[heap.mallocs + target] += STEP;
  u32[tops + target] = targetTop;
  return moved as Address;
}

function moveToLarge(heap: ThreadHeap, move: Move): Address {
  const { section, events } = heap;
  let target: Address;
  section.enter();
  try {
    target = relocate(heap, move);
  } catch (error) {
    throw section.abort(error);
  }
  section.leave();
  if (target === 0) return refuse(heap, move.size);
  if (target !== move.address) heap.large.commit(target);
  if (events.state.hasPending) events.flush();
  return target;
}

/** The same block resized, or another one that is reserved, with the old one freed; 0 = full. */
function relocate(heap: ThreadHeap, { address, c, size }: Move): Address {
  const isResized = c === LARGE_TAG && heap.large.resize(address, pagesOf(size));
  const target = isResized ? address : reserve(heap, size, 1, true);
  if (target === 0) return NULL;
  // Before the old block is freed: should the magazine end in there, it is there still.
  heap.samples.large(size);
  if (isResized) return address;
  copyBytes(heap.memory, target, address, Math.min(size, usableBytes(heap, address, c)));
  give(heap, address, c);
  return target;
}

function moveToSmall(heap: ThreadHeap, move: Move): Address {
  const { section, events } = heap;
  const { address, c, size } = move;
  const target = classOf(size);
  const refilled = newest(heap, target) === 0;
  section.enter();
  let filled: boolean;
  let magazine = 0 as MagazineIndex;
  try {
    filled = fill(heap, target);
    // Looked for once: others may make its span theirs at any moment.
    if (c !== LARGE_TAG) magazine = magazineFor(heap, address, c);
    if (filled && refilled) heap.samples.small(target, size);
    if (filled && c === LARGE_TAG) {
      copyBytes(heap.memory, uncommitted(heap, target), address, size);
      heap.large.free(address);
    } else if (filled && isFull(heap, magazine)) {
      heap.cache.flush(magazine);
    }
  } catch (error) {
    throw section.abort(error);
  }
  section.leave();
  if (!filled) return refuse(heap, size);
  let moved: Address;
  if (c === LARGE_TAG) {
    moved = pop(heap, target);
  } else {
    copyBytes(heap.memory, uncommitted(heap, target), address, Math.min(size, blockBytes[c]));
    moved = moveSmall(heap, address, magazine, target);
  }
  if (events.state.hasPending) events.flush();
  return moved;
}
