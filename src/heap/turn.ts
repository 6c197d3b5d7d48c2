/**
 * Turns: what is done when the thread's stack is empty.
 *
 * Used by news.ts and objects/, where the end of a call that V8 has cut (marks.ts) cannot be told from one
 * that is under way: after the turn it can. Owner thread only.
 */

// Taken when the module loads: test libraries put clocks and queues of their own into globals.
const resolved = Promise.resolve();
const soon: (work: () => void) => void = resolved.then.bind(resolved);

/** A function that has `work` done at the end of this turn, once, however often it is called. */
export function atEndOfTurn(work: () => void): () => void {
  let isDue = false;
  const run = (): void => {
    isDue = false;
    work();
  };
  return () => {
    if (isDue) return;
    isDue = true;
    soon(run);
  };
}
