/**
 * Leaks: live blocks grouped by where they were allocated, and a report in the manner of valgrind.
 *
 * Called by api/. findLeaks passes over the blocks once and keeps only the groups; the rest is
 * text.
 */

import { type Address, BLOCK_BYTES, classOf, hex, SMALL_BYTES_MAX } from '../base/index.js';
import { type Block, describeContext } from '../blocks/index.js';
import type { ContextNode } from '../contexts/index.js';
import type { HeapMemory } from '../layout/index.js';
import { formatCount, readCounters, sum } from '../stats/index.js';

/** Maximum trees of contexts in a report; the others are summed up. */
const CONTEXTS_SHOWN = 20;

/** Live blocks of one origin: a call stack if it is known, else a size. */
export interface LeakGroup {
  blocks: number;
  /** Usable bytes of all of its blocks. */
  bytes: number;
  /** Requested bytes of all of its blocks, if debug options record them. */
  requestedBytes?: number;
  /** Address of the lowest block. */
  firstAddress: Address;
  /** Call stack of the allocations, as lines, if debug options record it. */
  stack?: string;
  /** Without a stack: requested bytes of each block, if debug options record them. */
  requestedEach?: number;
  /** Without a stack and requested bytes: block size of the class; 0 = large blocks of any size. */
  blockBytes?: number;
}

/** A tree of memory contexts that has not ended: its root, and totals of the whole tree. */
export interface LeakedContext {
  /** Number of the root context in the heap. */
  id: number;
  name: string;
  /** Distinguishes contexts of one name; often empty. */
  ident: string;
  kind: 'bump' | 'set';
  /** `threadId` of the thread that owns it; null = released and not adopted yet. */
  owner: number | null;
  /** Contexts in the tree: 1 = only the root. */
  contexts: number;
  /** Blocks of all its contexts, the storage of shared vectors included, and their usable bytes. */
  chunks: number;
  bytes: number;
  /** Live objects of all its contexts. */
  objects: number;
}

/**
 * The live blocks of a heap: the program's in groups, and separately those of the heap's objects.
 */
export interface Leaks {
  /** Blocks that the program allocated. */
  blocks: number;
  /** Usable bytes of these blocks. */
  bytes: number;
  /** Requested bytes of these blocks, if debug options record them. */
  requestedBytes?: number;
  /** Groups, the largest first. */
  groups: LeakGroup[];
  /** Memory contexts that have not ended, the largest tree first. */
  contexts: LeakedContext[];
  /** Headers and storages of vectors outside of contexts, and their usable bytes. */
  vectors: { blocks: number; bytes: number };
}

/** Identifies the heap of a report if there are several. */
export interface LeakLabel {
  /** As in `heap.handle.id`. */
  readonly heapId: string;
  /** `threadId` of the thread that created the heap. */
  readonly threadId: number;
}

/** Totals of allocations since the heap's creation. */
export interface HeapUsage {
  readonly allocations: number;
  readonly allocatedBytes: number;
}

/**
 * Groups live blocks, and adds blocks of contexts to the context's tree.
 * @param nodes the contexts, each before its children
 * @param isLarge whether a block is a run of its own. Its size does not show it for a block with
 *   red zones, or one that is a run because of a debug option: such a block is shorter than its run
 */
