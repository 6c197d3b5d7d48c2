/**
 * Worker of `shmalloc stress`: allocates, fills, checks, hands over, reallocates and frees blocks
 * at random, until it is told to stop or killed.
 *
 * The command starts it ahead of time; it waits for a job: a region of the ledger, which it takes
 * over with all blocks in it. From then on it does not return to its event loop.
 *
 * The operations come in phases, since an even mix would rarely leave the caches: many blocks of
 * one size and then none (refills, flushes, spans), large blocks only (the page heap), blocks
 * traded with other workers, a block allocated and freed in turn (the fast paths), and mixed.
 */

import { parentPort, workerData } from 'node:worker_threads';
import { type HeapHandle, SharedHeap } from 'shmalloc';
import { Random } from './random.js';
import { type Allocation, Books, hex, NO_ENTRY } from './stress-books.js';
import { ALIGNED, BOX_COUNT, CALLOC, Ledger, MALLOC } from './stress-ledger.js';
import { fillBlock, findDamage, findNonZero } from './stress-pattern.js';

/** The workerData that all workers of a run share. */
export interface StressSetting {
  readonly heap: HeapHandle;
  readonly ledger: SharedArrayBuffer;
  /** Number of regions in the ledger. */
  readonly threads: number;
  /** A byte per granule of the heap. */
  readonly claims: Uint8Array<SharedArrayBuffer>;
  /** Not 0: all workers end. */
  readonly stop: Int32Array<SharedArrayBuffer>;
}

/** The job of one worker: the message that it waits for. */
export interface StressJob {
  readonly region: number;
  readonly seed: number;
  /** Operations done by all workers of this region so far: one number. */
  readonly beat: Float64Array<SharedArrayBuffer>;
  /** Not 0: end by process.exit() before this many more stores to the ledger. One number. */
  readonly exitAfter: Int32Array<SharedArrayBuffer>;
  /** A mistake to make, for a test that it is found. */
  readonly mistake: 'hang' | 'throw' | null;
}

interface Phase {
  /** Percent of operations that allocate; the rest goes to frees. */
  readonly allocate: number;
  readonly reallocate: number;
  readonly send: number;
  readonly receive: number;
  readonly churn: number;
  readonly sizes: 'mixed' | 'one' | 'large';
  /** Whether frees take the newest block and not a random one. */
  readonly newestFirst: boolean;
}

const MIXED: Phase = {
  allocate: 42,
  reallocate: 16,
  send: 7,
  receive: 7,
  churn: 0,
  sizes: 'mixed',
  newestFirst: false,
};
const PHASES: readonly Phase[] = [
  MIXED,
  { ...MIXED, allocate: 85, reallocate: 3, send: 2, receive: 2, sizes: 'one' },
  { ...MIXED, allocate: 4, reallocate: 2, newestFirst: true },
  { ...MIXED, allocate: 10, reallocate: 4 },
  { ...MIXED, allocate: 30, reallocate: 4, send: 30, receive: 25, sizes: 'one' },
  { ...MIXED, allocate: 40, reallocate: 24, send: 2, receive: 2, sizes: 'large' },
  { ...MIXED, allocate: 10, reallocate: 2, send: 2, receive: 2, churn: 74 },
];
const PHASE_OPERATIONS_MAX = 400;

const KIB = 1024;
const SIZE_MAX = 300 * KIB;
const ALIGNMENT_STEPS = 12;
const SMALL_BYTES_MAX = 1 * KIB;
/** Maximum times that a small block is allocated and freed in one operation, and a larger one. */
const CHURNS_MAX = 1000;
const LARGE_CHURNS_MAX = 30;
/** Maximum bytes of a block that is always filled as a whole. */
const DENSE_BYTES_MAX = 256;
/** Number of blocks that a worker frees when it finds the heap full. */
const FREES_WHEN_FULL = 16;
const FINDINGS_TOLD_MAX = 10;
/** Operation at which a planted mistake is made: the worker has blocks by then. */
const MISTAKE_AT = 1000;

const setting = workerData as StressSetting;

// Without a job the worker ends: the command has made all its kills.
parentPort?.once('message', (job: StressJob | null) => {
  if (job !== null) new StressWorker(job).run();
});

class StressWorker {
  readonly #job: StressJob;
  readonly #heap: SharedHeap;
  readonly #books: Books;
  readonly #random: Random;
  #phase: Phase = MIXED;
  #phaseLeft = 0;
  #oneSize = 16;
  #findingsTold = 0;

