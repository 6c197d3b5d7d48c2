/**
 * The calls of scripts with objects. See script.ts.
 */

import {
  doAdopt,
  doChunk,
  doCreate,
  doDeleteVector,
  doDrop,
  doEnd,
  doGrow,
  doMakeVector,
  doPlace,
  doRelease,
  doReparent,
  doReset,
  rootOf,
} from './object-programs.js';
import type { Step } from './points.js';
import type { Wanted } from './realloc.js';
import type { Blocks, ObjectCall } from './script.js';
import type { Thread } from './thread.js';
import type { World } from './world.js';

/** Runs a call if the objects that it names exist. */
export function* runObjectCall(w: World, t: Thread, call: ObjectCall, names: Blocks): Step<void> {
  const of = 'of' in call ? names.get(call.of) : 0;
  if (of === undefined) return;
  switch (call.call) {
    case 'context':
      note(names, call.as, yield* doCreate(w, t, numberOf(names, call.parent)));
      break;
    case 'chunk':
      note(names, call.as, yield* doChunk(w, t, of, sizeOf(call) as Wanted));
      break;
    case 'drop':
      yield* doDrop(w, t, of);
      names.delete(call.of);
      break;
    case 'reset':
      yield* doReset(w, t, of);
      break;
    case 'end':
      yield* doEnd(w, t, of);
      names.delete(call.of);
      break;
    case 'release':
      yield* doRelease(w, t, of);
      names.delete(call.of);
      break;
    case 'adopt':
      if (yield* doAdopt(w, t, call.record)) noteTree(w, names, call.as, call.record);
      break;
    case 'reparent':
      yield* doReparent(w, t, of, numberOf(names, call.to));
      break;
    case 'place':
      yield* doPlace(w, t, call.root, sizeOf(call));
      break;
    case 'vector':
      note(names, call.as, yield* doMakeVector(w, t, sizeOf(call) as Wanted));
      break;
    case 'unvector':
      yield* doDeleteVector(w, t, of);
      names.delete(call.of);
      break;
    case 'grow':
      yield* doGrow(w, t, of, sizeOf(call) as Wanted);
      break;
  }
}

function sizeOf({ c, pages }: { readonly c?: number; readonly pages?: number }): Wanted | null {
  if (c !== undefined) return { c };
  return pages === undefined ? null : { pages };
}

const numberOf = (names: Blocks, name: string | undefined): number =>
  name === undefined ? 0 : (names.get(name) ?? 0);

/** A root by its name, a context below it by the root's name and its record: `c.2`. */
function noteTree(w: World, names: Blocks, name: string, root: number): void {
  names.set(name, root);
  for (let c = 1; c < w.contextState.length; c++) {
    if (w.contextState[c] !== 0 && c !== root && rootOf(w, c) === root) {
      names.set(`${name}.${c}`, c);
    }
  }
}

function note(names: Blocks, name: string | undefined, record: number): void {
  if (name !== undefined && record !== 0) names.set(name, record);
}
