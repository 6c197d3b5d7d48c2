/**
 * Stack headroom for calls of contexts: an overflow strikes before a record is claimed or let go, and
 * not between that and what follows (base/stack.ts).
 *
 * Made once for each attachment. Owner thread only. The heap's own gate probes in the middle of such a
 * call, when a record is taken already.
 */

import { probeStack, RESCUE_FRAMES, SECTION_FRAMES } from '../base/index.js';

/** The way to the heap's gate, and what its sections need. */
const CALL_FRAMES = 2 * SECTION_FRAMES;
/** So many calls may run functions for the first time, theirs and the heap's, which probes for it too. */
const COLD_CALLS = 256;
const COLD_CALL_FRAMES = 2 * RESCUE_FRAMES;

/** Throws where the stack ends; else there is enough for a call. */
export type Headroom = () => void;

export function createHeadroom(): Headroom {
  let coldCalls = COLD_CALLS;
  return () => {
    probeStack(coldCalls > 0 ? COLD_CALL_FRAMES : CALL_FRAMES);
    if (coldCalls > 0) coldCalls--;
  };
}
