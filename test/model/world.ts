/**
 * The world: every shared word of the tiny heap, and also facts that only an observer knows.
 *
 * All of it is one array, so that a state can be copied, compared and restored. The files that
 * write a word say which thread may write it when; see pages.ts, spans.ts, cache.ts, locks.ts.
 *
 * I1  Everything that a schedule can depend on is in `words`, or in the threads of the schedule.
 * I2  Ghost words are read by checks and by programs (which know their own blocks), never by the
 *     heap's functions.
 */

import type { PointName, Step } from './points.js';
import type { Rules } from './rules.js';
import type { Thread } from './thread.js';
import {
  BOTTOM,
  CLASS_COUNT,
  granuleOf,
  ID_COUNT,
  idOf,
  isDataWord,
  LOCK_COUNT,
  PAGE_GRANULES,
  pagesOf,
  runWord,
  SENTINEL_WORDS,
  startOf,
  threadWord,
  UNTOUCHED,
} from './words.js';

/** Thrown if a rule was broken. */
export class Violation extends Error {}

/** Thrown to cut a call, as V8 does. */
export const CUT = Symbol('cut');
/** An error thrown into a section: a stack overflow, or any other. */
export const INTERRUPT = new Error('thrown into a section');

export interface Shape {
  readonly pages: number;
  readonly slots: number;
  /** Minimum and maximum blocks of a magazine. */
  readonly limitStart: number;
  readonly limitMax: number;
  /**
   * Freed blocks that each thread holds back, in an instrumented heap, whose blocks have records.
   * Left out: a plain heap.
   */
  readonly quarantine?: number | undefined;
  /** Number of contexts, chunks and plain words to place blocks into. Left out: none. */
  readonly contexts?: number | undefined;
  readonly chunks?: number | undefined;
  readonly roots?: number | undefined;
}

export const SHAPE: Shape = { pages: 8, slots: 4, limitStart: 1, limitMax: 2 };

/** A thread's record: caches and counters, as in layout/slot.ts. Arrays go by class. */
export interface Slot {
  readonly top: Int32Array;
  readonly transit: Int32Array;
  readonly from: Int32Array;
  readonly limit: Int32Array;
  readonly held: Int32Array;
  readonly mallocs: Int32Array;
  readonly magazines: readonly Int32Array[];
}

export interface Stats {
  operations: number;
  kills: number;
  throws: number;
  cuts: number;
  takeovers: number;
  recovered: number;
  /** Blocks whose free was cut by a kill before its commit. */
  unfreed: number;
}

const CLASS_WORDS = CLASS_COUNT + 1;
const SLOT_ARRAYS = 6;
const PAGE_ARRAYS = 7;
const GRANULE_ARRAYS = 11;

/** Indexes of the words of the whole heap. */
const BIN = 0;
const UNTOUCHED_HEAD = 1;
const BRK = 2;
const MAP = 3;
const MAPPED_PAGES = 4;
const MAPPED_RUNS = 5;
const CLOCK = 6;
const NEXT_CONTENT = 7;
const HEAP_WORDS = 8;

/** Words by slot, beside its arrays: claim, generation, note, large mallocs, an intent. */
const SLOT_WORDS = 7;
/** Words by context and by chunk, ghosts included. */
const CONTEXT_WORDS = 5;
const CHUNK_WORDS = 2;
/** The null word, and the word that is NOWHERE. */
const FIRST_ROOT = 2;

export class World {
  readonly rules: Rules;
  readonly shape: Shape;
  readonly words: Int32Array;
  /** By page. */
  readonly run: Int32Array;
  readonly tail: Int32Array;
  readonly next: Int32Array;
  readonly prev: Int32Array;
  readonly bitmap: Int32Array;
  readonly freeCount: Int32Array;
  readonly spanHead: Int32Array;
  /** By granule. Data holds which block it belongs to, 0 = zero. */
  readonly tags: Int32Array;
  readonly data: Int32Array;
  /** By granule, of instrumented heaps: the record of the block that begins there. */
  readonly state: Int32Array;
  /** By class. */
  readonly partial: Int32Array;
  readonly spans: Int32Array;
  readonly lock: Int32Array;
  /** By slot: the owner's thread word; a generation, and a note (for mutants). */
  readonly claim: Int32Array;
  readonly generation: Int32Array;
  readonly note: Int32Array;
  readonly largeMallocs: Int32Array;
  readonly slots: readonly Slot[];
  /** By slot: the word of a placement, the block that goes in, the block that comes out. */
  readonly intentWord: Int32Array;
  readonly intentIn: Int32Array;
  readonly intentOut: Int32Array;
  /**
   * Words to place blocks into: plain ones, one for each slot's in-flight header, one for each
   * chunk.
   */
  readonly cells: Int32Array;
  /** By context, from 1. */
  readonly contextState: Int32Array;
  readonly contextParent: Int32Array;
  readonly contextGeneration: Int32Array;
  /** By chunk, from 1: its context, 0 = the record is free. */
  readonly chunkContext: Int32Array;

