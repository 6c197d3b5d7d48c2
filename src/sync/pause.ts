/**
 * Waiting for a while, for what no lock and no event can tell.
 *
 * Used by options/sync-output.ts. Any thread; nothing else runs in the thread meanwhile.
 */

import { atomics } from '../layout/index.js';

/** A word that nobody ever wakes. */
const word = new Int32Array(new SharedArrayBuffer(4));

/** Stops this thread for so many milliseconds. */
export function pause(milliseconds: number): void {
  atomics.wait(word, 0, 0, milliseconds);
}
