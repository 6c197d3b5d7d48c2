/**
 * The storage of shared vectors in contexts, and how it ends with the context.
 *
 * Called by chunks.ts for a context that ends or is reset, and by vector-storage.ts. Any thread that is
 * attached. The same for the dead is in recovery/reclaim-objects.ts.
 *
 * I1  It is given back under the vector's lock only (vector-storage I3).
 */

import type { WordIndex } from '../base/index.js';
import {
  chunkTable,
  chunkWord,
  closeVersion,
  isMarkedEnded,
  recordAt,
  storageLockWord,
  storageSerialWord,
  storageVersionWord,
  storeRecord,
} from '../layout/index.js';
import type { Attachment } from './attachment.js';

/** Takes a storage's block from it: it is no vector's any more. The caller has its lock. */
export function clearStorage({ core }: Attachment, record: WordIndex): void {
  const { i32, u32 } = core.memory;
  u32[storageSerialWord(record)] = 0;
  // Readers look again, and find the serial gone.
  closeVersion(i32, storageVersionWord(record));
  core.ownedBlocks.remove(chunkWord(record));
}

/**
 * Ends the storage of a shared vector: waits for its lock, gives its block back, then its record,
 * which is free then. Nothing of the record may be touched after.
 *
 * Called when its context ends or is reset, by the thread that has the context. `left`: by a thread
 * that had the lock when somebody else wanted to.
 */
export function endStorage(attachment: Attachment, chunk: number, left = false): void {
  const { core } = attachment;
  const { memory, objectLocks, events } = core;
  const record = recordAt(chunkTable(memory.geometry), chunk);
  const lock = storageLockWord(record);
  events.deferring(() => {
    core.marks.changing = null;
    objectLocks.acquire(lock);
    try {
      // Another one may have had the lock in between.
      if (left && !isMarkedEnded(memory.i32, record)) return;
      clearStorage(attachment, record);
      // Before the lock: whoever gets it next must not do this again.
      // point: storage.free
      storeRecord(memory.i32, record, 0);
    } finally {
      objectLocks.release(lock);
    }
  });
}
