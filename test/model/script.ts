/**
 * Scripts: programs as data, so that the model and the real allocator can run the same ones.
 *
 * Blocks have names. A call whose block does not exist (its malloc threw, or the heap was full) is
 * skipped.
 */

import { guarded } from './cuts.js';
import { runObjectCall } from './object-script.js';
import type { PointName, Step } from './points.js';
import {
  caught,
  doDetach,
  doFree,
  doFreeShared,
  doLarge,
  doMalloc,
  doRealloc,
  doVerify,
} from './programs.js';
import { attach, recover } from './recovery.js';
import { section } from './section.js';
import { Thread } from './thread.js';
import { pagesOf } from './words.js';
import type { World } from './world.js';

/** A call, in a form that JSON can hold. `as` names the block that it returns. */
export type Call =
  | { readonly call: 'malloc'; readonly c: number; readonly zero?: true; readonly as?: string }
  | {
      readonly call: 'large';
      readonly pages: number;
      readonly place?: 'top';
      readonly align?: number;
      readonly zero?: true;
      readonly as?: string;
    }
  /** A run from the top: all of the reserve except `leave` pages, or one page if it is no longer. */
  | { readonly call: 'reserve'; readonly leave: number; readonly as?: string }
  /** `shared`: another thread may free the block, too. */
  | { readonly call: 'free'; readonly block: string; readonly shared?: true }
  | { readonly call: 'realloc'; readonly block: string; readonly c: number }
  | { readonly call: 'realloc'; readonly block: string; readonly pages: number }
  | ObjectCall
  | { readonly call: 'recover' | 'verify' | 'detach' | 'attach' };

/** The block that a call with objects asks for; neither field: no block. */
interface Size {
  readonly c?: number;
  readonly pages?: number;
}

/** Contexts, chunks and vectors have names like blocks; a RELEASED context is named by its record. */
export type ObjectCall =
  | { readonly call: 'context'; readonly as: string; readonly parent?: string }
  | ({ readonly call: 'chunk'; readonly of: string; readonly as?: string } & Size)
  | { readonly call: 'drop' | 'reset' | 'end' | 'release' | 'unvector'; readonly of: string }
  | { readonly call: 'adopt'; readonly record: number; readonly as: string }
  | { readonly call: 'reparent'; readonly of: string; readonly to?: string }
  | ({ readonly call: 'place'; readonly root: number } & Size)
  | ({ readonly call: 'vector'; readonly as: string } & Size)
  | ({ readonly call: 'grow'; readonly of: string } & Size);

export type Script = readonly Call[];

/** A thread that runs a script with its own slot and is killed before a point. */
export interface Casualty {
  readonly script: Script;
  readonly killedAt: PointName;
  /** The passage of the point, from 1; default 1. */
  readonly passage?: number;
}

export type Blocks = Map<string, number>;

/** Runs a script, which catches the errors thrown into its calls. */
export function* runScript(w: World, t: Thread, script: Script, blocks: Blocks): Step<void> {
  for (const call of script) yield* guarded(w, t, runCall(w, t, call, blocks));
}

export function* runCall(w: World, t: Thread, call: Call, blocks: Blocks): Step<void> {
  switch (call.call) {
    case 'malloc':
      note(blocks, call.as, yield* doMalloc(w, t, call.c, call.zero));
      break;
    case 'large':
      note(blocks, call.as, yield* doLarge(w, t, call.pages, call));
      break;
    case 'reserve': {
      const left = w.untouched === 0 ? 0 : pagesOf(w.run[w.untouched]);
      const pages = Math.max(1, left - call.leave);
      note(blocks, call.as, yield* doLarge(w, t, pages, { place: 'top' }));
      break;
    }
    case 'free':
      yield* runFree(w, t, call.block, blocks, call.shared === true);
      break;
    case 'realloc': {
      const address = blocks.get(call.block);
      if (address === undefined) return;
      const moved = yield* doRealloc(w, t, address, call);
      if (moved !== 0) blocks.set(call.block, moved);
      break;
    }
    case 'recover':
      yield* section(w, t, () => recover(w, t));
      break;
    case 'verify':
      yield* doVerify(w, t);
      break;
    case 'detach':
      yield* doDetach(w, t);
      break;
    case 'attach':
      while (!t.attached) yield* caught(attach(w, t));
      break;
    default:
      yield* runObjectCall(w, t, call, blocks);
  }
}

function* runFree(w: World, t: Thread, name: string, blocks: Blocks, shared: boolean): Step<void> {
  const address = blocks.get(name);
  if (address === undefined) return;
  yield* (shared ? doFreeShared : doFree)(w, t, address);
  blocks.delete(name);
}

function note(blocks: Blocks, name: string | undefined, address: number): void {
  if (name !== undefined && address !== 0) blocks.set(name, address);
}

/** Runs a casualty to its end. No other thread has its thread id. */
export function runCasualty(
  w: World,
  { script, killedAt, passage = 1 }: Casualty,
  id: number,
): void {
  const thread = new Thread(w, id, function* program(t) {
    yield* attach(w, t);
    yield* runScript(w, t, script, new Map());
  });
  let passages = 0;
  for (; !thread.over && thread.enabled; thread.step()) {
    if (thread.last === killedAt && ++passages === passage) break;
  }
  if (thread.over) w.fail(`the casualty never came to ${killedAt}`);
  thread.kill();
}
