/**
 * Thread of the adoption tests: races for handles, or takes one thing after the other that it is
 * asked to do with a context.
 */

import { parentPort, workerData } from 'node:worker_threads';
import { type Address, type AnyContext, type ContextHandle, SharedHeap } from 'shmalloc';
import { findDamage } from '../helpers.js';

export interface RaceTask {
  readonly kind: 'race';
  readonly heap: SharedHeap['handle'];
  readonly words: Int32Array<SharedArrayBuffer>;
  /** Which of the racers this is, from 0. */
  readonly racer: number;
  readonly rounds: number;
}

export interface ServeTask {
  readonly kind: 'serve';
  readonly heap: SharedHeap['handle'];
}

/** Places in `words`. */
export const ROUND = 0;
export const INDEX = 1;
export const GENERATION = 2;
export const ADOPTIONS = 3;
/** From here: how far each racer is. */
export const DONE = 4;
/** From here: how many it won. */
export const WON = 8;
/** From here: how many errors of each that were others than those expected. */
export const STRANGE = 12;
export const WORDS = 16;
/** So often the next round is looked for before it is waited for. */
const SPINS = 3000;

export type Request =
  | { readonly ask: 'adopt'; readonly handle: ContextHandle; readonly objects: [Address, number][] }
  | { readonly ask: 'keep'; readonly handle: ContextHandle }
  | { readonly ask: 'use' }
  | { readonly ask: 'release' }
  | { readonly ask: 'make' }
  | { readonly ask: 'throwing' }
  | { readonly ask: 'close' }
  | { readonly ask: 'exit' };

export interface Answer {
  readonly code?: string | undefined;
  readonly message?: string;
  readonly value?: unknown;
}

function race({ words, racer, rounds, heap: handle }: RaceTask): void {
  using heap = SharedHeap.attach(handle);
  for (let round = 1; round <= rounds; round++) {
    for (let n = 0; Atomics.load(words, ROUND) < round; n++) {
      if (n > SPINS) Atomics.wait(words, ROUND, round - 1, 100);
    }
    try {
      const context = heap.contexts.adopt({
        kind: 'shmalloc context',
        heapId: handle.id,
        index: words[INDEX] as number,
        generation: words[GENERATION] as number,
        adoptions: words[ADOPTIONS] as number,
        name: 'prize',
        ident: '',
      });
      context.malloc(5000);
      Atomics.add(words, WON + racer, 1);
      if (round % 3 === 0) context.children[0]?.delete();
      context.delete();
    } catch (error) {
      const { code } = error as { code?: string };
      const expected = code === 'ERR_SHMALLOC_CONTEXT' || code === 'ERR_SHMALLOC_CONTEXT_ENDED';
      if (!expected) Atomics.add(words, STRANGE + racer, 1);
    }
    Atomics.store(words, DONE + racer, round);
    Atomics.notify(words, DONE + racer);
  }
}

function serve({ heap: handle }: ServeTask): void {
  const heap = SharedHeap.attach(handle);
  let kept: AnyContext | undefined;
  const answers: Record<Exclude<Request['ask'], 'close'>, (request: never) => unknown> = {
    adopt({ handle: given, objects }: Extract<Request, { ask: 'adopt' }>) {
      using context = heap.contexts.adopt(given);
      const whole = objects.every(([address, bytes], n) => {
        return findDamage(heap, address, bytes, n) === -1;
      });
      const owned =
        context.kind === 'bump' || heap.contexts.of(objects[0]?.[0] as Address) === context;
      if (context.kind === 'set') for (const [address] of objects) context.free(address);
      context.malloc(100_000);
      const { name, ident } = context;
      const children = context.children.map((child) => child.name);
      return { name, ident, children, whole, owned, objects: context.stats().objects };
    },
    keep({ handle: given }: Extract<Request, { ask: 'keep' }>) {
      kept = heap.contexts.adopt(given);
    },
    use() {
      return kept?.malloc(100);
    },
    release() {
      return kept?.release();
    },
    make() {
      const context = heap.contexts.create('made there', { kind: 'set', ident: 'i' });
      context.malloc(5000);
      context.createContext('child').malloc(70_000);
      return context.release();
    },
    throwing() {
      for (const n of [1, 2]) {
        const context = heap.contexts.create('c');
        context.malloc(5000);
        context.onReset(() => {
          parentPort?.postMessage({ value: `callback ${n}` });
          throw new Error('a callback at the end of a thread');
        });
      }
    },
    exit() {
      process.exit(0);
    },
  };
  parentPort?.on('message', (request: Request) => {
    if (request.ask === 'close') {
      parentPort?.unref();
      return;
    }
    let answer: Answer;
    try {
      answer = { value: answers[request.ask](request as never) };
    } catch (error) {
      answer = { code: (error as { code?: string }).code, message: (error as Error).message };
    }
    parentPort?.postMessage(answer);
  });
}

const task = workerData as RaceTask | ServeTask | null;
if (task?.kind === 'race') race(task);
if (task?.kind === 'serve') serve(task);
