/**
 * The state of a context: whether it lives, its place in the tree, and its end.
 *
 * Made by context.ts, one for each instance; used by context-runtime.ts, adoption.ts and
 * repair-objects.ts. Owner thread only.
 *
 * I1  Children end before their parents; nothing here is recursive.
 * I2  Of a context that this thread does not own any more, `context.at` is the null record, in which no
 *     object fits: every call ends in one that refuses.
 */

import { errorsIn, HeapError, List, show } from '../base/index.js';
import { describeContext } from '../blocks/index.js';
import * as ContextRecord from '../layout/context-record.js';
import type { ContextIndex } from '../layout/index.js';
import type { Context } from './context.js';
import type { AnyContext, ContextRuntime } from './context-runtime.js';
import type { VectorContext } from './vector-context.js';

type Life = 'live' | 'ending' | 'ended' | 'released';

const WHAT_ENDED: Readonly<Record<Exclude<Life, 'live'>, string>> = {
  ending: 'it is being reset or deleted',
  ended: 'it has ended',
  released: 'it was released, and belongs to the thread that adopts its handle',
};

/** Which context an instance is for. */
export interface ContextPlace {
  readonly index: ContextIndex;
  readonly parent: ContextState | null;
  readonly name: string;
  readonly ident: string;
}

export class ContextState {
  readonly runtime: ContextRuntime;
  readonly index: ContextIndex;
  readonly generation: number;
  readonly context: Context;
  parent: ContextState | null;
  readonly children = new Set<ContextState>();
  life: Life = 'live';
  readonly #callbacks = new List<() => void>();

  constructor(runtime: ContextRuntime, { index, parent }: ContextPlace, context: Context) {
    this.runtime = runtime;
    this.index = index;
    this.generation = ContextRecord.getGeneration(runtime.memory.u32, context.at);
    this.parent = parent;
    this.context = context;
  }

  // ---- the tree

  /** From now on it can be found. Not before the instance is whole: V8 may cut a constructor. */
  enlist(): void {
    this.#enlistBelow(this.parent);
    this.runtime.byIndex.set(this.index, this);
  }

