/**
 * Worker of `shmalloc stress`: the audit at the end, when all other workers have ended.
 *
 * First reports where each worker was, which needs no heap: the heap may be what hangs. Then
 * resolves all intents, checks every block in the books, compares the books with the heap, and
 * verifies the heap; then frees all known blocks, and verifies that only lost blocks are left.
 */

import { parentPort, workerData } from 'node:worker_threads';
import { SharedHeap } from 'shmalloc';
import { audit, type Holding } from './stress-audit.js';
import { Books, hex } from './stress-books.js';
import {
  ALIGNED,
  BOX_COUNT,
  BOX_FULL,
  CALLOC,
  type Doubt,
  FREE,
  type Intent,
  Ledger,
  MALLOC,
  REALLOC,
  RECEIVE,
  SEND,
} from './stress-ledger.js';
import { findDamage } from './stress-pattern.js';
import { PLANTS, type Plant } from './stress-plants.js';
import type { StressSetting } from './stress-worker.js';

/** The auditor's workerData. */
export interface AuditTask extends StressSetting {
  readonly plant: Plant | null;
}

export interface HeapProblem {
  readonly invariant: string;
  readonly address: number;
  readonly message: string;
}

/** Messages of the auditor: the places of the workers, then the report. */
export type AuditMessage =
  | { readonly kind: 'where'; readonly where: readonly string[] }
  | { readonly kind: 'report'; readonly report: AuditReport };

export interface AuditReport {
  readonly corrupted: number;
  readonly lost: number;
  /** Operations that were cut inside the heap, and blocks that these explain. */
  readonly doubts: number;
  readonly explained: number;
  /** How often workers found the heap full. */
  readonly timesFull: number;
  /** Blocks in the books at the end. */
  readonly blocks: number;
  readonly verify: { readonly ok: boolean; readonly problems: readonly HeapProblem[] };
  /** Findings in words; the first few. */
  readonly findings: readonly string[];
}

const FINDINGS_MAX = 20;
const PROBE_HEAP = '4MiB';

const OPERATIONS: Record<number, (intent: Intent) => string> = {
  [MALLOC]: ({ size }) => `malloc of ${size} bytes`,
  [CALLOC]: ({ size }) => `calloc of ${size} bytes`,
  [ALIGNED]: ({ size, alignment }) => `alignedAlloc of ${size} bytes at ${alignment}`,
  [REALLOC]: ({ address, usable, size }) =>
    `realloc of ${hex(address)} from ${usable} to ${size} bytes`,
  [FREE]: ({ address, usable }) => `free of ${hex(address)}, ${usable} bytes`,
  [SEND]: ({ box }) => `handing a block to box ${box}`,
  [RECEIVE]: ({ box }) => `taking a block from box ${box}`,
};

/** The operation of each worker, now or when it ended. */
function whereAll(ledger: Ledger): string[] {
  return Array.from({ length: ledger.regions }, (_, region) => {
    const intent = ledger.intent(region);
    return OPERATIONS[intent.op]?.(intent) ?? 'between two operations';
  });
}

function runAudit({ plant, claims }: AuditTask, ledger: Ledger, heap: SharedHeap): AuditReport {
  const findings: string[] = [];
  const tell = (finding: string): void => {
    if (findings.length < FINDINGS_MAX) findings.push(finding);
  };
  const regions = Array.from({ length: ledger.regions }, (_, region) => region);
  const books = regions.map((region) => new Books(ledger, region, heap, claims, tell));
  if (plant !== null) PLANTS[plant](ledger, heap, books);

  const holdings = allHoldings(ledger, books);
  const damaged = holdings.flatMap((holding) => findDamaged(heap, holding));
  const doubts = regions.flatMap((region) => ledger.doubts(region));
  const result = audit(heap.inspect.blocks(), holdings, doubts, probe());
  for (const list of [damaged, result.overlaps, result.missing, result.unknown]) list.forEach(tell);
  const problems = new Map<string, HeapProblem>();
  verify(heap, problems);

  freeAll(heap, [...holdings.map(({ block }) => block), ...result.explained], tell);
  verify(heap, problems);
  const left = heap.inspect.blocks().length - result.unknown.length;
  if (left > 0) tell(`${left} blocks are live after all known blocks were freed`);
  const reported = regions.reduce((sum, region) => sum + ledger.corrupted(region), 0);
  return {
    corrupted: reported + damaged.length + result.overlaps.length,
    lost: result.missing.length + result.unknown.length + Math.max(0, left),
    doubts: doubts.length,
    explained: result.explained.length,
    timesFull: regions.reduce((sum, region) => sum + ledger.timesFull(region), 0),
    blocks: holdings.length,
    verify: { ok: problems.size === 0, problems: [...problems.values()] },
    findings,
  };
}

/** Adds the problems of the heap now; earlier ones are not reported again. */
function verify(heap: SharedHeap, problems: Map<string, HeapProblem>): void {
  for (const problem of heap.verify({ quiet: true }).problems) {
    problems.set(JSON.stringify(problem), problem);
  }
}

function allHoldings(ledger: Ledger, books: readonly Books[]): Holding[] {
  const boxes = Array.from({ length: BOX_COUNT }, (_, box) => box);
  return [
    ...books.flatMap((own, region) =>
      own.held.map((entry) => ({ block: own.block(entry), holder: `worker ${region}` })),
    ),
    ...boxes
      .filter((box) => ledger.state(ledger.boxRecord(box)) === BOX_FULL)
      .map((box) => ({
        block: { ...ledger.block(ledger.boxRecord(box)), filled: true },
        holder: `box ${box}`,
      })),
  ];
}

/** The damage in a block's content: none or one. */
function findDamaged(heap: SharedHeap, { block, holder }: Holding): string[] {
  const { address, usable, seed, stride, filled } = block;
  const at = filled ? findDamage(heap, address, usable, seed, stride) : -1;
  if (at < 0) return [];
  return [`block ${hex(address)}, ${usable} bytes, held by ${holder}: byte ${at} was changed`];
}

/** Frees each block; one that is not live was reported before. */
function freeAll(
  heap: SharedHeap,
  blocks: readonly { address: number }[],
  tell: (finding: string) => void,
): void {
  for (const { address } of blocks) {
    try {
      heap.free_ts(address);
    } catch (error) {
      tell((error as Error).message);
    }
  }
}

/** Returns the usable size of a call's block, found by the same call on a heap of its own. */
function probe(): (doubt: Doubt) => number {
  const heap = SharedHeap.create({ size: PROBE_HEAP, threads: 1 });
  const known = new Map<string, number>();
  return ({ op, size, alignment }) => {
    const key = `${op === ALIGNED ? alignment : 0} ${size}`;
    const usable = known.get(key) ?? measure(op, size, alignment);
    known.set(key, usable);
    return usable;
  };

  function measure(op: number, size: number, alignment: number): number {
    const address = op === ALIGNED ? heap.alignedAlloc_ts(alignment, size) : heap.malloc_ts(size);
    const usable = heap.usableSize(address);
    heap.free_ts(address);
    return usable;
  }
}

// ---- the thread

const task = workerData as AuditTask;
const ledger = new Ledger(task.ledger, task.threads);
const post = (message: AuditMessage): void => parentPort?.postMessage(message);
post({ kind: 'where', where: whereAll(ledger) });
const heap = SharedHeap.attach(task.heap);
post({ kind: 'report', report: runAudit(task, ledger, heap) });
heap.detach();
