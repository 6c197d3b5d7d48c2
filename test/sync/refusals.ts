/**
 * The calls that a poisoned heap must refuse, with magazines that are neither empty nor full, and
 * with other magazines.
 */

import type { Address, SharedHeap } from 'shmalloc';

/** Sizes of blocks; some are live, and as many are cached. */
const SIZES = [8, 100, 4096, 20_000] as const;
const EACH = 8;

export interface Warm {
  readonly live: readonly Address[];
  readonly large: Address;
}

/** Fills a thread's caches half-way; returns live blocks of every kind. */
export function warmUp(heap: SharedHeap): Warm {
  const live: Address[] = [];
  for (const size of SIZES) {
    const blocks = Array.from({ length: 2 * EACH }, () => heap.malloc_ts(size));
    for (const address of blocks.splice(EACH)) heap.free_ts(address);
    live.push(...blocks);
  }
  return { live, large: heap.malloc_ts(100_000) };
}

/** All calls by name; a sound heap would carry out each of them. */
export function everyCall(heap: SharedHeap, { live, large }: Warm): Record<string, () => unknown> {
  const calls: Record<string, () => unknown> = {
    'malloc_ts of a class without blocks': () => heap.malloc_ts(9000),
    'malloc_ts, large': () => heap.malloc_ts(100_000),
    'free_ts, large': () => heap.free_ts(large),
    'free_ts of no block': () => heap.free_ts((large + 16) as Address),
    'realloc_ts of 0': () => heap.realloc_ts(0 as Address, 100),
    'realloc_ts, large in place': () => heap.realloc_ts(large, 100_001),
    'realloc_ts, large to small': () => heap.realloc_ts(large, 100),
    'alignedAlloc_ts, large': () => heap.alignedAlloc_ts(65_536, 8),
    'usableSize, large': () => heap.usableSize(large),
    recover: () => heap.recover(),
    'malloc, large': () => heap.malloc(100_000),
    'free, large': () => heap.free(large),
  };
  for (const [n, size] of SIZES.entries()) {
    const block = live[n * EACH] as Address;
    Object.assign(calls, {
      [`malloc_ts(${size})`]: () => heap.malloc_ts(size),
      [`free_ts of ${size}`]: () => heap.free_ts(block),
      [`calloc_ts(1, ${size})`]: () => heap.calloc_ts(1, size),
      [`realloc_ts of ${size}, same class`]: () => heap.realloc_ts(block, size),
      [`realloc_ts of ${size} to 100`]: () => heap.realloc_ts(block, 100),
      [`realloc_ts of ${size} to 0`]: () => heap.realloc_ts(block, 0),
      [`realloc_ts of ${size} to large`]: () => heap.realloc_ts(block, 100_000),
      [`alignedAlloc_ts(16, ${size})`]: () => heap.alignedAlloc_ts(16, size),
      [`usableSize of ${size}`]: () => heap.usableSize(block),
      [`view of ${size}`]: () => heap.view(Uint8Array, block, 8),
      [`malloc(${size})`]: () => heap.malloc(size),
      [`free of ${size}`]: () => heap.free(block),
      [`calloc(1, ${size})`]: () => heap.calloc(1, size),
      [`realloc of ${size}`]: () => heap.realloc(block, size),
      [`alignedAlloc(16, ${size})`]: () => heap.alignedAlloc(16, size),
    });
  }
  return calls;
}

/** Makes every call; returns those that did anything but refuse and name `invariant`. */
export function notRefused(calls: Record<string, () => unknown>, invariant: string): string[] {
  const wrong: string[] = [];
  for (const [name, call] of Object.entries(calls)) {
    let outcome: string;
    try {
      outcome = `gave ${String(call())}`;
    } catch (error) {
      const { name: kind, message, code } = error as Error & { code?: string };
      const right =
        kind === 'HeapCorruptionError' &&
        code === 'ERR_SHMALLOC_CORRUPTION' &&
        message.startsWith('this heap refuses all work') &&
        message.includes(invariant);
      if (right) continue;
      outcome = `threw ${kind}: ${message}`;
    }
    wrong.push(`${name} ${outcome}`);
  }
  return wrong;
}
