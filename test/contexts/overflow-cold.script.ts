/**
 * Overflows the stack in the first calls that make, release, adopt and end a context, when functions on
 * the way are compiled and need more stack than later. Prints JSON.
 */

import { SharedHeap } from 'shmalloc';

export interface ColdContexts {
  overflows: number;
  /** Contexts left when all that can be found were ended. */
  left: number;
  isSound: boolean;
}

const heap = SharedHeap.create({ size: '4MiB' });
let overflows = 0;
let isDone = false;

function act(): void {
  const { contexts } = heap;
  if (process.argv[2] === 'adopt') contexts.adopt(contexts.create('adopted').release()).delete();
  else contexts.create('made').delete();
}

/** Calls itself as deep as it can, and tries to act at each depth on its way back. */
function dive(): void {
  try {
    dive();
  } catch {
    overflows++;
  }
  if (isDone) return;
  try {
    act();
    isDone = true;
  } catch {
    overflows++;
  }
}

dive();
// A call of the heap puts right what the last one that overflowed had half done.
heap.contexts.create('last').delete();
for (const context of heap.contexts.list()) context.delete();
for (const handle of heap.contexts.released()) heap.contexts.adopt(handle).delete();
const { contexts, ok } = heap.verify({ quiet: true });
const result: ColdContexts = { overflows, left: contexts, isSound: ok };
console.log(JSON.stringify(result));
