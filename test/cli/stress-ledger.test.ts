/**
 * Proves that the books of a stress run survive their worker: each operation is cut at each of its
 * stores, and inside the heap's call, and the next worker that opens the books finds every block in
 * its place, or knows that it cannot know. This holds also if the resolver is itself cut. And
 * proves that the audit finds lost blocks, and that a cut call explains no more than it can.
 */

import test, { type ExecutionContext } from 'ava';
import type { Address } from 'shmalloc';
import { audit, type Holding } from '../../workers/stress-audit.js';
import { Books, type HeapCalls, NO_ENTRY } from '../../workers/stress-books.js';
import {
  ALIGNED,
  BOX_FULL,
  type BookedBlock,
  CALLOC,
  type Doubt,
  FREE,
  Ledger,
  MALLOC,
  REALLOC,
} from '../../workers/stress-ledger.js';

const REGIONS = 2;
const LEDGER_BYTES = 128 * 1024;
const BOX = 3;

/** Thrown at the point where a worker is cut. */
class Cut extends Error {}

/** Counts the points at which a worker can be cut, and cuts at one of them. */
class Knife {
  points = 0;
  /** The point to cut at; -1 = none. */
  at = -1;

  readonly pass = (): void => {
    if (this.points++ === this.at) throw new Cut();
  };
}

/** A heap with only the calls that the books need: allocates in order, and can be cut in a call. */
class FakeHeap implements HeapCalls {
  readonly live = new Map<number, number>();
  full = false;
  inPlace = false;
  readonly #knife: Knife;
  #next = 0x10000;

  constructor(knife: Knife) {
    this.#knife = knife;
  }

  malloc_ts = (size: number): Address => {
    this.#knife.pass();
    if (this.full) return 0 as Address;
    const address = this.#next;
    this.#next += 0x1000;
    this.live.set(address, usableOf(size));
    this.#knife.pass();
    return address as Address;
  };

  calloc_ts = (count: number, size: number): Address => this.malloc_ts(count * size);

  alignedAlloc_ts = (_alignment: number, size: number): Address => this.malloc_ts(size);

  realloc_ts = (address: number, size: number): Address => {
    if (!this.inPlace && !this.full) this.free_ts(address);
    const moved = this.inPlace ? (address as Address) : this.malloc_ts(size);
    if (this.inPlace) {
      this.#knife.pass();
      this.live.set(address, usableOf(size));
      this.#knife.pass();
    }
    return moved;
  };

  free_ts = (address: number): void => {
    this.#knife.pass();
    if (!this.live.delete(address)) throw new Error(`free of ${address}, which is not live`);
    this.#knife.pass();
  };

  usableSize = (address: Address): number => {
    const usable = this.live.get(address);
    if (usable === undefined) throw new Error(`size of ${address}, which is not live`);
    return usable;
  };
}

function usableOf(size: number): number {
  return Math.ceil(size / 16) * 16;
}

/** Two workers' books over one heap. */
class Bench {
  readonly knife = new Knife();
  readonly heap = new FakeHeap(this.knife);
  readonly wrong: string[] = [];
  readonly ledger: Ledger;
  readonly #claims = new Uint8Array(new SharedArrayBuffer(LEDGER_BYTES));

  constructor() {
    this.ledger = new Ledger(new SharedArrayBuffer(LEDGER_BYTES), REGIONS, this.knife.pass);
  }

