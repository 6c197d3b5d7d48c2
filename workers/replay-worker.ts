/**
 * Worker: replays one allocation trace on the pool's heap through the `_ts` calls.
 *
 * Started by `shmalloc replay` in a HeapPool. One task at a time per thread.
 *
 * Two loops. The timed one does only what a C replay does: it writes one word into a malloc'ed
 * block. The verifying one fills each block with its own pattern and checks all of it at realloc
 * and free. Both run in short slices that are called repeatedly: a loop of millions of operations
 * would run code that is compiled while it runs, which is slower on Node 22-26.
 */

import { performance } from 'node:perf_hooks';
import { SharedHeap } from 'shmalloc';
import { Camera, type MapTaken, type MapWanted } from './replay-camera.js';

/** A trace to replay. */
export interface ReplayTask {
  readonly words: Uint32Array<SharedArrayBuffer>;
  readonly blockIds: number;
  /** Number of repetitions. */
  readonly repeat: number;
  readonly verify: boolean;
  /** Flip one byte of a live block before this operation, or the first after it; -1 = never. */
  readonly corruptAt: number;
  /** Operations done so far, for the main thread to read: this task writes only its own entry. */
  readonly progress: Float64Array<SharedArrayBuffer>;
  readonly progressEntry: number;
  /** Barrier of all tasks, if there is a worker for each; otherwise null. */
  readonly start: Start | null;
  /** Wanted maps in the order of operations. */
  readonly mapsWanted: readonly MapWanted[];
}

export interface Start {
  /** Word 0: number of tasks that have arrived. */
  readonly there: Int32Array<SharedArrayBuffer>;
  readonly tasks: number;
}

/** One byte that differs from the value written there. */
export interface Corruption {
  /** The operation that found it. */
  readonly operation: number;
  readonly address: number;
  readonly offset: number;
  readonly expected: number;
  readonly found: number;
}

export interface ReplayResult {
  /** Operations of all repetitions. */
  readonly operations: number;
  /** Time of the best repetition. */
  readonly nsPerOperation: number;
  /**
   * Rate in the last third of the repetitions: before that, code is compiled and pages are touched.
   */
  readonly operationsPerSecond: number;
  /** Number of blocks whose content had changed. */
  readonly corrupted: number;
  readonly firstCorruption: Corruption | null;
  /** The operation at which the heap was full; null if it never was. */
  readonly fullAt: number | null;
  readonly maps: readonly MapTaken[];
}

const MALLOC = 1;
const FREE = 2;
const CALLOC = 3;
const REALLOC = 4;

/** Number of operations of a slice. */
const SLICE = 2000;

/** Replays operations [from, to); returns the operation at which the heap was full, or `to`. */
type Slice = (from: number, to: number) => number;

interface Replay {
  readonly slice: Slice;
  /** Frees the blocks that the trace left, and checks them if the loop does. */
  finish(): void;
}

export default function replay(task: ReplayTask): ReplayResult {
  const heap = SharedHeap.current();
  const operations = task.words.length / 2;
  const books = new Books(heap, task);
  const { slice, finish } = task.verify
    ? verifyingReplay(heap, task, books)
    : timedReplay(heap, task);
  const camera = new Camera(heap, task.mapsWanted);
  const warmUp = Math.floor((task.repeat * 2) / 3);
  let best = Number.POSITIVE_INFINITY;
  let done = 0;
  let warmMs = 0;
  let warmDone = 0;
  let fullAt: number | null = null;
  if (task.start !== null) waitForAll(task.start);
  for (let n = 0; n < task.repeat && fullAt === null; n++) {
    const doneBefore = done;
    const started = performance.now();
    camera.takeDue(0);
    for (let from = 0; from < operations && fullAt === null; ) {
      const to = Math.min(from + SLICE, operations, camera.next);
      const reached = slice(from, to);
      if (reached < to) fullAt = reached;
      done += reached - from;
      task.progress[task.progressEntry] = done;
      from = to;
      if (fullAt === null) camera.takeDue(from);
      else camera.takeFull(reached);
    }
    const took = performance.now() - started - camera.spentMs;
    best = Math.min(best, took);
    if (n >= warmUp) {
      warmMs += took;
      warmDone += done - doneBefore;
    }
    camera.stop();
    finish();
  }
  return {
    operations: done,
    nsPerOperation: operations === 0 ? 0 : (best * 1e6) / operations,
    operationsPerSecond: warmMs === 0 ? 0 : warmDone / (warmMs / 1e3),
    corrupted: books.corrupted,
    firstCorruption: books.first,
    fullAt,
    maps: camera.taken,
  };
}

/** Waits, so that tasks whose interaction is measured run at the same time. */
function waitForAll({ there, tasks }: Start): void {
  Atomics.add(there, 0, 1);
  Atomics.notify(there, 0);
  for (;;) {
    const seen = Atomics.load(there, 0);
    if (seen >= tasks) return;
    Atomics.wait(there, 0, seen);
  }
}

function timedReplay(heap: SharedHeap, { words, blockIds }: ReplayTask): Replay {
  const { malloc_ts, free_ts, calloc_ts, realloc_ts, u32 } = heap;
  const table = new Uint32Array(blockIds);

  function slice(from: number, to: number): number {
    // Counting words and not operations saves a quarter of the loop's own time.
    for (let w = 2 * from; w < 2 * to; w += 2) {
      const what = words[w];
      const size = words[w + 1];
      const id = what >>> 8;
      const kind = what & 7;
      if (kind === FREE) {
        free_ts(table[id]);
        table[id] = 0;
      } else if (kind === MALLOC) {
        const address = malloc_ts(size);
        if (address === 0) return w >>> 1;
        if (size >= 4) u32[address >>> 2] = w >>> 1;
        table[id] = address;
      } else {
        const address = kind === CALLOC ? calloc_ts(1, size) : realloc_ts(table[id], size);
        if (address === 0 && size > 0) return w >>> 1;
        table[id] = address;
      }
    }
    return to;
  }

  function finish(): void {
    for (let id = 0; id < blockIds; id++) free_ts(table[id]);
    table.fill(0);
  }

  return { slice, finish };
}