export function findLeaks(
  blocks: Iterable<Block>,
  nodes: readonly ContextNode[] = [],
  isLarge: (address: Address) => boolean = () => false,
): Leaks {
  const groups = new Map<string, LeakGroup>();
  const trees = treesOf(nodes);
  const vectors = { blocks: 0, bytes: 0 };
  const leaks: Leaks = { blocks: 0, bytes: 0, groups: [], contexts: [], vectors };
  for (const block of blocks) {
    if (block.owned !== undefined) {
      const tree = block.context && trees.get(block.context.id);
      if (tree !== undefined) {
        tree.chunks++;
        tree.bytes += block.bytes;
      } else count(vectors, block);
      continue;
    }
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
  leaks.contexts = [...new Set(trees.values())].sort((a, b) => b.bytes - a.bytes || a.id - b.id);
  return leaks;
}

/** The tree of each context, by the context's id; with objects counted, but no blocks yet. */
function treesOf(nodes: readonly ContextNode[]): Map<number, LeakedContext> {
  const trees = new Map<number, LeakedContext>();
  for (const { id, name, ident, kind, owner, parent, objects } of nodes) {
    const tree = trees.get(parent) ?? {
      ...{ id, name, ident, kind, owner },
      ...{ contexts: 0, chunks: 0, bytes: 0, objects: 0 },
    };
    tree.contexts++;
    tree.objects += objects;
    trees.set(id, tree);
  }
  return trees;
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

/** Adds a block. A heap records the requested bytes of all its blocks or of none. */
function count(sum: Sum, { bytes, requested }: Block): void {
  sum.blocks++;
  sum.bytes += bytes;
  if (requested !== undefined) sum.requestedBytes = (sum.requestedBytes ?? 0) + requested;
}

/** The bytes that a report shows. */
const told = ({ bytes, requestedBytes }: Sum): number => requestedBytes ?? bytes;

/** Totals since the heap's creation, whatever was reset since. */
export function readUsage(memory: HeapMemory): HeapUsage {
  const { sizeClasses, large, totalAllocatedBytes } = readCounters(memory);
  return {
    allocations: sum(sizeClasses, (c) => c.allocations) + large.allocations,
    allocatedBytes: totalAllocatedBytes,
  };
}

/**
 * The report at the end of a program. Bytes are requested bytes if they are recorded; the total
 * allocated since the heap's creation is always in usable bytes. `label` adds a line.
 */
export function renderLeaks(leaks: Leaks, usage: HeapUsage, label?: LeakLabel): string {
  const [blocks, bytes] = [leaks.blocks, told(leaks)].map(formatCount);
  // A block in quarantine counts as freed: the program has freed it.
  const kept = sum(leaks.contexts, (tree) => tree.chunks) + leaks.vectors.blocks;
  // Blocks allocated after the usage was read are in `leaks` too, if threads still run.
  const frees = formatCount(Math.max(0, usage.allocations - leaks.blocks - kept));
  const [allocs, allocated] = [usage.allocations, usage.allocatedBytes].map(formatCount);
  return [
    `HEAP SUMMARY: in use at exit: ${bytes} bytes in ${blocks} blocks`,
    `total heap usage: ${allocs} allocs, ${frees} frees, ${allocated} bytes allocated`,
    ...(label === undefined ? [] : [`heap ${label.heapId}, made by thread ${label.threadId}`]),
    '',
    ...(leaks.blocks === 0
      ? [
          kept + leaks.contexts.length === 0
            ? 'All heap blocks were freed -- no leaks are possible'
            : 'All other heap blocks were freed',
        ]
      : leaks.groups.flatMap(renderGroup)),
    ...renderOwned(leaks),
  ].join('\n');
}

/** Contexts that have not ended, the largest first, and vectors. Empty if there are none. */
function renderOwned({ contexts, vectors }: Leaks): string[] {
  const lines = contexts.slice(0, CONTEXTS_SHOWN).map(renderContext);
  const rest = contexts.slice(CONTEXTS_SHOWN);
  if (rest.length > 0) lines.push(`and ${formatCount(rest.length)} more: ${renderSums(rest)}`);
  if (contexts.length > 0) lines.push(`all contexts: ${renderSums(contexts)}`);
  if (vectors.blocks > 0) {
    const blocks = `${formatCount(vectors.blocks)} blocks`;
    lines.push(`vectors: ${formatCount(vectors.bytes)} bytes in ${blocks}`);
  }
  if (lines.length === 0) return [];
  return ['', 'HELD BY CONTEXTS AND VECTORS:', ...lines];
}

function renderContext({ owner, contexts, ...tree }: LeakedContext): string {
  const whose = owner === null ? 'released' : `thread ${owner}`;
  const others = contexts === 1 ? '' : ` and ${formatCount(contexts - 1)} below it`;
  const what = `${tree.kind === 'set' ? 'set ' : ''}${describeContext(tree)}${others}, ${whose}`;
  return `${what}: ${renderSums([{ owner, contexts, ...tree }])}`;
}

function renderSums(trees: readonly LeakedContext[]): string {
  const of = (value: (tree: LeakedContext) => number) => formatCount(sum(trees, value));
  const chunks = `${of((tree) => tree.bytes)} bytes in ${of((tree) => tree.chunks)} chunks`;
  return `${chunks}, ${of((tree) => tree.objects)} objects`;
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
