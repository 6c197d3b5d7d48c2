/**
 * Cost growth: whether a call gets slower with the number of live blocks, with the size of the
 * heap, or with the number of free runs in it.
 *
 * Part of main.ts. With more live blocks than fit into the processor's caches everything is slower,
 * on any allocator; so each number of blocks is measured twice: with replacements all over the
 * heap, and with replacements next to each other, which touch little memory at a time. Growth in
 * the first and not in the second is cache misses, and the peers show how many are inevitable. Both
 * mostly stay in the thread's cache of free blocks; if thousands are freed and then thousands
 * allocated, most go back to their spans, wherever these are, and come from others. Free runs are
 * mostly of one page, between blocks that stay; one in 50 is longer. The size of the heap is
 * measured for ours only: peers have none.
 *
 * What the numbers do not show: misses on the blocks' content, which is not written; other threads;
 * and free runs that are all a little too short, where the search gives up and takes new memory.
 */

import type { GrowthCase, GrowthPoint } from './growth-run.js';
import { type Peers, runNode } from './native.js';

const RUN = new URL('./growth-run.js', import.meta.url);
const OURS = 'shmalloc';
const MIB = 2 ** 20;
/** Size of the largest possible heap, in bytes. */
const HEAP_BYTES_MAX = 2 ** 32 - 2 ** 16;

interface Series {
  readonly name: GrowthCase;
  readonly points: readonly number[];
  /** Number of points, from the first, that a smoke run measures. */
  readonly smokePoints: number;
  /** Rounds of each of ten passes. */
  readonly rounds: number;
  readonly native: boolean;
}

const LIVE = [1000, 10_000, 100_000, 1_000_000, 10_000_000];
const SERIES: readonly Series[] = [
  { name: 'random', points: LIVE, smokePoints: 2, rounds: 400_000, native: true },
  { name: 'near', points: LIVE, smokePoints: 1, rounds: 400_000, native: true },
  // Without 1,000: none would be left when 4,096 are freed.
  { name: 'bulk', points: LIVE.slice(1), smokePoints: 1, rounds: 400_000, native: true },
  {
    name: 'heap',
    points: [64 * MIB, 256 * MIB, 1024 * MIB, HEAP_BYTES_MAX],
    smokePoints: 1,
    rounds: 400_000,
    native: false,
  },
  {
    name: 'runs',
    points: [0, 1000, 10_000, 100_000],
    smokePoints: 2,
    rounds: 40_000,
    native: true,
  },
];
const SMOKE_SHARE = 1 / 20;

/** One point of a series. */
export interface GrowthRow {
  readonly series: GrowthCase;
  /** Live blocks; bytes of the heap; or free runs. */
  readonly at: number;
  /** Best nanoseconds of a malloc and a free, by allocator; ours is `shmalloc`. */
  readonly ns: Record<string, number>;
}

export interface GrowthOptions {
  readonly smoke: boolean;
  readonly rounds: number;
}

/** Ours and the peers take turns, point by point; the best of the rounds counts. */
export function measureGrowth(
  peers: Peers,
  { smoke, rounds }: GrowthOptions,
  tell: (what: string) => void,
): GrowthRow[] {
  return SERIES.flatMap((series) =>
    series.points.slice(0, smoke ? series.smokePoints : undefined).map((at): GrowthRow => {
      tell(`growth, ${series.name} ${at.toLocaleString('en-US')}`);
      const each = smoke ? series.rounds * SMOKE_SHARE : series.rounds;
      const args = [series.name, String(at), String(each)];
      const ns: Record<string, number> = {};
      const keep = (allocator: string, point: GrowthPoint) => {
        ns[allocator] = Math.min(ns[allocator] ?? Number.POSITIVE_INFINITY, point.ns);
      };
      for (let round = 0; round < rounds; round++) {
        keep(OURS, runNode<GrowthPoint>(RUN, args));
        if (!series.native) continue;
        for (const peer of peers.names) keep(peer, peers.run<GrowthPoint>(peer, 'growth', args));
      }
      return { series: series.name, at, ns };
    }),
  );
}
