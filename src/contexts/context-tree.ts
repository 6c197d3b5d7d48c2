/**
 * The tree of memory contexts: what each has and how much of that is used, read from the tables
 * alone, and printed in the manner of PostgreSQL's MemoryContextTotals.
 *
 * Called by contexts.ts and context.ts, and by api/ for leaks. Any thread; takes no lock and stops
 * no thread.
 *
 * I1  Contexts are read one after the other while their owners run. Each context is in the tree
 *     once, as a root or below a parent that is in the tree too; its figures are of about one
 *     moment and are clamped to possible values.
 */

import { addCounts, List, printable } from '../base/index.js';
import * as ChunkRecord from '../layout/chunk-record.js';
import * as ContextRecord from '../layout/context-record.js';
import type { ContextIndex, HeapMemory } from '../layout/index.js';
import * as Records from '../layout/record-table.js';
import * as Slot from '../layout/slot.js';

/** Maximum children of a context, and levels, in the text; the others are summed up. */
const CHILDREN_MAX = 100;
const LEVELS_MAX = 100;

/** A memory context as it was a moment ago. Plain data. */
export interface ContextNode {
  /** Its number in the heap; reused after the context has ended. */
  id: number;
  name: string;
  /** Distinguishes contexts of one name; often empty. */
  ident: string;
  kind: 'bump' | 'set';
  /** `threadId` of the thread that owns it; null = released and not adopted yet. */
  owner: number | null;
  /** 1 = a root. */
  level: number;
  /** Ids from its root down to itself; at most the first hundred. */
  path: number[];
  /** Id of its parent; 0 = a root. */
  parent: number;
  /** Its chunks (blocks of the heap), and their bytes: used + free. */
  chunks: number;
  bytes: number;
  usedBytes: number;
  freeBytes: number;
  /** Live objects. */
  objects: number;
}

/** All contexts of a heap, each before its children; roots and siblings in the order of their ids. */
export function readContextTree(memory: HeapMemory): ContextNode[] {
  const { i32, u32, geometry } = memory;
  const table = ContextRecord.contextTable(geometry);
  const frontier = Records.last(i32, table);
  /** State by id; 0 = no context. */
  const states = new Int32Array(frontier + 1);
  const parents = new Uint32Array(frontier + 1);
  for (let id = 1; id <= frontier; id++) {
    const record = Records.at(table, id);
    // The order matters: when a context becomes a root, its slot is written first.
    const parent = ContextRecord.loadParent(u32, record);
    const state = Records.load(i32, record);
    const phase = ContextRecord.phaseOf(state);
    // A context that is being made has nothing yet, and one that is ending has nothing left.
    if (phase !== ContextRecord.LIVE && phase !== ContextRecord.RELEASED) continue;
    states[id] = state;
    parents[id] = parent;
  }
  const children = new Map<number, number[]>();
  for (let id = 1; id <= frontier; id++) {
    if (states[id] === 0) continue;
    // A context whose parent has ended during the reading becomes a root: its new place is unknown.
    const parent = (states[parents[id]] ?? 0) === 0 ? 0 : parents[id];
    parents[id] = parent;
    const siblings = children.get(parent);
    if (siblings === undefined) children.set(parent, List.of(id));
    else siblings.push(id);
  }
  const nodes = new List<ContextNode>();
  const seen = new Uint8Array(frontier + 1);
  for (const root of children.get(0) ?? []) addTree(root);
  // A tree that contexts were moved in during the reading may contain a cycle.
  for (let id = 1; id <= frontier; id++) if (states[id] !== 0 && seen[id] === 0) addTree(id);
  return [...nodes];

  /** Adds a context and all below it. Iterative: the tree may be deeper than the call stack. */
  function addTree(root: number): void {
    const open = List.of<{ id: number; above: ContextNode | undefined }>({
      id: root,
      above: undefined,
    });
    for (let next = open.pop(); next !== undefined; next = open.pop()) {
      const { id, above } = next;
      if (seen[id] === 1) continue;
      seen[id] = 1;
      const node = readNode(memory, id as ContextIndex, states[id], above);
      nodes.push(node);
      const below = children.get(id) ?? [];
      for (let n = below.length - 1; n >= 0; n--) open.push({ id: below[n], above: node });
    }
  }
}