  // ---- Ghost: by thread id, start time of the thread that has the id now, 0 = none
  readonly alive: Int32Array;
  /** By lock: the owner's thread word, whatever the lock word says. */
  readonly lockOwner: Int32Array;
  /** By granule: blocks in a program's hands, at their first granule; owner 0 = none. */
  readonly liveOwner: Int32Array;
  readonly liveSize: Int32Array;
  readonly liveContent: Int32Array;
  /** Likewise: blocks whose free or realloc has been called and has not returned. */
  readonly limboOwner: Int32Array;
  readonly limboSize: Int32Array;
  readonly limboContent: Int32Array;
  /** Likewise: the thread that believes to have the block in quarantine; 0 = none. */
  readonly waiting: Int32Array;
  /** By granule: 1 = a vector that programs know begins there. */
  readonly vector: Int32Array;
  /**
   * By context: the thread that believes to own it, 0 = none; and a number that is different for
   * each.
   */
  readonly contextHolder: Int32Array;
  readonly contextName: Int32Array;
  /** By chunk: the content of its block. */
  readonly chunkContent: Int32Array;

  readonly stats: Stats = {
    operations: 0,
    kills: 0,
    throws: 0,
    cuts: 0,
    takeovers: 0,
    recovered: 0,
    unfreed: 0,
  };
  /** If given: collects the points that are reached. */
  coverage: Set<PointName> | null = null;
  /** The work of a takeover; null if slots are recovered later, as the rule demands. */
  recoverNow: ((t: Thread, owner: number) => Step<void>) | null = null;
  private readonly heap: Int32Array;

  constructor(rules: Rules, shape: Shape = SHAPE) {
    this.rules = rules;
    this.shape = shape;
    const pageWords = shape.pages + 2;
    const granules = pageWords * PAGE_GRANULES;
    const magazineWords = BOTTOM + shape.limitMax + SENTINEL_WORDS;
    const contexts = (shape.contexts ?? 0) + 1;
    const chunks = (shape.chunks ?? 0) + 1;
    const cells = FIRST_ROOT + (shape.roots ?? 0) + shape.slots + chunks - 1;
    const slotWords = SLOT_WORDS + SLOT_ARRAYS * CLASS_WORDS + CLASS_WORDS * magazineWords;
    this.words = new Int32Array(
      HEAP_WORDS +
        pageWords * PAGE_ARRAYS +
        granules * GRANULE_ARRAYS +
        2 * CLASS_WORDS +
        2 * LOCK_COUNT +
        ID_COUNT +
        shape.slots * slotWords +
        cells +
        contexts * CONTEXT_WORDS +
        chunks * CHUNK_WORDS,
    );
    let at = 0;
    const cut = (length: number): Int32Array => {
      at += length;
      return this.words.subarray(at - length, at);
    };
    this.heap = cut(HEAP_WORDS);
    this.run = cut(pageWords);
    this.tail = cut(pageWords);
    this.next = cut(pageWords);
    this.prev = cut(pageWords);
    this.bitmap = cut(pageWords);
    this.freeCount = cut(pageWords);
    this.spanHead = cut(pageWords);
    this.tags = cut(granules);
    this.data = cut(granules);
    this.state = cut(granules);
    this.liveOwner = cut(granules);
    this.liveSize = cut(granules);
    this.liveContent = cut(granules);
    this.limboOwner = cut(granules);
    this.limboSize = cut(granules);
    this.limboContent = cut(granules);
    this.waiting = cut(granules);
    this.vector = cut(granules);
    this.partial = cut(CLASS_WORDS);
    this.spans = cut(CLASS_WORDS);
    this.lock = cut(LOCK_COUNT);
    this.lockOwner = cut(LOCK_COUNT);
    this.alive = cut(ID_COUNT);
    this.claim = cut(shape.slots);
    this.generation = cut(shape.slots);
    this.note = cut(shape.slots);
    this.largeMallocs = cut(shape.slots);
    this.intentWord = cut(shape.slots);
    this.intentIn = cut(shape.slots);
    this.intentOut = cut(shape.slots);
    this.cells = cut(cells);
    this.contextState = cut(contexts);
    this.contextParent = cut(contexts);
    this.contextGeneration = cut(contexts);
    this.contextHolder = cut(contexts);
    this.contextName = cut(contexts);
    this.chunkContext = cut(chunks);
    this.chunkContent = cut(chunks);
    this.slots = Array.from({ length: shape.slots }, () => ({
      top: cut(CLASS_WORDS),
      transit: cut(CLASS_WORDS),
      from: cut(CLASS_WORDS),
      limit: cut(CLASS_WORDS),
      held: cut(CLASS_WORDS),
      mallocs: cut(CLASS_WORDS),
      magazines: Array.from({ length: CLASS_WORDS }, () => cut(magazineWords)),
    }));
    if (at !== this.words.length) throw new Error(`world: ${at} of ${this.words.length} words`);
    this.brk = 1;
    this.map = shape.pages + 1;
    if (rules.reserveIsRun) {
      this.untouched = 1;
      this.run[1] = runWord(UNTOUCHED, 0, shape.pages);
    }
  }

