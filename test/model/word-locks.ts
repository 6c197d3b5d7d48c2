/**
 * Locks of objects: a word with its owner's thread word. As sync/object-locks.ts.
 *
 * Any thread, in no section: these locks are outermost.
 *
 * I1  A thread that takes a lock over from a dead owner has recovered that owner's slot before: an
 *     intent over the word that the lock guards is resolved.
 * I2  Recovery never waits for such a lock: its owner may itself wait for recovery.
 */

import { repairIfCut } from './cuts.js';
import type { Step } from './points.js';
import { recover } from './recovery.js';
import { section } from './section.js';
import { type Thread, waitUntil } from './thread.js';
import type { World } from './world.js';

/** `at`: where in the data the lock is. */
export function* lockWord(w: World, t: Thread, at: number): Step<void> {
  yield* repairIfCut(w, t, t.marks.lock === 0);
  t.marks.lock = at;
  const words = w.data;
  for (;;) {
    yield 'word.lock';
    const owner = words[at];
    if (owner === 0) {
      words[at] = t.own;
      return;
    }
    yield* waitUntil(t, 'word.wait', () => words[at] !== owner || !w.exists(owner));
    if (words[at] !== owner) continue;
    yield 'look.alive';
    if (w.exists(owner)) continue;
    if (w.rules.recoverBeforeTakeover) yield* section(w, t, () => recover(w, t), true);
    yield 'word.takeover';
    // On failure another thread has taken it over.
    if (words[at] !== owner) continue;
    words[at] = t.own;
    return;
  }
}

export function* unlockWord(w: World, at: number): Step<void> {
  yield 'word.unlock';
  w.data[at] = 0;
}

/** Releases a lock that this thread owns. */
export function* unlockOwn(w: World, t: Thread, at: number): Step<void> {
  yield* unlockWord(w, at);
  t.marks.lock = 0;
}
