/**
 * Thread of the deaths tests: does everything that can be done with contexts, at random, until it is
 * terminated. Threads pass contexts on to each other through shared words.
 */

import { workerData } from 'node:worker_threads';
import {
  type Address,
  type AnyContext,
  type ContextHandle,
  HeapError,
  HeapExhaustedError,
  type HeapHandle,
  SharedHeap,
} from 'shmalloc';
import { Random } from '../helpers.js';

export interface DeathTask {
  readonly heap: HeapHandle;
  readonly words: Int32Array<SharedArrayBuffer>;
  readonly seed: number;
}

/** Places in `words`: how many steps all threads have done, ... */
export const STEPS = 0;
/** ... how many errors they had that none should have, ... */
export const STRANGE = 1;
/** ... how often each kind of step was done, ... */
export const KINDS = 2;
export const STEP_NAMES = [
  'create',
  'malloc',
  'malloc large',
  'malloc own chunk',
  'free or realloc',
  'reset',
  'delete',
  'setParent',
  'release',
  'adopt',
  'beside',
] as const;
/** ... how often the heap was full, ... */
export const FULL = KINDS + STEP_NAMES.length;
/** ... and a mailbox of handles: index, generation, hands. */
export const MAILS = FULL + 1;
export const MAIL_COUNT = 8;
export const WORDS = MAILS + 3 * MAIL_COUNT;

const CONTEXTS_MAX = 40;

/** Takes a handle out of a mailbox that has one; index 0 = none. */
function takeMail(words: Int32Array, box: number, heapId: string): ContextHandle {
  const index = Atomics.exchange(words, MAILS + 3 * box, 0);
  const generation = words[MAILS + 3 * box + 1] as number;
  const adoptions = words[MAILS + 3 * box + 2] as number;
  return {
    kind: 'shmalloc context',
    heapId,
    index,
    generation,
    adoptions,
    name: 'passed',
    ident: '',
  };
}

function run({ heap: handle, words, seed }: DeathTask): void {
  const heap = SharedHeap.attach(handle);
  const random = new Random(seed);
  const contexts: AnyContext[] = [];
  const objects = new Map<AnyContext, Address[]>();

  /** Those that are here still: what has ended with its parent is not. */
  function sift(): void {
    const alive = new Set<AnyContext>();
    const found = heap.contexts.list();
    for (const context of found) {
      alive.add(context);
      for (const child of context.children) found.push(child);
    }
    contexts.splice(0, contexts.length, ...alive);
  }

  const steps: Record<(typeof STEP_NAMES)[number], (context: AnyContext) => void> = {
    create(context) {
      if (contexts.length >= CONTEXTS_MAX) return;
      const kind = random.pick(['bump', 'set'] as const);
      const initialBytes = random.pick([256, 4096, 70_000]);
      const options = { kind, initialBytes, maxBytes: random.pick([100_000, 2 ** 20]) };
      const parent = random.below(3) === 0 ? undefined : context;
      contexts.push(heap.contexts.create('c', { ...options, ...(parent && { parent }) }));
    },
    malloc(context) {
      const address = context.malloc(random.below(random.pick([100, 5000])));
      if (context.kind === 'set') objects.set(context, [...(objects.get(context) ?? []), address]);
    },
    'malloc large'(context) {
      context.malloc(random.below(30_000));
    },
    'malloc own chunk'(context) {
      context.malloc(25_001 + random.below(400_000));
    },
    'free or realloc'(context) {
      const own = objects.get(context);
      const address = own?.pop();
      if (own === undefined || address === undefined || heap.contexts.of(address) !== context)
        return;
      if (context.kind !== 'set') return;
      if (random.below(2) === 0) context.free(address);
      else own.push(context.realloc(address, 1 + random.below(200_000)));
    },
    reset(context) {
      objects.clear();
      random.pick([
        () => context.reset(),
        () => context.resetOnly(),
        () => context.resetChildren(),
        () => context.deleteChildren(),
      ])();
      sift();
    },
    delete(context) {
      context.delete();
      sift();
    },
    setParent(context) {
      try {
        context.setParent(random.below(3) === 0 ? null : random.pick(contexts));
      } catch (error) {
        if (!/lies below|own parent/.test((error as Error).message)) throw error;
      }
    },
    release(context) {
      const box = random.below(MAIL_COUNT);
      const { index, generation, adoptions } = context.release();
      // Full: then nobody gets to know of it, but for who looks through the heap.
      if (Atomics.load(words, MAILS + 3 * box) === 0) {
        words[MAILS + 3 * box + 1] = generation;
        words[MAILS + 3 * box + 2] = adoptions;
        Atomics.store(words, MAILS + 3 * box, index);
      }
      sift();
    },
    adopt() {
      const mail = takeMail(words, random.below(MAIL_COUNT), handle.id);
      if (mail.index === 0) return;
      try {
        heap.contexts.adopt(mail);
      } catch (error) {
        if (!(error instanceof HeapError)) throw error;
      }
      sift();
    },
    beside() {
      heap.free_ts(heap.malloc_ts(random.below(100_000)));
    },
  };

  for (;;) {
    const kind = random.below(STEP_NAMES.length);
    try {
      if (contexts.length === 0) contexts.push(heap.contexts.create('root'));
      steps[STEP_NAMES[kind] as 'malloc'](random.pick(contexts));
      Atomics.add(words, KINDS + kind, 1);
    } catch (error) {
      // All records may be taken, some of them for good: by released contexts that nobody knows of.
      const isFull = error instanceof HeapExhaustedError || /all are in use/.test(String(error));
      if (isFull) {
        Atomics.add(words, FULL, 1);
        steps.adopt(undefined as never);
      } else {
        Atomics.add(words, STRANGE, 1);
        console.error(error);
      }
    }
    Atomics.add(words, STEPS, 1);
  }
}

const task = workerData as DeathTask | null;
if (task !== null && 'seed' in task) run(task);