  /** First of the free runs: one list stands for the bins. Derived. */
  get bin(): number {
    return this.heap[BIN];
  }
  set bin(page: number) {
    this.heap[BIN] = page;
  }
  /** Head of the UNTOUCHED run, 0 = none. Derived. */
  get untouched(): number {
    return this.heap[UNTOUCHED_HEAD];
  }
  set untouched(page: number) {
    this.heap[UNTOUCHED_HEAD] = page;
  }
  /** First page above those taken from the bottom. Derived (the source in a mutant). */
  get brk(): number {
    return this.heap[BRK];
  }
  set brk(page: number) {
    this.heap[BRK] = page;
  }
  /**
   * First page of those taken from the top: only in the mutant that has frontiers as the source.
   */
  get map(): number {
    return this.heap[MAP];
  }
  set map(page: number) {
    this.heap[MAP] = page;
  }
  get mappedPages(): number {
    return this.heap[MAPPED_PAGES];
  }
  set mappedPages(pages: number) {
    this.heap[MAPPED_PAGES] = pages;
  }
  get mappedRuns(): number {
    return this.heap[MAPPED_RUNS];
  }
  set mappedRuns(runs: number) {
    this.heap[MAPPED_RUNS] = runs;
  }

  get isInstrumented(): boolean {
    return this.shape.quarantine !== undefined;
  }

  // ---- Words that blocks are placed into

  rootWord(n: number): number {
    return FIRST_ROOT + n;
  }

  inFlightHeaderWord(slot: number): number {
    return FIRST_ROOT + (this.shape.roots ?? 0) + slot;
  }

  chunkWord(chunk: number): number {
    return this.inFlightHeaderWord(this.shape.slots) + chunk - 1;
  }

  load(word: number): number {
    return isDataWord(word) ? this.data[granuleOf(word)] : this.cells[word];
  }

  store(word: number, address: number): void {
    if (isDataWord(word)) this.data[granuleOf(word)] = address;
    else this.cells[word] = address;
  }

  get lastPage(): number {
    return this.shape.pages;
  }

  // ---- Ghost

  /** Starts a thread with an OS thread id; returns its thread word. */
  bear(id: number): number {
    const start = ++this.heap[CLOCK];
    this.alive[id] = start;
    return threadWord(id, start);
  }

  end(word: number): void {
    if (this.isRunning(word)) this.alive[idOf(word)] = 0;
  }

  isRunning(word: number): boolean {
    return this.alive[idOf(word)] === startOf(word);
  }

  /** A number that is different for each block. */
  nextContent(): number {
    return ++this.heap[NEXT_CONTENT];
  }

  // ---- Questions of the heap's functions

  /** True if the system has a thread with this id, and with this start time if that counts. */
  exists(word: number): boolean {
    return this.rules.startTime ? this.isRunning(word) : this.alive[idOf(word)] !== 0;
  }

  /** True if a slot is free. */
  hasFreeSlot(): boolean {
    return this.claim.includes(0);
  }

  fail(message: string): never {
    throw new Violation(message);
  }

  // ---- States

  copyFrom(other: World): void {
    this.words.set(other.words);
  }

  /** Two hashes of all words in one number: equal for equal states, and almost never for others. */
  fingerprint(): number {
    let a = 0x811c9dc5;
    let b = 0x1b873593;
    for (const word of this.words) {
      a = Math.imul(a ^ word, 0x01000193);
      a ^= a >>> 15;
      b = Math.imul(b + word, 0x5bd1e995);
      b ^= b >>> 13;
    }
    return (a >>> 0) * 0x200000 + ((b >>> 0) & 0x1fffff);
  }

  /** The heads of all runs from the bottom, by their lengths: the walk that is the source. */
  walk(): number[] {
    const heads: number[] = [];
    if (this.rules.reserveIsRun) {
      this.walkPart(1, this.lastPage + 1, heads);
    } else {
      this.walkPart(1, this.brk, heads);
      this.walkPart(this.map, this.lastPage + 1, heads);
    }
    return heads;
  }

  private walkPart(from: number, to: number, heads: number[]): void {
    for (let head = from; head < to; ) {
      const pages = pagesOf(this.run[head]);
      if (pages === 0 || head + pages > to) this.fail(`runs do not tile at page ${head}`);
      heads.push(head);
      head += pages;
    }
  }
}
