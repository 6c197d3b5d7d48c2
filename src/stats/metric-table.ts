/**
 * The metrics: one table of all values for monitoring systems, from which every format is made.
 *
 * Read by metrics.ts. Pure data: names, units, and how to read each value from the statistics.
 *
 * I1  A counter is a total since the heap's creation: resetStats() does not set it back.
 * I2  All points of a metric have the same attributes, with different values.
 * I3  Attributes have few values: states, size classes that were ever used, thread slots (not
 *     threads, whose number has no limit over time).
 */

import type { HeapStats } from './heap-stats.js';
import { eachClass, eachSlot, type Metric, type MetricUnit, usedClasses, whole } from './metric.js';

/** All bytes of the heap, each in one state. */
const memory: Metric = {
  name: 'shmalloc.heap.memory',
  kind: 'level',
  unit: 'By',
  description: 'Memory by what it is used for; adds up to what is reserved',
  read: (stats) => [
    { value: stats.inUseBytes, attributes: { state: 'in_use' } },
    { value: stats.cachedBytes, attributes: { state: 'cached' } },
    { value: stats.freeBlockBytes, attributes: { state: 'free_block' } },
    { value: stats.spanTailBytes, attributes: { state: 'span_tail' } },
    { value: stats.freeRunBytes, attributes: { state: 'free_run' } },
    { value: stats.untouchedBytes, attributes: { state: 'untouched' } },
    { value: stats.metadataBytes, attributes: { state: 'metadata' } },
  ],
};

const classBlocks: Metric = {
  name: 'shmalloc.class.blocks',
  kind: 'level',
  unit: '{block}',
  description: 'Blocks of a size class by where they are',
  read: (stats) =>
    usedClasses(stats).flatMap(({ blockBytes: block_bytes, ...c }) => [
      { value: c.blocksInUse, attributes: { block_bytes, state: 'in_use' } },
      { value: c.blocksCached, attributes: { block_bytes, state: 'cached' } },
      { value: c.blocksFree, attributes: { block_bytes, state: 'free' } },
    ]),
};

// ---- the table

const seconds = (nanoseconds: number): number => nanoseconds / 1e9;

const HEAP_METRICS: readonly Metric[] = [
  whole.gauge('By', 'heap.reserved', 'Length of the heap', (s) => s.reservedBytes),
  memory,
  whole.gauge(
    'By',
    'heap.footprint',
    'Data pages ever taken from the reserve',
    (s) => s.footprintBytes,
  ),
  whole.gauge(
    'By',
    'heap.mapped',
    'Bytes of pages in spans and large blocks',
    (s) => s.mappedBytes,
  ),
  whole.gauge(
    'By',
    'heap.mapped_peak',
    'Most pages mapped at once since creation or resetStats()',
    (s) => s.peakFootprintBytes,
  ),
  whole.gauge(
    'By',
    'heap.brk',
    'How far spans and small runs have grown from the bottom',
    (s) => s.brkBytes,
  ),
  whole.gauge(
    'By',
    'heap.live_peak',
    'Most bytes in use since creation or resetStats(), sampled',
    (s) => s.fragmentation.peakLiveBytes,
  ),
];

const fragmentation = (
  unit: MetricUnit,
  name: string,
  description: string,
  field: keyof HeapStats['fragmentation'],
): Metric => whole.gauge(unit, `fragmentation.${name}`, description, (s) => s.fragmentation[field]);

const FRAGMENTATION_METRICS: readonly Metric[] = [
  fragmentation('By', 'internal', 'Bytes in use that nobody asked for, sampled', 'internalBytes'),
  fragmentation(
    '1',
    'internal_ratio',
    'Bytes that nobody asked for, of all in use',
    'internalRatio',
  ),
  fragmentation('By', 'largest_free_run', 'Longest run of free pages', 'largestFreeRunBytes'),
  fragmentation(
    '1',
    'external_ratio',
    'Free pages that are not in the longest run, of all',
    'externalRatio',
  ),
  fragmentation('By', 'largest_fit', 'Longest run to be had, reserve included', 'largestFitBytes'),
  fragmentation('1', 'footprint_ratio', 'Footprint over most in use', 'footprintOverPeakLive'),
];

