/**
 * Pauses: waits for something that neither a lock nor an event reports.
 *
 * Used by options/sync-output.ts. Any thread; the thread does nothing else meanwhile.
 */

import { atomics } from '../layout/index.js';

/** A word that no thread ever wakes. */
const word = new Int32Array(new SharedArrayBuffer(4));

/** Stops this thread for this many milliseconds. */
export function pause(milliseconds: number): void {
  atomics.wait(word, 0, 0, milliseconds);
}