function readNode(
  { u32, u8, geometry }: HeapMemory,
  id: ContextIndex,
  state: number,
  above: ContextNode | undefined,
): ContextNode {
  const record = Records.at(ContextRecord.contextTable(geometry), id);
  const chunks = Math.min(
    ContextRecord.getChunkCount(u32, record),
    ChunkRecord.chunkTable(geometry).count,
  );
  const bytes = Math.min(ContextRecord.getBytes(u32, record), geometry.dataBytes);
  const inCurrent = ContextRecord.getCursor(u32, record) - ContextRecord.getChunkStart(u32, record);
  const used =
    ContextRecord.getUsedBefore(u32, record) + inCurrent - ContextRecord.getFreedBytes(u32, record);
  const usedBytes = Math.min(bytes, Math.max(0, used));
  const root = above === undefined;
  return {
    id,
    name: ContextRecord.readName(u8, record),
    ident: ContextRecord.readIdent(u8, record),
    kind: ContextRecord.kindOf(state) === ContextRecord.SET_KIND ? 'set' : 'bump',
    // Below a root the state may still name the previous owner of the tree.
    owner: root ? ownerOf(u32, geometry, state) : above.owner,
    level: root ? 1 : above.level + 1,
    path: root ? [id] : above.level < LEVELS_MAX ? [...above.path, id] : above.path,
    parent: root ? 0 : above.id,
    chunks,
    bytes,
    usedBytes,
    freeBytes: bytes - usedBytes,
    objects: ContextRecord.getObjects(u32, record),
  };
}

function ownerOf(u32: Uint32Array, geometry: HeapMemory['geometry'], state: number): number | null {
  if (ContextRecord.phaseOf(state) !== ContextRecord.LIVE) return null;
  const slot = Math.min(ContextRecord.slotOf(state), geometry.threads - 1);
  return Slot.getThreadId(u32, Slot.at(geometry.slots, slot));
}

/** Sums over several contexts. */
interface ContextSums {
  contexts: number;
  chunks: number;
  bytes: number;
  freeBytes: number;
  usedBytes: number;
  objects: number;
}

function sumContexts(nodes: readonly ContextNode[]): ContextSums {
  const sums: ContextSums = {
    contexts: 0,
    chunks: 0,
    bytes: 0,
    freeBytes: 0,
    usedBytes: 0,
    objects: 0,
  };
  for (const { chunks, bytes, freeBytes, usedBytes, objects } of nodes) {
    addCounts(sums, { contexts: 1, chunks, bytes, freeBytes, usedBytes, objects });
  }
  return sums;
}

/**
 * The tree as text: one line per context, below its parent. Beyond a hundred children or levels,
 * one line sums up the others and all below them. The last line is the grand total.
 */
export function renderContextTree(nodes: readonly ContextNode[]): string {
  const lines = new List<string>();
  renderLevel(nodes, lines);
  const { bytes, chunks, freeBytes, usedBytes } = sumContexts(nodes);
  const blocks = `${bytes} bytes in ${chunks} chunks`;
  lines.push(`Grand total: ${blocks}; ${freeBytes} free; ${usedBytes} used`);
  return lines.join('\n');
}

/** Some trees, one beside the other. Recursive, at most LEVELS_MAX deep. */
function renderLevel(nodes: readonly ContextNode[], lines: string[], level = 1): void {
  const indent = '  '.repeat(level - 1);
  let shown = 0;
  for (let at = 0; at < nodes.length; shown++) {
    if (shown === CHILDREN_MAX || level > LEVELS_MAX) {
      const what = level > LEVELS_MAX ? 'deeper' : 'more';
      lines.push(`${indent}${renderSums(sumContexts(nodes.slice(at)), what)}`);
      return;
    }
    const node = nodes[at];
    lines.push(`${indent}${renderNode(node)}`);
    let end = at + 1;
    while (end < nodes.length && nodes[end].level > node.level) end++;
    renderLevel(nodes.slice(at + 1, end), lines, level + 1);
    at = end;
  }
}

function renderNode({ owner, kind, level, ...node }: ContextNode): string {
  const whose = owner === null ? 'released' : `thread ${owner}`;
  const about = [...(kind === 'set' ? ['set'] : []), ...(level === 1 ? [whose] : [])];
  const note = about.length === 0 ? '' : `, ${about.join(', ')}`;
  const ident = node.ident === '' ? '' : ` (${printable(node.ident)})`;
  return (
    `${printable(node.name)}${ident}${note}: ${node.bytes} bytes in ` +
    `${node.chunks} chunks; ${node.freeBytes} free; ${node.usedBytes} used; ${node.objects} objects`
  );
}

const renderSums = (sums: ContextSums, what: string): string =>
  `${sums.contexts} ${what} contexts: ${sums.bytes} bytes in ${sums.chunks} chunks; ` +
  `${sums.freeBytes} free; ${sums.usedBytes} used; ${sums.objects} objects`;
