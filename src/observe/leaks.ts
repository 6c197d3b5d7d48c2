/**
 * Leaks: live blocks by where they were allocated, and the report of them in the manner of valgrind.
 *
 * Called by face/. findLeaks goes through blocks once and keeps the groups only; the rest is text.
 */

import { type Address, BLOCK_BYTES, classOf, hex, SMALL_BYTES_MAX } from '../base/index.js';
import type { Block } from '../heap/index.js';
import type { HeapMemory } from '../layout/index.js';
import { readCounters, sum } from './counters.js';
import { formatCount } from './stats-table.js';

/** Live blocks of one origin: a call stack where it is known, else a block size. */
export interface LeakGroup {
  blocks: number;
  /** Usable bytes of all of them. */
  bytes: number;
  /** The lowest of them. */
  firstAddress: Address;
  /** Call stack of the allocations, lines, where debug options record it. */
  stack?: string;
  /** Without a stack: bytes of a block of their size class; 0 = large blocks, of any size. */
  blockBytes?: number;
}

/** What is live in a heap. */
export interface Leaks {
  blocks: number;
  /** Usable bytes. */
  bytes: number;
  /** The largest first. */
  groups: LeakGroup[];
}

/** What was done with a heap since it was made. */
export interface HeapUsage {
  readonly allocations: number;
  readonly frees: number;
  readonly allocatedBytes: number;
}

export function findLeaks(blocks: Iterable<Block>): Leaks {
  const groups = new Map<string | number, LeakGroup>();
  const leaks: Leaks = { blocks: 0, bytes: 0, groups: [] };
  for (const { address, bytes, stack } of blocks) {
    const blockBytes = bytes > SMALL_BYTES_MAX ? 0 : (BLOCK_BYTES[classOf(bytes)] as number);
    const key = stack ?? blockBytes;
    let group = groups.get(key);
    if (group === undefined) {
      const origin = stack === undefined ? { blockBytes } : { stack };
      group = { blocks: 0, bytes: 0, firstAddress: address, ...origin };
      groups.set(key, group);
    }
    group.blocks++;
    group.bytes += bytes;
    leaks.blocks++;
    leaks.bytes += bytes;
  }
  leaks.groups = [...groups.values()].sort(
    (a, b) => b.bytes - a.bytes || a.firstAddress - b.firstAddress,
  );
  return leaks;
}

/** Counts since the heap was made, whatever was reset since. */
export function readUsage(memory: HeapMemory): HeapUsage {
  const { sizeClasses, large, totalAllocatedBytes } = readCounters(memory);
  return {
    allocations: sum(sizeClasses, (c) => c.allocations) + large.allocations,
    frees: sum(sizeClasses, (c) => c.frees) + large.frees,
    allocatedBytes: totalAllocatedBytes,
  };
}

/** The report at the end of a program. */
export function renderLeaks(leaks: Leaks, usage: HeapUsage): string {
  const [blocks, bytes] = [leaks.blocks, leaks.bytes].map(formatCount);
  const [allocs, frees, allocated] = [usage.allocations, usage.frees, usage.allocatedBytes].map(
    formatCount,
  );
  return [
    `HEAP SUMMARY: in use at exit: ${bytes} bytes in ${blocks} blocks`,
    `total heap usage: ${allocs} allocs, ${frees} frees, ${allocated} bytes allocated`,
    '',
    ...(leaks.blocks === 0
      ? ['All heap blocks were freed -- no leaks are possible']
      : leaks.groups.flatMap(renderGroup)),
  ].join('\n');
}

function renderGroup({ blocks, bytes, firstAddress, stack, blockBytes }: LeakGroup): string[] {
  const kind = blockBytes === 0 ? 'large blocks' : 'blocks';
  const size = (blockBytes ?? 0) === 0 ? '' : ` of ${formatCount(blockBytes as number)} bytes`;
  const first = `${blocks === 1 ? 'at' : 'first at'} ${hex(firstAddress)}`;
  const what = `${formatCount(bytes)} bytes in ${formatCount(blocks)} ${kind}${size}, ${first}`;
  if (stack === undefined) return [what];
  const frames = stack.split('\n').map((line) => `    ${line.trim()}`);
  return [`${what}, allocated`, ...frames];
}
