/**
 * Turns: what is done when the thread's stack is empty.
 *
 * Used by event-queue.ts and contexts/, where the end of a call that V8 has cut (marks.ts) cannot be
 * told from one that is under way: after the turn it can. Owner thread only.
 */

import { laterThisTurn } from '../base/index.js';

/** A function that has `work` done at the end of this turn, once, however often it is called. */
export function atEndOfTurn(work: () => void): () => void {
  let isDue = false;
  const run = (): void => {
    isDue = false;
    work();
  };
  return () => {
    if (isDue) return;
    // In this order: V8 may cut the call in between.
    laterThisTurn(run);
    isDue = true;
  };
}
