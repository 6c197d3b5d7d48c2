/**
 * A heap with simulated threads: all of them run on one real thread, one after the other, and any
 * of them can be cut at any point of the real code.
 *
 * The library is an instrumented copy in which a double replaces sync/system-thread.ts: a thread
 * lives until the simulation says that it died. A thread that is killed at a point does not stop
 * there: the heap's metadata is copied at that moment, and the copy goes on without the thread,
 * while the thread runs to its end in the original. So one run of a program gives the heaps of all
 * its possible deaths.
 *
 * It does not show threads that run at the same time (kill.test.ts, test/model, stress do).
 */

import { readFileSync, writeFileSync } from 'node:fs';
import type { Address } from 'shmalloc';
import type * as Base from '../../src/base/index.js';
import type * as Collections from '../../src/collections/index.js';
import type * as Contexts from '../../src/contexts/index.js';
import type * as Debug from '../../src/debug/index.js';
import type * as Heap from '../../src/heap/index.js';
import type * as Layout from '../../src/layout/index.js';
import type * as Stats from '../../src/stats/index.js';
import { type Instrumented, instrument } from './instrument.js';
import { type LayoutCopy, loadLayout } from './layout-copy.js';

/**
 * The double: a thread's id is its number plus one, and the attaching thread says which thread
 * runs.
 */
const SYSTEM_DOUBLE = `
export const ALIVE = { isAlive: true, why: '' };
export const DEAD = { isAlive: false, why: '' };
export const ownSystemThread = () => ({ id: globalThis.shmallocThread + 1, start: 1 });
export const lookAt = ({ id }) => globalThis.shmallocDead.has((1 << 30) | (id - 1)) ? DEAD : ALIVE;
`;

declare global {
  /** Thread words of dead threads. */
  var shmallocDead: Set<number>;
  /** The number of the running thread. */
  var shmallocThread: number;
}

const HEAP_BYTES = 2 * 1024 * 1024;

export type ThreadHeap = Heap.ThreadHeap;
export type HeapMemory = Layout.HeapMemory;

/** An instrumented library with its double, and the parts that tests use. */
export interface Library {
  readonly copy: Instrumented;
  readonly heap: typeof Heap;
  readonly layout: LayoutCopy;
  readonly base: typeof Base;
  readonly debug: typeof Debug;
  readonly contexts: typeof Contexts;
  readonly collections: typeof Collections;
  readonly stats: typeof Stats;
}

/** A change of one built file: a text, and its replacement. */
export interface Change {
  readonly file: string;
  readonly from: string | RegExp;
  readonly to: string;
}

export async function loadLibrary(change?: Change): Promise<Library> {
  globalThis.shmallocDead = new Set();
  // No other thread runs meanwhile: a wait would only lose time.
  Atomics.wait = () => 'timed-out';
  const copy = instrument({ 'sync/system-thread.js': SYSTEM_DOUBLE });
  if (change !== undefined) {
    const path = new URL(change.file, copy.url);
    const text = readFileSync(path, 'utf8');
    const changed = text.replace(change.from, change.to);
    if (changed === text) throw new Error(`${change.file} has no ${change.from}`);
    writeFileSync(path, changed);
  }
  const load = (path: string) => import(new URL(path, copy.url).href);
  return {
    copy,
    heap: await load('heap/index.js'),
    layout: await loadLayout(load),
    base: await load('base/index.js'),
    debug: await load('debug/index.js'),
    contexts: await load('contexts/index.js'),
    collections: await load('collections/index.js'),
    stats: await load('stats/index.js'),
  };
}

/** An empty heap: instrumented if it has debug settings, with contexts if it has a count. */
export function makeHeap(
  { heap, layout }: Library,
  threads = 4,
  debug: Partial<Layout.DebugSettings> = {},
  contexts = 0,
): HeapMemory {
  return heap.createHeap({
    buffer: new SharedArrayBuffer(HEAP_BYTES),
    base: 0,
    bytes: HEAP_BYTES,
    threads,
    contexts,
    id: '0123456789abcdef',
    pristine: true,
    lockTimeoutMs: 1000,
    debug: { ...layout.DebugRecord.NONE, ...debug },
    secret: [1, 2],
  });
}

