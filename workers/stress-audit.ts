/**
 * The audit of a stress run: compares the blocks in the books with the live blocks of the heap.
 *
 * Used by stress-auditor.ts, when all workers have ended and all intents are resolved. Pure: it
 * compares two lists.
 *
 * A live block that is in no books is lost, unless a doubt explains it: a call that was cut inside
 * the heap may have happened or not. A doubt explains at most one block, and only one that the call
 * could have left: a block of the size that the call would have allocated or, for free and realloc,
 * the block at the given address. Doubts and blocks are paired; a block without a doubt is lost.
 */

import { type BookedBlock, type Doubt, FREE, REALLOC } from './stress-ledger.js';

/** A live block, as the heap reports it. */
export interface LiveBlock {
  readonly address: number;
  readonly bytes: number;
}

/** A block in the books, and its holder. */
export interface Holding {
  readonly block: BookedBlock;
  readonly holder: string;
}

export interface AuditResult {
  /** Pairs of blocks in the books that overlap. */
  readonly overlaps: readonly string[];
  /** Blocks in the books that are not live. */
  readonly missing: readonly string[];
  /** Live blocks that are in no books and that no doubt explains. */
  readonly unknown: readonly string[];
  /** Live blocks that a cut call explains. */
  readonly explained: readonly LiveBlock[];
}

/** @param usableOf the usable bytes of the block that the doubt's call requested */
export function audit(
  live: readonly LiveBlock[],
  holdings: readonly Holding[],
  doubts: readonly Doubt[],
  usableOf: (doubt: Doubt) => number,
): AuditResult {
  const bytesAt = new Map(live.map(({ address, bytes }) => [address, bytes]));
  const booked = new Set(holdings.map(({ block }) => block.address));
  const strangers = live.filter(({ address }) => !booked.has(address));
  const explained = explain(strangers, doubts, usableOf);
  return {
    overlaps: findOverlaps(holdings),
    missing: findMissing(holdings, bytesAt),
    unknown: strangers
      .filter((block) => !explained.has(block))
      .map(
        ({ address, bytes }) => `${hex(address)}, ${bytes} bytes: live, but in no worker's books`,
      ),
    explained: [...explained],
  };
}

function findMissing(holdings: readonly Holding[], bytesAt: ReadonlyMap<number, number>): string[] {
  return holdings.flatMap(({ block: { address, usable }, holder }) => {
    const bytes = bytesAt.get(address);
    if (bytes === usable) return [];
    const found = bytes === undefined ? 'it is not live' : `it is live with ${bytes} bytes`;
    return [`${hex(address)}, ${usable} bytes: held by ${holder}, but ${found}`];
  });
}

function findOverlaps(holdings: readonly Holding[]): string[] {
  const sorted = holdings.toSorted((a, b) => a.block.address - b.block.address);
  const overlaps: string[] = [];
  let last: Holding | null = null;
  for (const one of sorted) {
    if (last !== null && last.block.address + last.block.usable > one.block.address) {
      overlaps.push(`${tell(one)} overlaps ${tell(last)}`);
    }
    if (last === null || endOf(one) > endOf(last)) last = one;
  }
  return overlaps;
}

/**
 * Pairs each unknown block with a doubt of its own, as many as possible: by augmenting paths, since
 * a doubt about a realloc may stand for either of two blocks.
 */
function explain(
  strangers: readonly LiveBlock[],
  doubts: readonly Doubt[],
  usableOf: (doubt: Doubt) => number,
): Set<LiveBlock> {
  const explains = candidates(doubts, usableOf);
  const partner = new Map<Doubt, LiveBlock>();
  const seen = new Set<Doubt>();

  function pair(block: LiveBlock): boolean {
    for (const doubt of explains(block)) {
      if (seen.has(doubt)) continue;
      seen.add(doubt);
      const other = partner.get(doubt);
      if (other !== undefined && !pair(other)) continue;
      partner.set(doubt, block);
      return true;
    }
    return false;
  }

  for (const block of strangers) {
    seen.clear();
    pair(block);
  }
  return new Set(partner.values());
}

/** The doubts that can explain each block. */
function candidates(
  doubts: readonly Doubt[],
  usableOf: (doubt: Doubt) => number,
): (block: LiveBlock) => Doubt[] {
  // Keys: a freed block, or a reallocated block that stayed in place, the latter with either size.
  const stayed = new Map<string, Doubt[]>();
  const made = new Map<number, Doubt[]>();
  for (const doubt of doubts) {
    const { op, address, usable } = doubt;
    if (op === FREE || op === REALLOC) add(stayed, `${address} ${usable}`, doubt);
    if (op === FREE) continue;
    const asked = usableOf(doubt);
    if (op === REALLOC && asked !== usable) add(stayed, `${address} ${asked}`, doubt);
    add(made, asked, doubt);
  }
  return ({ address, bytes }) => [
    ...(stayed.get(`${address} ${bytes}`) ?? []),
    ...(made.get(bytes) ?? []),
  ];
}

function add<Key>(map: Map<Key, Doubt[]>, key: Key, doubt: Doubt): void {
  const list = map.get(key);
  if (list === undefined) map.set(key, [doubt]);
  else list.push(doubt);
}

function endOf({ block }: Holding): number {
  return block.address + block.usable;
}

function tell({ block: { address, usable }, holder }: Holding): string {
  return `${hex(address)}, ${usable} bytes, held by ${holder},`;
}

function hex(address: number): string {
  return `0x${address.toString(16)}`;
}