  #enlistBelow(parent: ContextState | null): void {
    if (parent === null) this.runtime.roots.add(this);
    else parent.children.add(this);
  }

  /** @throws HeapError ERR_SHMALLOC_CONTEXT for a parent that is this context or lies below it */
  setParent(parent: ContextState | null): void {
    for (let at = parent; at !== null; at = at.parent) {
      if (at !== this) continue;
      const { name } = (parent as ContextState).context;
      const below = at === parent ? 'it cannot be its own parent' : `${show(name)} lies below it`;
      throw this.error('move', below);
    }
    this.runtime.requireHeadroom();
    this.runtime.change(() => {
      this.runtime.registry.move(this.index, parent === null ? (0 as ContextIndex) : parent.index);
      this.adoptedBy(parent);
    });
  }

  /** Its record names this parent. */
  adoptedBy(parent: ContextState | null): void {
    this.#leaveParent();
    this.parent = parent;
    this.#enlistBelow(parent);
  }

  #leaveParent(): void {
    this.runtime.roots.delete(this);
    if (this.parent !== null) this.parent.children.delete(this);
  }

  /** This context and all below it, children before their parents. */
  #subtree(): ContextState[] {
    const found = List.of<ContextState>(this);
    // Grows while it is walked: each brings its children.
    for (const state of found) for (const child of state.children) found.push(child);
    // One that a cut call was about to end goes on.
    if (found.some(({ life }) => life === 'ending')) this.runtime.resume();
    return found.reverse();
  }

  // ---- the end

  onReset(callback: () => void): void {
    this.#callbacks.push(callback);
  }

  reset(): void {
    this.requireLive('reset');
    const subtree = this.#subtree();
    subtree.pop();
    this.#end('reset', subtree, this);
  }

  resetOnly(): void {
    this.requireLive('resetOnly');
    this.#end('resetOnly', [], this);
  }

  resetChildren(): void {
    this.requireLive('resetChildren');
    this.runtime.attachment.core.repairIfCut();
    const errors = new List<unknown>();
    for (const child of [...this.children]) {
      if (child.life === 'ending') this.runtime.resume();
      // A callback of another one may have ended it, or given it away.
      if (child.life !== 'live') continue;
      try {
        child.reset();
      } catch (error) {
        const inside = errorsIn(error);
        if (inside === undefined) throw error;
        errors.push(...inside);
      }
    }
    this.#report('resetChildren', errors);
  }

  deleteChildren(): void {
    this.requireLive('deleteChildren');
    const subtree = this.#subtree();
    subtree.pop();
    this.#end('deleteChildren', subtree, null);
  }

  delete(): void {
    this.requireLive('delete');
    this.#end('delete', this.#subtree(), null);
  }

  /** As delete, where there is something to end. */
  dispose(): void {
    if (this.life === 'ending') this.runtime.resume();
    if (this.#isLive()) this.context.delete();
  }

  /** Ends some contexts, in this order, then empties one that stays. */
  #end(call: string, ending: readonly ContextState[], staying: ContextState | null): void {
    const errors = new List<unknown>();
    const all = staying === null ? ending : [...ending, staying];
    const busy = all.find(({ life }) => life === 'ending');
    if (busy !== undefined) throw busy.error(call, WHAT_ENDED.ending);
    if (ending.length > 0) this.runtime.requireHeadroom();
    try {
      // Nothing new may come below them from now on.
      for (let n = 0; n < all.length; n++) (all[n] as ContextState).life = 'ending';
      this.runtime.deferring(() => {
        for (const state of all) {
          state.#runCallbacks(errors);
          // A callback that has made the thread leave the heap has ended it already.
          if (state.life !== 'ending') continue;
          if (state === staying) this.runtime.chunks.clear(this.context.at, true);
          else state.#close();
        }
      });
    } finally {
      // No call, not even of an iterator: this may be where the stack ends.
      for (let n = 0; n < all.length; n++) {
        const state = all[n] as ContextState;
        if (state.life === 'ending') state.life = 'live';
      }
    }
    this.#report(call, errors);
  }

  #runCallbacks(errors: unknown[]): void {
    // Taken out before it is called: one that throws is not called again.
    for (let call = this.#callbacks.pop(); call !== undefined; call = this.#callbacks.pop()) {
      try {
        this.runtime.callBack(call);
      } catch (error) {
        errors.push(error);
      }
    }
  }

  #close(): void {
    const { chunks, registry } = this.runtime;
    chunks.clear(this.context.at, false);
    this.runtime.change(() => {
      registry.end(this.index);
      this.#leave('ended');
    });
  }

  /** A call was cut, and its record is not this thread's any more: it was about to end, or to be released. */
  forget(): void {
    this.#leave(this.life === 'ending' ? 'ended' : 'released');
  }

  /** A call was cut that was about to end it. */
  resume(): void {
    if (this.life === 'ending') this.life = 'live';
  }

  /**
   * The thread leaves the heap, which takes back what is left: callbacks that were not called yet are
   * called, and then the context has ended.
   */
  abort(errors: unknown[]): void {
    this.#runCallbacks(errors);
    if (this.life === 'live' || this.life === 'ending') this.#leave('ended');
  }

  /** This thread does not own the context any more. */
  #leave(life: 'ended' | 'released'): void {
    this.life = life;
    this.#leaveParent();
    this.parent = null;
    this.runtime.byIndex.delete(this.index);
    this.context.at = this.runtime.nullRecord;
  }

  #report(call: string, errors: readonly unknown[]): void {
    if (errors.length === 0) return;
    const some = errors.length === 1 ? 'a callback' : `${errors.length} callbacks`;
    const { name } = this.context;
    throw new AggregateError([...errors], `${call}: ${some} of context ${show(name)} threw`);
  }

  /** Releases it and all below it; how often it had been adopted. */
  release(): number {
    this.requireLive('release');
    const subtree = this.#subtree();
    for (const state of subtree) {
      if (state.life !== 'live') throw state.error('release', WHAT_ENDED.ending);
      if (state.#callbacks.length === 0) continue;
      throw state.error('release', 'callbacks are registered, which another thread cannot call');
    }
    this.runtime.requireHeadroom();
    if (this.parent !== null) this.setParent(null);
    const adoptions = ContextRecord.getAdoptions(this.runtime.memory.u32, this.context.at);
    this.runtime.change(() => {
      this.runtime.registry.release(this.index);
      for (const state of subtree) state.#leave('released');
    });
    return adoptions;
  }

  // ---- checks

  /** @throws HeapError ERR_SHMALLOC_CONTEXT_ENDED, ERR_SHMALLOC_CONTEXT */
  requireLive(call: string): void {
    // It may be ending since a call was cut: where no callback is under way it is not any more.
    if (this.life === 'ending') this.runtime.resume();
    if (this.#isLive()) return;
    const code = this.life === 'ending' ? 'ERR_SHMALLOC_CONTEXT' : 'ERR_SHMALLOC_CONTEXT_ENDED';
    throw this.error(call, WHAT_ENDED[this.life as Exclude<Life, 'live'>], code);
  }

  #isLive(): boolean {
    return this.life === 'live';
  }

  error(call: string, problem: string, code?: ContextErrorCode): HeapError {
    return contextError(call, this.context, problem, code);
  }

  /** The context as the vectors in it see it. */
  forVectors(): VectorContext {
    const { index, generation } = this;
    const { u32 } = this.runtime.memory;
    const context = this.context as AnyContext;
    return {
      index,
      generation,
      epoch: () => ContextRecord.getEpoch(u32, context.at),
      malloc: (bytes) => context.tryMalloc(bytes),
      free(address) {
        if (context.kind === 'set') context.free(address);
      },
    };
  }
}

type ContextErrorCode = 'ERR_SHMALLOC_CONTEXT' | 'ERR_SHMALLOC_CONTEXT_ENDED';

/** Why a call on a context is refused. */
export function contextError(
  call: string,
  context: Context,
  problem: string,
  code: ContextErrorCode = 'ERR_SHMALLOC_CONTEXT',
): HeapError {
  return new HeapError(code, `cannot ${call} ${describeContext(context)}: ${problem}`);
}
