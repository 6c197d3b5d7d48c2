/**
 * Statistics as a table of text.
 *
 * Used by inspect.print('stats') and the command line. Pure text.
 */

import { List } from '../base/index.js';
import type { HeapStats } from './heap-stats.js';

/** The table: sizes and counts, then the classes and threads that were used. */
export function renderStats(stats: HeapStats): string {
  return [
    ...['heap', ...table([...memoryRows(stats), ...activityRows(stats)])],
    ...['', 'size classes', ...table(classRows(stats))],
    ...['', 'threads', ...table(threadRows(stats))],
  ].join('\n');
}

type Row = readonly string[];

function memoryRows(stats: HeapStats): Row[] {
  const { fragmentation } = stats;
  return [
    ['reserved', formatBytes(stats.reservedBytes), 'in use', formatBytes(stats.inUseBytes)],
    ['metadata', formatBytes(stats.metadataBytes), 'cached', formatBytes(stats.cachedBytes)],
    [
      'footprint',
      formatBytes(stats.footprintBytes),
      'free blocks',
      formatBytes(stats.freeBlockBytes),
    ],
    ['mapped', formatBytes(stats.mappedBytes), 'span tails', formatBytes(stats.spanTailBytes)],
    [
      'most mapped',
      formatBytes(stats.peakFootprintBytes),
      'free runs',
      formatBytes(stats.freeRunBytes),
    ],
    ['brk', formatBytes(stats.brkBytes), 'untouched', formatBytes(stats.untouchedBytes)],
    [
      'not asked for',
      formatBytes(fragmentation.internalBytes),
      'longest free',
      formatBytes(fragmentation.largestFreeRunBytes),
      `${formatShare(fragmentation.internalRatio)} of use internal, ` +
        `${formatShare(fragmentation.externalRatio)} of free runs external`,
    ],
    [
      'most in use',
      formatBytes(fragmentation.peakLiveBytes),
      'longest fit',
      formatBytes(fragmentation.largestFitBytes),
      `footprint ${fragmentation.footprintOverPeakLive.toFixed(2)} x most in use`,
    ],
  ];
}

function activityRows(stats: HeapStats): Row[] {
  const { locks, large, recovery, contexts } = stats;
  const longest = `${(locks.longestWaitNanoseconds / 1e6).toFixed(1)} ms at most`;
  const waited = `${(locks.waitNanoseconds / 1e6).toFixed(1)} ms waited`;
  return [
    [
      'allocations',
      formatCount(stats.allocations),
      'allocated',
      formatBytes(stats.totalAllocatedBytes),
    ],
    ['frees', formatCount(stats.frees), 'freed', formatBytes(stats.totalFreedBytes)],
    ['splits', formatCount(stats.splits), 'coalesces', formatCount(stats.coalesces)],
    ['direct maps', formatCount(stats.directMaps), 'large blocks', formatCount(large.blocksInUse)],
    [
      'contexts',
      formatCount(contexts.live),
      'in contexts',
      formatBytes(contexts.bytes),
      `${formatCount(contexts.chunks)} chunks, ${formatCount(contexts.released)} contexts released`,
    ],
    [
      'locks taken',
      formatCount(locks.acquisitions),
      'contended',
      formatCount(locks.contentions),
      `${waited}, ${longest}`,
    ],
    [
      'owners died',
      formatCount(locks.ownerDeaths),
      'recoveries',
      formatCount(recovery.recoveries),
      `${formatCount(recovery.blocksReturned)} blocks, ${formatCount(recovery.runsReturned)} runs, ` +
        `${formatCount(recovery.contextsReturned)} contexts returned`,
    ],
  ];
}

function classRows({ sizeClasses, large }: HeapStats): Row[] {
  return [
    ['block bytes', 'spans', 'in use', 'cached', 'free', 'allocations', 'frees'],
    ...sizeClasses
      .filter((c) => c.spans > 0 || c.allocations > 0)
      .map((c) => [
        formatCount(c.blockBytes),
        ...[c.spans, c.blocksInUse, c.blocksCached, c.blocksFree, c.allocations, c.frees].map(
          formatCount,
        ),
      ]),
    ...(large.allocations > 0
      ? [
          [
            'large',
            '',
            ...[large.blocksInUse, 0, 0, large.allocations, large.frees].map(formatCount),
          ],
        ]
      : []),
  ];
}

function threadRows({ threads }: HeapStats): Row[] {
  return [
    ['slot', 'thread', 'allocations', 'frees', 'refills', 'flushes', 'cached'],
    ...threads.map((t) => [
      String(t.slot),
      t.attached ? String(t.threadId) : `(${t.threadId})`,
      ...[t.allocations, t.frees, t.refills, t.flushes].map(formatCount),
      formatBytes(t.cachedBytes),
    ]),
  ];
}

/** `1234567` as `1,234,567`. */
export function formatCount(count: number): string {
  return Math.round(count).toLocaleString('en-US');
}

/** Bytes in the largest unit that leaves a value of at least 1: `1.2 MiB`. */
export function formatBytes(bytes: number): string {
  let value = bytes;
  for (const unit of ['B', 'KiB', 'MiB']) {
    if (Math.abs(value) < 1024) return unit === 'B' ? `${value} B` : `${trim(value)} ${unit}`;
    value /= 1024;
  }
  return `${trim(value)} GiB`;
}

/** A ratio of 0 to 1 as `12.3%`. */
function formatShare(ratio: number): string {
  return `${(ratio * 100).toFixed(1)}%`;
}

/** Rows as lines: columns padded to equal width, numbers aligned to the right. */
export function table(rows: readonly (readonly string[])[]): string[] {
  const widths = new List<number>();
  for (const row of rows) {
    row.forEach((cell, i) => {
      widths[i] = Math.max(widths[i] ?? 0, cell.length);
    });
  }
  const pad = (cell: string, i: number) =>
    /^\(?[-\d]/.test(cell) ? cell.padStart(widths[i] as number) : cell.padEnd(widths[i] as number);
  return rows.map((row) => `  ${row.map(pad).join('  ')}`.trimEnd());
}

function trim(value: number): string {
  return value >= 100 ? value.toFixed(0) : value.toFixed(1).replace(/\.0$/, '');
}
