/**
 * Workloads: what each is made of. One file each; its C twin of the same name is in bench/native/.
 *
 * A workload does a fixed amount of work, not as much as a time allows, so that it and its twin can
 * be held against each other: same parameters, same random numbers, same operations, and where what
 * is done does not depend on which thread was quicker, the same checksum.
 *
 * Hot loops stand in functions of a few thousand rounds that are called again and again: a loop of
 * millions would run code that was compiled while it ran, which no long-lived program does.
 */

/**
 * What a workload may call: the heap's `_ts` calls, or another allocator's in their place. Addresses
 * are byte offsets in the buffer that all views show: `i32[address >>> 2]`; 0 = null.
 */
export interface Allocator {
  readonly malloc: (bytes: number) => number;
  readonly free: (address: number) => void;
  readonly calloc: (count: number, bytes: number) => number;
  readonly realloc: (address: number, bytes: number) => number;
  /** `alignment` is a power of two from 16. */
  readonly alignedAlloc: (alignment: number, bytes: number) => number;
  readonly u8: Uint8Array<SharedArrayBuffer>;
  readonly u32: Uint32Array<SharedArrayBuffer>;
  readonly i32: Int32Array<SharedArrayBuffer>;
  readonly f64: Float64Array<SharedArrayBuffer>;
}

export type Size = 'smoke' | 'full';

/** What a run is told. */
export interface Run {
  readonly threads: number;
  /** As `parameters` gave them. */
  readonly parameters: readonly number[];
}

/** What one thread of it is told. */
export interface Part extends Run {
  /** 0 and up. */
  readonly index: number;
  /** What `setup` gave. */
  readonly root: number;
}

export interface Outcome {
  /** How many of what the workload's header calls an operation. */
  readonly operations: number;
  /** 32 bits; the threads' are added up. */
  readonly checksum: number;
}

/** A workload over one allocator, as one thread sees it. */
export interface Program {
  /** Untimed, on one thread, before the others start: the address of what they share, or 0. */
  setup?(run: Run): number;
  /** One thread's part, timed from when all are there to when the last one is done. */
  work(part: Part): Outcome;
  /** Untimed, on one thread, when all are done: frees what is left. What it finds is added. */
  finish?(run: Run, root: number): number;
}

export interface Workload {
  readonly name: string;
  /** Does it say anything on more than one thread? */
  readonly threads: 'one' | 'many';
  /**
   * Does the checksum depend on nothing but the parameters, and not on which thread was quicker?
   * Then it is held against the twin's.
   */
  readonly deterministic: boolean;
  /** Why its time is not to be held against the twin's; it counts for no mean then. */
  readonly apart?: string;
  /** Whole numbers, which the C twin takes in the same order. A full run takes about half a second. */
  parameters(size: Size, threads: number): readonly number[];
  /**
   * Called once in each thread, and what it gives is run twice, of which the second run is timed. So
   * functions in it are made once, which lets the engine treat what they close over as
   * constants.
   */
  create(allocator: Allocator): Program;
}

/** @throws Error when the payload of a block is not what was written into it */
export function requirePayload(found: number, expected: number, where: string): void {
  if (found !== expected)
    throw new Error(`${where}: payload ${found} where ${expected} was written`);
}
