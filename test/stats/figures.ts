/**
 * Properties of a heap's figures at any moment: no figure is negative or not a number, no part
 * exceeds its whole, no count falls.
 */

import type { HeapStats } from 'shmalloc';

/** Every number in a record, with its path; list items by their index. */
export function* numbersIn(value: unknown, path = ''): Generator<readonly [string, number]> {
  if (typeof value === 'number') yield [path, value];
  if (typeof value !== 'object' || value === null) return;
  for (const [key, part] of Object.entries(value)) {
    yield* numbersIn(part, path === '' ? key : `${path}.${key}`);
  }
}

const isSound = (value: unknown): boolean => {
  if (typeof value === 'number') return value >= 0 && value < Number.POSITIVE_INFINITY;
  return typeof value !== 'object' || value === null || Object.values(value).every(isSound);
};

/** Invalid numbers of any record: below 0, or not finite. */
export function badNumbers(record: unknown): string[] {
  if (isSound(record)) return [];
  return [...numbersIn(record)]
    .filter(([, value]) => !(Number.isFinite(value) && value >= 0))
    .map(([path, value]) => `${path} is ${value}`);
}

/** Parts that exceed their whole, in statistics since the heap's creation. */
export function excessParts(stats: HeapStats): string[] {
  const { large, fragmentation, locks, contexts, sizeClasses, threads } = stats;
  const found: string[] = [];
  const most = (what: string, part: number, whole: number): void => {
    if (!(part <= whole)) found.push(`${what}: ${part} of ${whole}`);
  };
  const total = <T>(items: readonly T[], of: (item: T) => number): number =>
    items.reduce((sum, item) => sum + of(item), 0);
  const spanBytes = stats.cachedBytes + stats.freeBlockBytes + stats.spanTailBytes;
  most('blocks and tails of mapped', stats.inUseBytes + spanBytes, stats.mappedBytes);
  most('mapped of footprint', stats.mappedBytes, stats.footprintBytes);
  most('mapped of most mapped', stats.mappedBytes, stats.peakFootprintBytes);
  most('brk of footprint', stats.brkBytes, stats.footprintBytes);
  const data = stats.mappedBytes + stats.freeRunBytes + stats.untouchedBytes;
  most('all of reserved', data + stats.metadataBytes, stats.reservedBytes);
  most('freed of allocated', stats.totalFreedBytes, stats.totalAllocatedBytes);
  most('frees', stats.frees, stats.allocations);
  most('large in use', large.bytesInUse, stats.inUseBytes);
  most('large frees', large.frees, large.allocations);
  most('large frees of frees', large.frees, stats.frees);
  most('large internal', large.internalBytes, large.bytesInUse);
  most('large blocks', large.blocksInUse * 8192, large.bytesInUse + large.blocksInUse * 8192);
  most('contended', locks.contentions, locks.acquisitions);
  most('owners died', locks.ownerDeaths, locks.acquisitions);
  most('longest wait', locks.longestWaitNanoseconds, locks.waitNanoseconds);
  most('contexts released', contexts.released, contexts.live);
  most('bytes of contexts', contexts.bytes, stats.inUseBytes);
  most('in use of peak', stats.inUseBytes, fragmentation.peakLiveBytes);
  most('internal', fragmentation.internalBytes, stats.inUseBytes);
  most('internal ratio', fragmentation.internalRatio, 1);
  most('external ratio', fragmentation.externalRatio, 1);
  most('largest free run', fragmentation.largestFreeRunBytes, stats.freeRunBytes);
  most('fit', fragmentation.largestFitBytes, stats.freeRunBytes + stats.untouchedBytes);
  const small = total(sizeClasses, (c) => c.blocksInUse * c.blockBytes);
  most('classes in use', small + large.bytesInUse, stats.inUseBytes);
  most(
    'threads cached',
    total(threads, (one) => one.cachedBytes),
    stats.cachedBytes,
  );
  most(
    'threads allocated',
    total(threads, (one) => one.allocations),
    stats.allocations,
  );
  for (const c of sizeClasses) {
    const of = (what: string) => `${what} of ${c.blockBytes} bytes`;
    most(of('frees'), c.frees, c.allocations);
    most(of('internal'), c.internalBytes, c.blocksInUse * c.blockBytes);
    most(of('mean'), c.requestBytesMean ?? 0, c.blockBytes);
    const blocks = c.blocksInUse + c.blocksCached + c.blocksFree;
    // The blocks of whole spans: the same number in each.
    most(of('blocks of no span'), c.spans === 0 ? blocks : blocks % c.spans, 0);
  }
  return found;
}

/** Counts of statistics; only a reset may lower them. */
export function countsOf(stats: HeapStats): [string, number][] {
  const { locks, recovery } = stats;
  const classes = stats.sizeClasses.flatMap((c) => [
    [`allocations of ${c.blockBytes}`, c.allocations] as const,
    [`frees of ${c.blockBytes}`, c.frees] as const,
    [`samples of ${c.blockBytes}`, c.sampledRequests] as const,
  ]);
  const threads = stats.threads.flatMap((one) =>
    (['allocations', 'frees', 'refills', 'flushes'] as const).map(
      (name) => [`${name} in slot ${one.slot}`, one[name]] as const,
    ),
  );
  const { footprintBytes, totalAllocatedBytes, totalFreedBytes, allocations, frees } = stats;
  const { splits, coalesces, directMaps, brkBytes, large } = stats;
  const sums = {
    ...{ footprintBytes, totalAllocatedBytes, totalFreedBytes, allocations, frees },
    ...{ splits, coalesces, directMaps, brkBytes, ...locks, ...recovery },
    largeAllocations: large.allocations,
    largeFrees: large.frees,
  };
  return [...Object.entries(sums), ...classes, ...threads].map(([name, value]) => [name, value]);
}

/** Remembers counts, and returns those that have fallen. */
export function createWatch(): (counts: Iterable<readonly [string, number]>) => string[] {
  const last = new Map<string, number>();
  return (counts) => {
    const fell: string[] = [];
    for (const [name, value] of counts) {
      const before = last.get(name) ?? 0;
      if (value < before) fell.push(`${name} fell from ${before} to ${value}`);
      last.set(name, value);
    }
    return fell;
  };
}
