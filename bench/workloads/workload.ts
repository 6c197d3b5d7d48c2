/**
 * Workloads: the parts of each. One file per workload; its C twin of the same name is in
 * bench/native/.
 *
 * A workload does a fixed amount of work, not as much as a time allows, so that it can be compared
 * with its twin: same parameters, same random numbers, same operations and, if the work does not
 * depend on which thread is faster, the same checksum.
 *
 * Hot loops are functions of a few thousand rounds that are called repeatedly: a loop of millions
 * would run code that is compiled while it runs, as no long-lived program does.
 */

/**
 * The calls of a workload: the heap's `_ts` calls, or another allocator's in their place. Addresses
 * are byte offsets in the buffer of all views: `i32[address >>> 2]`; 0 = null.
 */
export interface Allocator {
  readonly malloc: (bytes: number) => number;
  readonly free: (address: number) => void;
  readonly calloc: (count: number, bytes: number) => number;
  readonly realloc: (address: number, bytes: number) => number;
  /** `alignment` is a power of two, at least 16. */
  readonly alignedAlloc: (alignment: number, bytes: number) => number;
  readonly u8: Uint8Array<SharedArrayBuffer>;
  readonly u32: Uint32Array<SharedArrayBuffer>;
  readonly i32: Int32Array<SharedArrayBuffer>;
  readonly f64: Float64Array<SharedArrayBuffer>;
}

export type Size = 'smoke' | 'full';

/** The settings of a run. */
export interface Run {
  readonly threads: number;
  /** The values that `parameters` returned. */
  readonly parameters: readonly number[];
}

/** The settings of one thread of a run. */
export interface Part extends Run {
  /** Index of the thread, from 0. */
  readonly index: number;
  /** The address that `setup` returned. */
  readonly root: number;
}

export interface Outcome {
  /** Number of operations, in the sense of the workload's header. */
  readonly operations: number;
  /** 32 bits; the threads' checksums are added up. */
  readonly checksum: number;
}

/** A workload on one allocator, in one thread. */
export interface Program {
  /** Untimed, on one thread, before the others start: returns the address of shared data, or 0. */
  setup?(run: Run): number;
  /** One thread's part, timed from when all threads have arrived until the last one is done. */
  work(part: Part): Outcome;
  /**
   * Untimed, on one thread, when all are done: frees all blocks that are left, and returns their
   * checksum.
   */
  finish?(run: Run, root: number): number;
}

export interface Workload {
  readonly name: string;
  /** Whether it is meaningful on more than one thread. */
  readonly threads: 'one' | 'many';
  /**
   * Whether the checksum depends only on the parameters, and not on which thread is faster. If so
   * it is compared with the twin's.
   */
  readonly deterministic: boolean;
  /** Why its time is not comparable with the twin's; it is then not part of a mean. */
  readonly apart?: string;
  /**
   * Whole numbers, in the order of the C twin's arguments. A full run takes about half a second.
   */
  parameters(size: Size, threads: number): readonly number[];
  /**
   * Called once in each thread; the program that it returns runs twice, and the second run is
   * timed. So its functions are made once, and the engine can treat the variables that they close
   * over as constants.
   */
  create(allocator: Allocator): Program;
}

/** @throws Error if a block's content is not what was written into it */
export function requirePayload(found: number, expected: number, where: string): void {
  if (found !== expected)
    throw new Error(`${where}: payload ${found} where ${expected} was written`);
}