  constructor(job: StressJob) {
    this.#job = job;
    this.#random = new Random(job.seed);
    const { exitAfter } = job;
    const ledger = new Ledger(setting.ledger, setting.threads, () => {
      if (exitAfter[0] === 0) return;
      exitAfter[0] -= 1;
      if (exitAfter[0] === 0) process.exit();
    });
    this.#heap = SharedHeap.attach(setting.heap);
    this.#books = new Books(ledger, job.region, this.#heap, setting.claims, (finding) => {
      if (this.#findingsTold++ < FINDINGS_TOLD_MAX) parentPort?.postMessage(finding);
    });
  }

  run(): void {
    const { beat, mistake } = this.#job;
    while (Atomics.load(setting.stop, 0) === 0) {
      this.#step();
      beat[0] += 1;
      if (mistake !== null && beat[0] >= MISTAKE_AT) this.#err(mistake);
    }
  }

  #err(mistake: 'hang' | 'throw'): void {
    if (mistake === 'throw') throw new Error('planted: this worker throws');
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
  }

  #step(): void {
    if (this.#phaseLeft-- <= 0) this.#nextPhase();
    const { allocate, reallocate, send, receive, churn } = this.#phase;
    const books = this.#books;
    const what = this.#random.below(100);
    if (books.held.length === 0) this.#allocate();
    else if (books.full) this.#free();
    else if (what < allocate) this.#allocate();
    else if (what < allocate + reallocate) this.#reallocate();
    else if (what < allocate + reallocate + send) this.#send();
    else if (what < allocate + reallocate + send + receive) this.#receive();
    else if (what < allocate + reallocate + send + receive + churn) this.#churn();
    else this.#free();
  }

  #nextPhase(): void {
    this.#phase = PHASES[this.#random.below(PHASES.length)];
    this.#phaseLeft = this.#random.between(20, PHASE_OPERATIONS_MAX);
    this.#oneSize = this.#random.between(1, 1 << this.#random.between(4, 12));
  }

  // ---- operations

  #allocate(): void {
    const size = this.#size();
    const op = this.#allocation();
    const alignment = this.#alignment(op);
    const entry = this.#books.allocate(op, size, alignment);
    if (entry === NO_ENTRY) {
      for (let n = 0; n < FREES_WHEN_FULL && this.#books.held.length > 0; n++) this.#free();
      return;
    }
    const { address } = this.#books.block(entry);
    if (op === CALLOC) {
      const at = findNonZero(this.#heap, address, size);
      if (at >= 0) this.#books.report(`calloc: ${hex(address)}, byte ${at} of ${size} is not zero`);
    }
    if (op === ALIGNED && address % alignment !== 0) {
      this.#books.report(`aligned: ${hex(address)} is no multiple of ${alignment}`);
    }
    this.#fill(entry);
  }

  #free(): void {
    const { held } = this.#books;
    const entry = this.#phase.newestFirst ? held[held.length - 1] : this.#anyEntry();
    this.#check(entry, 'free');
    this.#books.free(entry);
  }

  #reallocate(): void {
    const entry = this.#anyEntry();
    if (!this.#check(entry, 'realloc')) this.#fill(entry);
    const before = this.#books.block(entry);
    const size = this.#size();
    if (!this.#books.reallocate(entry, size)) {
      this.#free();
      return;
    }
    const { address } = this.#books.block(entry);
    const { seed, stride } = before;
    const at = findDamage(this.#heap, address, Math.min(before.usable, size), seed, stride);
    if (at >= 0) {
      const where = `from ${hex(before.address)}, ${before.usable} bytes, to ${hex(address)}`;
      this.#books.report(`realloc ${where}, ${size} bytes: byte ${at} was not kept`);
    }
    this.#fill(entry);
  }

  #churn(): void {
    const size = this.#size();
    const op = this.#allocation();
    const times = this.#random.between(1, size <= SMALL_BYTES_MAX ? CHURNS_MAX : LARGE_CHURNS_MAX);
    const { i32 } = this.#heap;
    const word = this.#random.word();
    const use = (address: number): void => {
      // Writes only requested bytes: with red zones any other byte is an overrun.
      if (size < 4) return;
      const at = address >>> 2;
      if (op === CALLOC && i32[at] !== 0) {
        this.#books.report(`calloc: ${hex(address)}, ${size} bytes: the first word is not zero`);
      }
      i32[at] = word;
    };
    this.#books.churn(op, size, this.#alignment(op), times, use);
  }

  #send(): void {
    const entry = this.#anyEntry();
    if (!this.#books.block(entry).filled) this.#fill(entry);
    this.#books.send(entry, this.#random.below(BOX_COUNT));
  }

  #receive(): void {
    const entry = this.#books.receive(this.#random.below(BOX_COUNT));
    if (entry !== NO_ENTRY) this.#check(entry, 'receive');
  }

  // ---- blocks

  #anyEntry(): number {
    const { held } = this.#books;
    return held[this.#random.below(held.length)];
  }

  #allocation(): Allocation {
    const what = this.#random.below(10);
    return what < 6 ? MALLOC : what < 8 ? CALLOC : ALIGNED;
  }

  #alignment(op: Allocation): number {
    return op === ALIGNED ? 16 << this.#random.between(0, ALIGNMENT_STEPS) : 0;
  }

  /**
   * Mostly small sizes; some over 64 KiB and over 128 KiB, which come from other parts of the heap.
   */
  #size(): number {
    const random = this.#random;
    if (this.#phase.sizes === 'large') return random.between(60 * KIB, SIZE_MAX);
    if (this.#phase.sizes === 'one') return this.#oneSize;
    const what = random.below(1000);
    if (what < 700) return random.between(1, 256);
    if (what < 900) return random.between(1, 4 * KIB);
    if (what < 980) return random.between(1, 64 * KIB);
    return random.between(64 * KIB + 1, SIZE_MAX);
  }

  #fill(entry: number): void {
    const { address, usable } = this.#books.block(entry);
    const what = usable <= DENSE_BYTES_MAX ? 0 : this.#random.below(100);
    const stride = what < 10 ? 4 : what < 50 ? 16 : 4096;
    const seed = this.#random.word();
    fillBlock(this.#heap, address, usable, seed, stride);
    this.#books.filled(entry, seed, stride);
  }

  /**
   * Checks a block's content; false if the content is unknown, since the block's worker was killed.
   */
  #check(entry: number, before: string): boolean {
    const { address, usable, seed, stride, filled } = this.#books.block(entry);
    if (!filled) return false;
    const at = findDamage(this.#heap, address, usable, seed, stride);
    if (at >= 0) {
      const where = `${hex(address)}, ${usable} bytes`;
      this.#books.report(`before ${before}: block ${where}: byte ${at} was changed`);
    }
    return true;
  }
}