  open(region: number): Books {
    return new Books(this.ledger, region, this.heap, this.#claims, (what) => this.wrong.push(what));
  }

  /** A block of 100 bytes that is in the books. */
  filled(books: Books): number {
    const entry = books.allocate(MALLOC, 100, 0);
    books.filled(entry, 7, 4);
    return entry;
  }

  get doubts(): Doubt[] {
    return [0, 1].flatMap((region) => this.ledger.doubts(region));
  }

  /** The audit of the bench. */
  audit() {
    const live = [...this.heap.live].map(([address, bytes]) => ({ address, bytes }));
    const holdings: Holding[] = [0, 1].flatMap((region) => {
      const books = this.open(region);
      return books.held.map((entry) => ({ block: books.block(entry), holder: `worker ${region}` }));
    });
    const record = this.ledger.boxRecord(BOX);
    if (this.ledger.state(record) === BOX_FULL) {
      holdings.push({ block: this.ledger.block(record), holder: 'box' });
    }
    const result = audit(live, holdings, this.doubts, ({ size }) => usableOf(size));
    return { ...result, live, holdings };
  }
}

interface Scenario {
  /** Sets up the books; returns the operation to cut. */
  readonly prepare: (bench: Bench) => (books: Books) => void;
  /** The possible numbers of live blocks after the operation, however it was cut. */
  readonly live: readonly number[];
}

const SCENARIOS: Record<string, Scenario> = {
  malloc: {
    prepare: () => (books) => books.allocate(MALLOC, 200, 0),
    live: [0, 1],
  },
  calloc: {
    prepare: () => (books) => books.allocate(CALLOC, 200, 0),
    live: [0, 1],
  },
  aligned: {
    prepare: () => (books) => books.allocate(ALIGNED, 200, 64),
    live: [0, 1],
  },
  'malloc on a full heap': {
    prepare: (bench) => (books) => {
      bench.heap.full = true;
      books.allocate(MALLOC, 200, 0);
    },
    live: [0],
  },
  'malloc and fill': {
    prepare: () => (books) => books.filled(books.allocate(MALLOC, 200, 0), 1, 4),
    live: [0, 1],
  },
  'malloc and free, five times': {
    prepare: (bench) => {
      bench.filled(bench.open(0));
      return (books) => books.churn(MALLOC, 200, 0, 5, bench.knife.pass);
    },
    live: [1, 2],
  },
  free: {
    prepare: (bench) => {
      const entry = bench.filled(bench.open(0));
      return (books) => books.free(entry);
    },
    live: [0, 1],
  },
  'realloc that moves': {
    prepare: (bench) => {
      const entry = bench.filled(bench.open(0));
      return (books) => books.reallocate(entry, 300);
    },
    live: [0, 1],
  },
  'realloc in place': {
    prepare: (bench) => {
      const entry = bench.filled(bench.open(0));
      bench.heap.inPlace = true;
      return (books) => books.reallocate(entry, 300);
    },
    live: [1],
  },
  'realloc on a full heap': {
    prepare: (bench) => {
      const entry = bench.filled(bench.open(0));
      bench.heap.full = true;
      return (books) => books.reallocate(entry, 300);
    },
    live: [1],
  },
  send: {
    prepare: (bench) => {
      const entry = bench.filled(bench.open(0));
      return (books) => books.send(entry, BOX);
    },
    live: [1],
  },
  'send to a full box': {
    prepare: (bench) => {
      const entry = bench.filled(bench.open(0));
      const other = bench.open(1);
      other.send(bench.filled(other), BOX);
      return (books) => books.send(entry, BOX);
    },
    live: [2],
  },
  receive: {
    prepare: (bench) => {
      const other = bench.open(1);
      other.send(bench.filled(other), BOX);
      return (books) => books.receive(BOX);
    },
    live: [1],
  },
  'receive from an empty box': {
    prepare: () => (books) => books.receive(BOX),
    live: [0],
  },
};

/** Does something that may be cut; returns true if it was. */
function cut(what: () => void): boolean {
  try {
    what();
    return false;
  } catch (error) {
    if (error instanceof Cut) return true;
    throw error;
  }
}

/** Cuts the scenario at one point, then its resolver at another; -1 = no cut. */
function cutAt(scenario: Scenario, point: number, resolverPoint: number) {
  const bench = new Bench();
  const act = scenario.prepare(bench);
  const books = bench.open(0);
  bench.knife.points = 0;
  bench.knife.at = point;
  const wasCut = cut(() => act(books));
  bench.knife.points = 0;
  bench.knife.at = resolverPoint;
  const resolverCut = cut(() => bench.open(0));
  bench.knife.at = -1;
  return { bench, wasCut, resolverCut };
}

function assertWhole(t: ExecutionContext, bench: Bench, scenario: Scenario, when: string): void {
  const { live, holdings, missing, unknown, overlaps, explained } = bench.audit();
  t.deepEqual(missing, [], when);
  t.deepEqual(unknown, [], when);
  t.deepEqual(overlaps, [], when);
  t.deepEqual(bench.wrong, [], when);
  t.true(scenario.live.includes(live.length), `${when}: ${live.length} live`);
  t.is(holdings.length + explained.length, live.length, when);
  t.true(bench.doubts.length <= 1, when);
  t.is(bench.ledger.intent(0).op, 0, `${when}: the intent is closed`);
}

for (const [name, scenario] of Object.entries(SCENARIOS)) {
  test(`Books: ${name}, cut at each kill point, is resolved`, (t) => {
    let point = 0;
    for (; ; point++) {
      const { bench, wasCut } = cutAt(scenario, point, -1);
      assertWhole(t, bench, scenario, `cut at ${point}`);
      for (let resolverPoint = 0; ; resolverPoint++) {
        const again = cutAt(scenario, point, resolverPoint);
        const when = `cut at ${point}, the resolver at ${resolverPoint}`;
        assertWhole(t, again.bench, scenario, when);
        t.is(again.bench.doubts.length, bench.doubts.length, when);
        if (!again.resolverCut) break;
      }
      if (!wasCut) break;
    }
    t.true(point > 8, `${point} points`);
  });
}

test('Books: only a call that is cut inside the heap leaves a doubt', (t) => {
  for (const [name, points] of [
    ['malloc', 2],
    ['free', 2],
    ['realloc that moves', 4],
    ['send', 0],
    ['receive', 0],
  ] as const) {
    let doubts = 0;
    for (let point = 0; ; point++) {
      const { bench, wasCut } = cutAt(SCENARIOS[name], point, -1);
      doubts += bench.doubts.length;
      if (!wasCut) break;
    }
    t.is(doubts, points, name);
  }
});

test('Books: a block that overlaps a held one is reported', (t) => {
  const bench = new Bench();
  const books = bench.open(0);
  const { address } = books.block(bench.filled(books));
  bench.heap.malloc_ts = () => address as Address;
  bench.open(1).allocate(MALLOC, 100, 0);
  t.is(bench.wrong.length, 1);
  t.regex(bench.wrong[0], /^worker 1: 0x10000 was handed out while worker 0 held a block there$/);
  t.is(bench.ledger.corrupted(1), 1);
});

test('Books: a block keeps its pattern when it goes through a box', (t) => {
  const bench = new Bench();
  const sender = bench.open(0);
  const entry = bench.filled(sender);
  const before = sender.block(entry);
  t.true(sender.send(entry, BOX));
  t.is(sender.held.length, 0);
  const receiver = bench.open(1);
  t.deepEqual(receiver.block(receiver.receive(BOX)), before);
  t.is(receiver.receive(BOX), NO_ENTRY);
});

test('Ledger: a buffer too small for its regions is refused', (t) => {
  t.throws(() => new Ledger(new SharedArrayBuffer(4096), 2), { message: /no room for 2 regions/ });
});

// ---- the audit

const LIVE = { address: 0x1000, bytes: 112 };

function holding(address: number, usable: number): Holding {
  const block: BookedBlock = { address, size: usable, usable, seed: 1, stride: 4, filled: true };
  return { block, holder: 'worker 0' };
}

function doubt(op: number, size: number, address = 0, usable = 0): Doubt {
  return { op, address, usable, size, alignment: 0 };
}

function auditOf(
  live: readonly { address: number; bytes: number }[],
  holdings: readonly Holding[],
  doubts: readonly Doubt[] = [],
) {
  const { overlaps, missing, unknown, explained } = audit(live, holdings, doubts, ({ size }) =>
    usableOf(size),
  );
  return [overlaps.length, missing.length, unknown.length, explained.length];
}

test('audit: books and heap that agree give no finding', (t) => {
  t.deepEqual(auditOf([LIVE], [holding(0x1000, 112)]), [0, 0, 0, 0]);
  t.deepEqual(auditOf([], [], [doubt(MALLOC, 100), doubt(FREE, 0, 0x1000, 112)]), [0, 0, 0, 0]);
});

test('audit: finds blocks that are not live, have another size, overlap, or are in no books', (t) => {
  t.deepEqual(auditOf([], [holding(0x1000, 112)]), [0, 1, 0, 0]);
  t.deepEqual(auditOf([LIVE], [holding(0x1000, 96)]), [0, 1, 0, 0]);
  t.deepEqual(auditOf([LIVE], [holding(0x1000, 112), holding(0x1000, 112)]), [1, 0, 0, 0]);
  t.deepEqual(auditOf([LIVE], []), [0, 0, 1, 0]);
  const inner = [
    { address: 0x1000, bytes: 8192 },
    { address: 0x1800, bytes: 16 },
  ];
  const held = [holding(0x1000, 8192), holding(0x1400, 16), holding(0x1800, 16)];
  t.deepEqual(auditOf(inner, held), [2, 1, 0, 0]);
});

test('audit: a cut malloc explains one block of its size', (t) => {
  t.deepEqual(auditOf([LIVE], [], [doubt(MALLOC, 100)]), [0, 0, 0, 1]);
  t.deepEqual(auditOf([LIVE], [], [doubt(MALLOC, 90)]), [0, 0, 1, 0]);
  const two = [LIVE, { ...LIVE, address: 0x2000 }];
  t.deepEqual(auditOf(two, [], [doubt(MALLOC, 100)]), [0, 0, 1, 1]);
  t.deepEqual(auditOf(two, [], [doubt(MALLOC, 100), doubt(CALLOC, 110)]), [0, 0, 0, 2]);
});

test('audit: a cut free explains the block at its address only', (t) => {
  t.deepEqual(auditOf([LIVE], [], [doubt(FREE, 0, 0x1000, 112)]), [0, 0, 0, 1]);
  t.deepEqual(auditOf([LIVE], [], [doubt(FREE, 0, 0x1000, 96)]), [0, 0, 1, 0]);
  t.deepEqual(auditOf([LIVE], [], [doubt(FREE, 0, 0x2000, 112)]), [0, 0, 1, 0]);
});

test('audit: a cut realloc explains the old block or the new one, not both', (t) => {
  const old = { address: 0x2000, bytes: 48 };
  const cutRealloc = doubt(REALLOC, 100, old.address, old.bytes);
  t.deepEqual(auditOf([old], [], [cutRealloc]), [0, 0, 0, 1]);
  t.deepEqual(auditOf([LIVE], [], [cutRealloc]), [0, 0, 0, 1]);
  t.deepEqual(auditOf([{ ...old, bytes: 112 }], [], [cutRealloc]), [0, 0, 0, 1], 'in place');
  t.deepEqual(auditOf([{ ...old, bytes: 64 }], [], [cutRealloc]), [0, 0, 1, 0]);
  t.deepEqual(auditOf([old, LIVE], [], [cutRealloc]), [0, 0, 1, 1]);
});

test('audit: doubts and blocks are paired in the best way', (t) => {
  const old = { address: 0x2000, bytes: 112 };
  const cutRealloc = doubt(REALLOC, 100, 0x3000, 48);
  const cutFree = doubt(FREE, 0, 0x2000, 112);
  for (const doubts of [
    [cutRealloc, cutFree],
    [cutFree, cutRealloc],
  ]) {
    for (const live of [
      [old, LIVE],
      [LIVE, old],
    ]) {
      t.deepEqual(auditOf(live, [], doubts), [0, 0, 0, 2]);
    }
  }
});