/** Attaches a thread. Its number names it: a thread of a used number must live. */
export function attach(lib: Library, memory: HeapMemory, threadId: number): ThreadHeap {
  globalThis.shmallocThread = threadId;
  const core = lib.heap.attachThreadHeap(memory, true, { threadId, lockTimeoutMs: 1000 });
  const settings = lib.layout.DebugRecord.read(memory.u32, memory.geometry.debug);
  return lib.layout.DebugRecord.isInstrumented(settings)
    ? lib.debug.createDebug(core, settings, threadId, () => {}).core
    : core;
}

export function die(threadId: number): void {
  globalThis.shmallocDead.add((1 << 30) | threadId);
}

export function everybodyLives(): void {
  globalThis.shmallocDead.clear();
}

/**
 * Copies the heap as it is now into another buffer. User data is not copied, except where red zones
 * or headers of objects are among it.
 */
export function copyHeap({ layout }: Library, memory: HeapMemory): HeapMemory {
  const { geometry } = memory;
  const buffer = new SharedArrayBuffer(memory.buffer.byteLength);
  const whole = geometry.blockRecordsStart !== 0 || geometry.contextCount !== 0;
  const bytes = whole ? geometry.end : geometry.dataStart;
  new Uint8Array(buffer).set(memory.u8.subarray(0, bytes));
  return layout.viewMemory(buffer, geometry);
}

/** Runs `work` with a hook at every point; returns or throws what the work does. */
export function withHook<T>(hook: (name: string, n: number) => void, work: () => T): T {
  let n = 0;
  globalThis.shmallocPoint = (name) => hook(name, n++);
  try {
    return work();
  } finally {
    globalThis.shmallocPoint = () => {};
  }
}

/** Addresses of all live blocks of programs. */
export const liveBlocks = (core: ThreadHeap): Set<Address> => blocksThat(core, false);

/** Addresses of all live blocks that belong to objects. */
export const ownedBlocks = (core: ThreadHeap): Set<Address> => blocksThat(core, true);

const blocksThat = (core: ThreadHeap, areOwned: boolean): Set<Address> =>
  new Set(
    core.inspector
      .blocksFrom(0, Number.POSITIVE_INFINITY)
      .filter(({ owned }) => (owned !== undefined) === areOwned)
      .map(({ address }) => address),
  );

/** Blocks whose records say that a thread holds them, freed or not handed out yet: by slot. */
export function ownBlocks({ base, layout }: Library, memory: HeapMemory): Map<number, Address[]> {
  const { i32, tags, geometry } = memory;
  const own = new Map<number, Address[]>();
  if (geometry.blockRecordsStart === 0) return own;
  for (let address = geometry.dataStart; address < geometry.end; address += 16) {
    if (tags[address >>> 4] === 0 || base.isOwnedTag(tags[address >>> 4] as number)) continue;
    const state = layout.BlockRecord.getState(
      i32,
      layout.BlockRecord.at(geometry.blockRecords, address),
    );
    if (layout.BlockRecord.kindOf(state) === layout.BlockRecord.LIVE) continue;
    const slot = layout.BlockRecord.slotOf(state);
    own.set(slot, [...(own.get(slot) ?? []), address as Address]);
  }
  return own;
}

/** Owned locks and their owners; for the check that no lock is left. */
export function heldLocks({ layout }: Library, { i32, geometry }: HeapMemory): string[] {
  const held: string[] = [];
  for (let lock = 0; lock < layout.LockTable.COUNT; lock++) {
    const word = layout.LockTable.peek(
      i32,
      layout.LockTable.at(geometry.locks, lock as Layout.LockIndex),
    );
    if (word !== 0) held.push(`lock ${lock}: ${word}`);
  }
  return held;
}