function verifyingReplay(heap: SharedHeap, task: ReplayTask, books: Books): Replay {
  const { malloc_ts, free_ts, calloc_ts, realloc_ts } = heap;
  const { words, blockIds } = task;
  let corruptAt = task.corruptAt;

  function slice(from: number, to: number): number {
    for (let i = from; i < to; i++) {
      if (corruptAt >= 0 && i >= corruptAt && books.corruptOne()) corruptAt = -1;
      const id = words[2 * i] >>> 8;
      const size = words[2 * i + 1];
      const kind = words[2 * i] & 7;
      const old = books.address(id);
      if (kind === FREE) {
        books.check(id, i);
        free_ts(old);
        books.clear(id);
      } else if (kind === REALLOC) {
        books.check(id, i);
        const address = realloc_ts(old, size);
        if (address === 0 && size > 0) return i;
        books.checkMoved(id, address, size, i);
        books.fill(id, address, size, i);
      } else {
        const address = kind === CALLOC ? calloc_ts(1, size) : malloc_ts(size);
        if (address === 0) return i;
        if (kind === CALLOC) books.checkZero(address, size, i);
        books.fill(id, address, size, i);
      }
    }
    return to;
  }

  function finish(): void {
    for (let id = 0; id < blockIds; id++) {
      books.check(id, words.length / 2);
      free_ts(books.address(id));
      books.clear(id);
    }
  }

  return { slice, finish };
}

/** Address, size and pattern seed of the block with each id. */
class Books {
  corrupted = 0;
  first: Corruption | null = null;
  readonly #u8: Uint8Array;
  readonly #i32: Int32Array;
  readonly #addresses: Uint32Array;
  readonly #sizes: Uint32Array;
  readonly #seeds: Int32Array;
  readonly #salt: number;

  constructor(heap: SharedHeap, { blockIds, progressEntry }: ReplayTask) {
    this.#u8 = heap.u8;
    this.#i32 = heap.i32;
    this.#addresses = new Uint32Array(blockIds);
    this.#sizes = new Uint32Array(blockIds);
    this.#seeds = new Int32Array(blockIds);
    // Two tasks on one trace must write different patterns.
    this.#salt = Math.imul(progressEntry + 1, 0x27d4eb2f);
  }

  address(id: number): number {
    return this.#addresses[id];
  }

  clear(id: number): void {
    this.#addresses[id] = 0;
    this.#sizes[id] = 0;
  }

  /** Fills a block with the pattern of (id, operation), and records it. */
  fill(id: number, address: number, size: number, operation: number): void {
    const seed = Math.imul(id + 1, 0x9e3779b1) ^ Math.imul(operation + 1, 0x85ebca6b) ^ this.#salt;
    this.#addresses[id] = address;
    this.#sizes[id] = size;
    this.#seeds[id] = seed;
    const first = address >>> 2;
    const words = size >>> 2;
    for (let n = 0; n < words; n++) this.#i32[first + n] = patternWord(seed, n);
    for (let at = words << 2; at < size; at++) this.#u8[address + at] = patternByte(seed, at);
  }

  /** Checks the whole block of an id. */
  check(id: number, operation: number): void {
    this.#checkPattern(this.#addresses[id], this.#sizes[id], this.#seeds[id], operation);
  }

  /** Checks that a reallocated block begins with the content of the block of an id. */
  checkMoved(id: number, address: number, size: number, operation: number): void {
    const kept = Math.min(size, this.#sizes[id]);
    this.#checkPattern(address, kept, this.#seeds[id], operation);
  }

  checkZero(address: number, size: number, operation: number): void {
    for (let at = 0; at < size; at++) {
      if (this.#u8[address + at] === 0) continue;
      this.#report(operation, address, at, 0);
      return;
    }
  }

  /** Flips a byte of any live block; false if there is none. */
  corruptOne(): boolean {
    const id = this.#sizes.findIndex((size) => size > 0);
    if (id < 0) return false;
    const at = this.#addresses[id] + (this.#sizes[id] >>> 1);
    this.#u8[at] = this.#u8[at] ^ 0xff;
    return true;
  }

  #checkPattern(address: number, size: number, seed: number, operation: number): void {
    const first = address >>> 2;
    const words = size >>> 2;
    let at = size & ~3;
    for (let n = 0; n < words; n++) {
      if (this.#i32[first + n] === patternWord(seed, n)) continue;
      at = n << 2;
      break;
    }
    for (; at < size; at++) {
      const expected = patternByte(seed, at);
      if (this.#u8[address + at] === expected) continue;
      this.#report(operation, address, at, expected);
      return;
    }
  }

  #report(operation: number, address: number, offset: number, expected: number): void {
    this.corrupted++;
    const found = this.#u8[address + offset];
    this.first ??= { operation, address, offset, expected, found };
  }
}

function patternWord(seed: number, n: number): number {
  return Math.imul(seed + n, 0xc2b2ae35) | 0;
}

/** The byte at an offset of the pattern, from the (little-endian) word at that place. */
function patternByte(seed: number, at: number): number {
  return (patternWord(seed, at >>> 2) >>> ((at & 3) << 3)) & 0xff;
}
