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

/** Live blocks of one origin: a call stack where it is known, else a size. */
export interface LeakGroup {
  blocks: number;
  /** Usable bytes of all of them. */
  bytes: number;
  /** Bytes that were asked for, of all of them, where debug options keep that. */
  requestedBytes?: number;
  /** The lowest of them. */
  firstAddress: Address;
  /** Call stack of the allocations, lines, where debug options record it. */
  stack?: string;
  /** Without a stack: bytes that each of them was asked for, where debug options keep that. */
  requestedEach?: number;
  /** Without either: bytes of a block of their size class; 0 = large blocks, of any size. */
  blockBytes?: number;
}

/** What is live in a heap. */
export interface Leaks {
  blocks: number;
  /** Usable bytes. */
  bytes: number;
  /** Bytes that were asked for, where debug options keep that. */
  requestedBytes?: number;
  /** The largest first. */
  groups: LeakGroup[];
}

/** Which heap a report is about, where there are several. */
export interface LeakLabel {
  /** As in `heap.handle.id`. */
  readonly heapId: string;
  /** The thread that made it. */
  readonly threadId: number;
}

/** What was done with a heap since it was made. */
export interface HeapUsage {
  readonly allocations: number;
  readonly allocatedBytes: number;
}

/**
 * Puts live blocks into groups.
 * @param isLarge is a block a run of its own? Asked where its bytes do not say so: a block with red
 *   zones, or one that is a run by a debug option, has less than its run
 */
export function findLeaks(
  blocks: Iterable<Block>,
  isLarge: (address: Address) => boolean = () => false,
): Leaks {
  const groups = new Map<string, LeakGroup>();
  const leaks: Leaks = { blocks: 0, bytes: 0, groups: [] };
  for (const block of blocks) {
    const origin = originOf(block, isLarge);
    const key = origin.stack ?? `${origin.requestedEach} ${origin.blockBytes}`;
    let group = groups.get(key);
    if (group === undefined) {
      group = { blocks: 0, bytes: 0, firstAddress: block.address, ...origin };
      groups.set(key, group);
    }
    count(group, block);
    count(leaks, block);
  }
  leaks.groups = [...groups.values()].sort(
    (a, b) => told(b) - told(a) || a.firstAddress - b.firstAddress,
  );
  return leaks;
}

function originOf(
  { address, bytes, requested, stack }: Block,
  isLarge: (address: Address) => boolean,
): Pick<LeakGroup, 'stack' | 'requestedEach' | 'blockBytes'> {
  if (stack !== undefined) return { stack };
  if (bytes > SMALL_BYTES_MAX) return { blockBytes: 0 };
  if (requested === undefined) return { blockBytes: BLOCK_BYTES[classOf(bytes)] as number };
  return isLarge(address) ? { blockBytes: 0 } : { requestedEach: requested };
}

type Sum = Pick<LeakGroup, 'blocks' | 'bytes' | 'requestedBytes'>;

/** A heap keeps what was asked for of all its blocks, or of none. */
function count(sum: Sum, { bytes, requested }: Block): void {
  sum.blocks++;
  sum.bytes += bytes;
  if (requested !== undefined) sum.requestedBytes = (sum.requestedBytes ?? 0) + requested;
}

/** The bytes that a report tells. */
const told = ({ bytes, requestedBytes }: Sum): number => requestedBytes ?? bytes;

/** Counts since the heap was made, whatever was reset since. */
export function readUsage(memory: HeapMemory): HeapUsage {
  const { sizeClasses, large, totalAllocatedBytes } = readCounters(memory);
  return {
    allocations: sum(sizeClasses, (c) => c.allocations) + large.allocations,
    allocatedBytes: totalAllocatedBytes,
  };
}

/**
 * The report at the end of a program, in bytes that were asked for where that is known (but for
 * those allocated since the heap was made, which are usable bytes). `label` gets a line of its own.
 */
export function renderLeaks(leaks: Leaks, usage: HeapUsage, label?: LeakLabel): string {
  const [blocks, bytes] = [leaks.blocks, told(leaks)].map(formatCount);
  // What waits in quarantine is freed, as the program sees it.
  const frees = formatCount(usage.allocations - leaks.blocks);
  const [allocs, allocated] = [usage.allocations, usage.allocatedBytes].map(formatCount);
  return [
    `HEAP SUMMARY: in use at exit: ${bytes} bytes in ${blocks} blocks`,
    `total heap usage: ${allocs} allocs, ${frees} frees, ${allocated} bytes allocated`,
    ...(label === undefined ? [] : [`heap ${label.heapId}, made by thread ${label.threadId}`]),
    '',
    ...(leaks.blocks === 0
      ? ['All heap blocks were freed -- no leaks are possible']
      : leaks.groups.flatMap(renderGroup)),
  ].join('\n');
}

function renderGroup(group: LeakGroup): string[] {
  const { blocks, firstAddress, stack, requestedEach, blockBytes } = group;
  const kind = blockBytes === 0 ? 'large blocks' : 'blocks';
  const each = requestedEach ?? (blockBytes || undefined);
  const size = each === undefined ? '' : ` of ${formatCount(each)} bytes`;
  const first = `${blocks === 1 ? 'at' : 'first at'} ${hex(firstAddress)}`;
  const what = `${formatCount(told(group))} bytes in ${formatCount(blocks)} ${kind}${size}, ${first}`;
  if (stack === undefined) return [what];
  const frames = stack.split('\n').map((line) => `    ${line.trim()}`);
  return [`${what}, allocated`, ...frames];
}