const CALL_METRICS: readonly Metric[] = [
  whole.counter('{allocation}', 'allocations', 'Blocks allocated', (s) => s.allocations),
  whole.counter('{free}', 'frees', 'Blocks freed', (s) => s.frees),
  whole.counter('By', 'allocated', 'Bytes allocated', (s) => s.totalAllocatedBytes),
  whole.counter('By', 'freed', 'Bytes freed', (s) => s.totalFreedBytes),
  whole.level('{block}', 'large.blocks', 'Large blocks in use', (s) => s.large.blocksInUse),
  whole.level('By', 'large.memory', 'Bytes of large blocks in use', (s) => s.large.bytesInUse),
  whole.counter(
    '{allocation}',
    'large.allocations',
    'Large blocks allocated',
    (s) => s.large.allocations,
  ),
  whole.counter('{free}', 'large.frees', 'Large blocks freed', (s) => s.large.frees),
  whole.level('{context}', 'contexts', 'Memory contexts', (s) => s.contexts.live),
  whole.level('By', 'context', 'Bytes that memory contexts have', (s) => s.contexts.bytes),
  whole.counter('{run}', 'page_heap.splits', 'Runs split in two', (s) => s.splits),
  whole.counter(
    '{run}',
    'page_heap.coalesces',
    'Free runs joined with a neighbour',
    (s) => s.coalesces,
  ),
  whole.counter(
    '{run}',
    'page_heap.direct_maps',
    'Runs of 128 KiB and more taken',
    (s) => s.directMaps,
  ),
];

const THREAD_METRICS: readonly Metric[] = [
  whole.level('{thread}', 'threads', 'Threads attached', (s) => attachedThreads(s)),
  whole.counter('{lock}', 'lock.acquisitions', 'Locks taken', (s) => s.locks.acquisitions),
  whole.counter(
    '{lock}',
    'lock.contentions',
    'Locks that a thread had to wait for',
    (s) => s.locks.contentions,
  ),
  whole.counter('s', 'lock.wait', 'Time that threads waited for locks', (s) =>
    seconds(s.locks.waitNanoseconds),
  ),
  whole.gauge('s', 'lock.longest_wait', 'Longest wait for a lock', (s) =>
    seconds(s.locks.longestWaitNanoseconds),
  ),
  whole.counter(
    '{lock}',
    'lock.owner_deaths',
    'Locks taken over from dead threads',
    (s) => s.locks.ownerDeaths,
  ),
  whole.counter(
    '{slot}',
    'recovery.slots',
    'Slots of dead threads taken back',
    (s) => s.recovery.recoveries,
  ),
  whole.counter(
    '{block}',
    'recovery.blocks',
    'Cached blocks of dead threads taken back',
    (s) => s.recovery.blocksReturned,
  ),
  whole.counter(
    '{run}',
    'recovery.runs',
    'Runs taken back that dead threads were allocating or freeing',
    (s) => s.recovery.runsReturned,
  ),
  whole.counter(
    '{context}',
    'recovered.contexts',
    'Memory contexts of dead threads ended',
    (s) => s.recovery.contextsReturned,
  ),
  eachSlot.counter(
    '{allocation}',
    'allocations',
    'Blocks allocated by the threads of a slot',
    (t) => t.allocations,
  ),
  eachSlot.counter('{free}', 'frees', 'Blocks freed by the threads of a slot', (t) => t.frees),
  eachSlot.counter('{refill}', 'refills', 'Refills of the caches of a slot', (t) => t.refills),
  eachSlot.counter('{flush}', 'flushes', 'Flushes of the caches of a slot', (t) => t.flushes),
  eachSlot.level('By', 'cached', 'Bytes in the caches of a slot', (t) => t.cachedBytes),
];

const CLASS_METRICS: readonly Metric[] = [
  classBlocks,
  eachClass.level('{span}', 'spans', 'Spans of a size class', (c) => c.spans),
  eachClass.counter(
    '{allocation}',
    'allocations',
    'Blocks of a size class allocated',
    (c) => c.allocations,
  ),
  eachClass.counter('{free}', 'frees', 'Blocks of a size class freed', (c) => c.frees),
  eachClass.gauge(
    'By',
    'internal',
    'Bytes in blocks of a size class that nobody asked for, sampled',
    (c) => c.internalBytes,
  ),
];

function attachedThreads({ threads }: HeapStats): number {
  return threads.filter(({ attached }) => attached).length;
}

/** All metrics, in the order of the output. */
export const METRICS: readonly Metric[] = [
  ...HEAP_METRICS,
  ...FRAGMENTATION_METRICS,
  ...CALL_METRICS,
  ...THREAD_METRICS,
  ...CLASS_METRICS,
];
