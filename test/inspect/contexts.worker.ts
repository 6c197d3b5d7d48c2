/**
 * Thread of the tests that read contexts while they change: makes trees of contexts, fills, moves,
 * resets, ends, releases and adopts them, until told to stop. `churn` does some steps of that.
 */

import { parentPort, workerData } from 'node:worker_threads';
import { type AnyContext, type ContextHandle, type HeapHandle, SharedHeap } from 'shmalloc';
import { Random } from '../helpers.js';

export interface ContextChurn {
  readonly handle: HeapHandle;
  readonly seed: number;
  /** Word 0: not 0 = stop. */
  readonly words: Int32Array<SharedArrayBuffer>;
}

const CONTEXTS_MAX = 60;

/** Steps of random work on the contexts of this thread. */
export function churn(heap: SharedHeap, random: Random, handles: ContextHandle[]): () => void {
  const all = (): AnyContext[] => {
    const found = heap.contexts.list();
    for (const context of found) found.push(...context.children);
    return found;
  };
  return () => {
    const contexts = all();
    const what = random.below(100);
    const one = contexts.length === 0 ? undefined : random.pick(contexts);
    if (one === undefined || (what < 25 && contexts.length < CONTEXTS_MAX)) {
      const kind = random.pick(['bump', 'set'] as const);
      const options = { kind, ident: String(what), maxBytes: random.pick([1024, 65_536, 2 ** 20]) };
      const parent = random.below(4) === 0 ? undefined : one;
      heap.contexts.create(`context ${what}`, { ...options, ...(parent && { parent }) });
    } else if (what < 70) {
      for (let n = random.below(60); n > 0; n--) {
        const address = one.tryMalloc(random.below(random.pick([64, 1000, 1000, 90_000])));
        if (address !== 0 && one.kind === 'set' && random.below(2) === 0) one.free(address);
      }
    } else if (what < 78) one.reset();
    else if (what < 88) one.delete();
    else if (what < 94) {
      const parent = random.pick([null, ...contexts]);
      let above = parent;
      while (above !== null && above !== one) above = above.parent;
      if (above === null) one.setParent(parent);
    } else if (one.parent === null && handles.length < 5) handles.push(one.release());
    else if (handles.length > 0) heap.contexts.adopt(handles.shift() as ContextHandle);
  };
}

if (parentPort !== null && (workerData as ContextChurn | null)?.words !== undefined) {
  const { handle, seed, words } = workerData as ContextChurn;
  const heap = SharedHeap.attach(handle);
  const handles: ContextHandle[] = [];
  const step = churn(heap, new Random(seed), handles);
  parentPort.postMessage('here');
  while (Atomics.load(words, 0) === 0) step();
  for (const released of handles) heap.contexts.adopt(released);
  heap.detach();
  parentPort.postMessage('done');
}
