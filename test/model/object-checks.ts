/**
 * Checks of objects with all threads quiet: exactly one word publishes each owned block; every
 * context has exactly one living owner, or is RELEASED. See checks.ts.
 */

import { checkChunk, rootOf } from './object-programs.js';
import { contextSlot, headerData, isOwned, LIVE_CONTEXT, phaseOf, RELEASED } from './words.js';
import type { World } from './world.js';

/** The owned blocks that words name, each once. */
export function listPublished(w: World): Set<number> {
  const published = new Set<number>();
  const add = (address: number, by: string): void => {
    if (address === 0) return;
    if (!isOwned(w.tags[address])) w.fail(`${by} holds block ${address}, which is not owned`);
    if (published.has(address)) w.fail(`${by} holds block ${address}, as another word does`);
    published.add(address);
  };
  for (let root = 0; root < (w.shape.roots ?? 0); root++) {
    add(w.load(w.rootWord(root)), `word ${root}`);
  }
  for (let chunk = 1; chunk < w.chunkContext.length; chunk++) {
    const address = w.load(w.chunkWord(chunk));
    const taken = w.chunkContext[chunk] !== 0;
    if (taken !== (address !== 0)) w.fail(`chunk ${chunk} is taken ${taken}, holds ${address}`);
    add(address, `chunk ${chunk}`);
    if (taken) checkChunk(w, chunk);
  }
  w.claim.forEach((owner, s) => {
    addSlot(w, s, owner, add);
  });
  w.vector.forEach((known, header) => {
    if (known !== 0) addVector(w, header, add);
  });
  return published;
}

type Add = (address: number, by: string) => void;

function addVector(w: World, header: number, add: Add): void {
  add(header, 'a program');
  add(w.load(headerData(header)), `the vector at ${header}`);
}

/** Adds the blocks that errors have left in a living thread's slot. */
function addSlot(w: World, s: number, owner: number, add: Add): void {
  const header = w.load(w.inFlightHeaderWord(s));
  const stands = w.intentWord[s] !== 0;
  if (owner === 0 && (stands || header !== 0)) w.fail(`free slot ${s} has an intent or a vector`);
  if (header !== 0) addVector(w, header, add);
  if (!stands) return;
  const word = w.intentWord[s];
  for (const block of [w.intentIn[s], w.intentOut[s]]) {
    if (w.load(word) !== block) add(block, `the intent of slot ${s}`);
  }
}

export function checkContexts(w: World): void {
  for (let c = 1; c < w.contextState.length; c++) checkContext(w, c);
  for (let chunk = 1; chunk < w.chunkContext.length; chunk++) {
    const c = w.chunkContext[chunk];
    if (c === 0) continue;
    const phase = phaseOf(w.contextState[c]);
    if (phase !== LIVE_CONTEXT && phase !== RELEASED) w.fail(`chunk ${chunk} has no context`);
  }
}

function checkContext(w: World, c: number): void {
  const phase = phaseOf(w.contextState[c]);
  const holder = w.contextHolder[c];
  if (phase === 0) {
    if (holder !== 0 && w.isRunning(holder)) w.fail(`context ${c} of ${holder} is gone`);
    return;
  }
  const root = rootOf(w, c);
  const state = w.contextState[root];
  if (phaseOf(state) === RELEASED) {
    if (holder !== 0) w.fail(`RELEASED context ${c} is held by ${holder}`);
    return;
  }
  if (phase !== LIVE_CONTEXT || phaseOf(state) !== LIVE_CONTEXT) w.fail(`LOST: context ${c}`);
  const owner = w.claim[contextSlot(state)];
  if (!w.isRunning(owner)) w.fail(`LOST: context ${c} has no living owner`);
  if (holder !== owner) w.fail(`context ${c} is held by ${holder}, its root says ${owner}`);
}

/** Checks that all objects have ended. */
export function checkNoObjects(w: World): void {
  if (w.contextState.some((state) => state !== 0)) w.fail('a context is left');
  if (w.chunkContext.some((c) => c !== 0)) w.fail('a chunk is left');
  if (w.cells.some((address) => address !== 0)) w.fail('a word holds a block');
}
