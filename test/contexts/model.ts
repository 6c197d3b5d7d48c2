/**
 * Random programs with contexts against a model of plain objects: trees of both kinds, resets, ends,
 * adoptions, frees and moves, in a heap that is full now and then. Every object is filled with a
 * pattern of its own, checked whenever it is touched and when it ends; every run ends empty.
 */

import assert from 'node:assert/strict';
import fc from 'fast-check';
import {
  type Address,
  type AnyContext,
  HeapExhaustedError,
  type SetContext,
  SharedHeap,
} from 'shmalloc';
import { checkIdentity, fillPattern, findDamage, geometryOf, type Random } from '../helpers.js';
import { auditContexts, countRecords } from './audit.js';

const MIB = 2 ** 20;

interface Thing {
  readonly address: Address;
  readonly size: number;
  readonly seed: number;
}

/** A context as it should be. */
interface Node {
  context: AnyContext;
  readonly name: string;
  parent: Node | null;
  readonly children: Set<Node>;
  things: Thing[];
  /** Callbacks that wait, and all that were called. */
  waiting: number[];
}

/** One step: what to do, and numbers to choose by. */
interface Step {
  readonly what: (typeof STEPS)[number];
  readonly a: number;
  readonly b: number;
  readonly size: number;
}

export const STEPS = [
  ...['create', 'create', 'malloc', 'malloc', 'malloc', 'malloc', 'calloc', 'alloc', 'string'],
  ...['free', 'free', 'realloc', 'realloc', 'reset', 'resetOnly', 'resetChildren'],
  ...['delete', 'deleteChildren', 'setParent', 'setParent', 'handOver', 'callback', 'beside'],
] as const;

export class Model {
  readonly #heap: SharedHeap;
  readonly #nodes = new Set<Node>();
  #seeds = 0;
  #callbacks = 0;
  /** Callbacks as they were called, and as they should have been. */
  readonly #called: number[] = [];
  readonly #expected: number[] = [];
  readonly #blocks: Address[] = [];
  /** How often each kind of step did something. */
  readonly counts = new Map<string, number>();

  readonly #instrumented: boolean;

  constructor(heap: SharedHeap) {
    this.#heap = heap;
    this.#instrumented = geometryOf(heap).blockRecordsStart !== 0;
  }

  #count(what: string): void {
    this.counts.set(what, (this.counts.get(what) ?? 0) + 1);
  }

  #pick(n: number): Node | undefined {
    const nodes = [...this.#nodes];
    return nodes[n % nodes.length];
  }

  run({ what, a, b, size }: Step): void {
    const node = this.#pick(a);
    if (node === undefined || what === 'create') {
      this.#create(b % 3 === 0 ? undefined : node, a, b);
      return;
    }
    try {
      this.#act(what, node, b, size);
      this.#count(what);
    } catch (error) {
      if (!(error instanceof HeapExhaustedError)) throw error;
      this.#count('full');
    }
    assert.deepEqual(this.#called, this.#expected, 'callbacks, in their order');
  }

  #create(parent: Node | undefined, a: number, b: number): void {
    const options = {
      kind: a % 2 === 0 ? ('bump' as const) : ('set' as const),
      initialBytes: [256, 1000, 4096][b % 3] as number,
      maxBytes: [4096, 65_536, 8 * MIB][a % 3] as number,
    };
    const name = `n${++this.#seeds}`;
    let context: AnyContext;
    try {
      context =
        parent === undefined
          ? this.#heap.contexts.create(name, options)
          : parent.context.createContext(name, options);
    } catch (error) {
      assert.match(String(error), /all are in use/);
      this.#count('no record');
      return;
    }
    const node: Node = {
      context,
      name,
      parent: parent ?? null,
      children: new Set(),
      things: [],
      waiting: [],
    };
    parent?.children.add(node);
    this.#nodes.add(node);
    this.#count('create');
  }

  #act(what: string, node: Node, b: number, size: number): void {
    const { context } = node;
    switch (what) {
      case 'malloc':
        this.#add(node, context.malloc(size), size);
        break;
      case 'calloc': {
        const address = context.calloc(1, size);
        const zeros = this.#heap.u8.subarray(address, address + size);
        assert.ok(
          zeros.every((byte) => byte === 0),
          'calloc gives zeros',
        );
        this.#add(node, address, size);
        break;
      }
      case 'alloc': {
        const view = context.alloc(Float64Array, size >>> 3);
        assert.ok(view.every((x) => x === 0));
        this.#add(node, view.byteOffset as Address, view.byteLength);
        break;
      }
      case 'string': {
        const text = 'é'.repeat(size % 1000);
        const address = context.allocString(text);
        assert.equal(this.#heap.readString(address), text);
        this.#add(node, address, 5 + Buffer.byteLength(text));
        break;
      }
      case 'free':
        this.#free(node, b);
        break;
      case 'realloc':
        this.#realloc(node, b, size);
        break;
      case 'reset':
        this.#expectEnd([...this.#below(node), node]);
        context.reset();
        for (const child of [...node.children]) this.#drop(child);
        this.#empty(node);
        break;
      case 'resetOnly':
        this.#expectEnd([node]);
        context.resetOnly();
        this.#empty(node);
        break;
      case 'resetChildren':
        for (const child of node.children) this.#expectEnd([...this.#below(child), child]);
        context.resetChildren();
        for (const child of node.children) {
          for (const below of [...child.children]) this.#drop(below);
          this.#empty(child);
        }
        break;
      case 'deleteChildren':
        this.#expectEnd(this.#below(node));
        context.deleteChildren();
        for (const child of [...node.children]) this.#drop(child);
        break;
      case 'delete':
        this.#expectEnd([...this.#below(node), node]);
        context.delete();
        this.#drop(node);
        break;
      case 'setParent':
        this.#setParent(node, b % 4 === 0 ? undefined : this.#pick(b));
        break;
      case 'handOver':
        this.#handOver(node);
        break;
      case 'callback': {
        const n = ++this.#callbacks;
        context.onReset(() => this.#called.push(n));
        node.waiting.push(n);
        break;
      }
      case 'beside': {
        const block = this.#heap.malloc_ts(size);
        if (block !== 0) this.#blocks.push(block);
        if (this.#blocks.length > 5) this.#heap.free_ts(this.#blocks.shift() as Address);
        break;
      }
      default:
        assert.fail(what);
    }
  }

  // ---- objects

  #add(node: Node, address: Address, size: number): void {
    assert.ok(address > 0 && address % 16 === 0);
    const seed = ++this.#seeds;
    fillPattern(this.#heap, address, size, seed);
    node.things.push({ address, size, seed });
    if (node.context.kind === 'set') {
      assert.equal(this.#heap.contexts.of(address), node.context);
      assert.ok(node.context.usableSize(address) >= size);
    }
  }

  #check({ address, size, seed }: Thing): void {
    assert.equal(findDamage(this.#heap, address, size, seed), -1, 'a live object is untouched');
  }

  #free(node: Node, b: number): void {
    const at = b % Math.max(1, node.things.length);
    const thing = node.things[at];
    if (thing === undefined) return;
    const { context } = node;
    if (context.kind === 'bump') {
      // As a program in JavaScript calls it.
      const free = () => (context as never as SetContext).free(thing.address);
      assert.throws(free, { code: 'ERR_SHMALLOC_CONTEXT' });
      return;
    }
    this.#check(thing);
    context.free(thing.address);
    node.things.splice(at, 1);
    assert.throws(() => context.free(thing.address), { name: 'InvalidAddressError' });
    this.#count('freed');
  }

  #realloc(node: Node, b: number, size: number): void {
    const at = b % Math.max(1, node.things.length);
    const thing = node.things[at];
    if (thing === undefined || node.context.kind === 'bump') return;
    this.#check(thing);
    const moved = node.context.realloc(thing.address, size);
    node.things.splice(at, 1);
    if (size === 0) {
      assert.equal(moved, 0);
      return;
    }
    const kept = Math.min(size, thing.size) & ~3;
    assert.equal(findDamage(this.#heap, moved, kept, thing.seed), -1, 'realloc keeps the contents');
    this.#add(node, moved, size);
    this.#count('moved');
  }

  // ---- the tree

  /** All below a node, in the order in which they end. */
  #below(node: Node): Node[] {
    const found = [node];
    for (const one of found) found.push(...one.children);
    return found.slice(1).reverse();
  }

  #expectEnd(nodes: Node[]): void {
    for (const node of nodes) {
      for (const thing of node.things) this.#check(thing);
      this.#expected.push(...node.waiting.splice(0).reverse());
    }
  }

  #empty(node: Node): void {
    const stale = node.things.splice(0);
    const { chunks, bytes, freeBytes, objects } = node.context.stats();
    assert.equal(objects, 0);
    assert.equal(freeBytes, bytes);
    assert.ok(chunks <= 1);
    const [thing] = stale;
    const { context } = node;
    if (thing === undefined || context.kind === 'bump') return;
    assert.throws(() => context.free(thing.address), { name: 'InvalidAddressError' });
  }

  #drop(node: Node): void {
    for (const one of [...this.#below(node), node]) {
      this.#nodes.delete(one);
      assert.throws(() => one.context.malloc(1), { code: 'ERR_SHMALLOC_CONTEXT_ENDED' });
    }
    node.parent?.children.delete(node);
  }

  #setParent(node: Node, parent: Node | undefined): void {
    if (parent !== undefined && [node, ...this.#below(node)].includes(parent)) {
      assert.throws(() => node.context.setParent(parent.context), { code: 'ERR_SHMALLOC_CONTEXT' });
      return;
    }
    node.context.setParent(parent?.context ?? null);
    node.parent?.children.delete(node);
    node.parent = parent ?? null;
    parent?.children.add(node);
    this.#count('moved below another');
  }

  /** As another thread would see it: with new objects of the contexts, and their children in any order. */
  #handOver(node: Node): void {
    const tree = [node, ...this.#below(node)];
    if (tree.some(({ waiting }) => waiting.length > 0)) {
      assert.throws(() => node.context.release(), { code: 'ERR_SHMALLOC_CONTEXT' });
      return;
    }
    const handle = structuredClone(node.context.release());
    node.parent?.children.delete(node);
    node.parent = null;
    const found = [this.#heap.contexts.adopt(handle)];
    const byName = new Map<string, AnyContext>();
    for (const context of found) {
      byName.set(context.name, context);
      found.push(...context.children);
    }
    assert.equal(found.length, tree.length);
    for (const one of tree) {
      const context = byName.get(one.name) as AnyContext;
      assert.equal(context.parent?.name ?? null, one.parent?.name ?? null);
      assert.throws(() => one.context.malloc(1), { code: 'ERR_SHMALLOC_CONTEXT_ENDED' });
      one.context = context;
    }
    // They are listed as the records have them: so too here.
    for (const one of tree) {
      const order = one.context.children.map(({ name }) => name);
      const sorted = [...one.children].sort(
        (x, y) => order.indexOf(x.name) - order.indexOf(y.name),
      );
      one.children.clear();
      for (const child of sorted) one.children.add(child);
    }
    this.#count('adopted');
  }

  // ---- looking

  check(): void {
    const report = this.#heap.verify({ quiet: true });
    assert.deepEqual(report.problems, []);
    assert.deepEqual(auditContexts(this.#heap), []);
    checkIdentity(this.#heap.stats());
    let bytes = 0;
    for (const node of this.#nodes) {
      const stats = node.context.stats();
      assert.equal(stats.objects, node.things.length, 'objects');
      const room = ({ size }: Thing) => Math.max(16, Math.ceil(size / 16) * 16);
      const least = node.things.reduce((sum, thing) => sum + room(thing), 0);
      if (node.context.kind === 'bump') assert.equal(stats.bytes - stats.freeBytes, least, 'bytes');
      else assert.ok(stats.bytes - stats.freeBytes >= least + 16 * node.things.length, 'bytes');
      assert.ok(stats.freeBytes >= 0);
      bytes += stats.bytes;
      for (const thing of node.things) this.#check(thing);
      const names = (nodes: Iterable<{ name: string }>) => [...nodes].map(({ name }) => name);
      assert.deepEqual(names(node.context.children), names(node.children));
    }
    for (const block of this.#blocks) bytes += this.#heap.usableSize(block);
    const { inUseBytes } = this.#heap.stats();
    // Of instrumented blocks the red zones are in use too, and what is in quarantine.
    if (this.#instrumented) assert.ok(inUseBytes >= bytes);
    else assert.equal(inUseBytes, bytes, 'in use: what contexts have');
    assert.equal(countRecords(this.#heap).contexts, this.#nodes.size);
  }

  /** The end of it: by hand, or with the thread. */
  finish(byHand: boolean): void {
    for (const block of this.#blocks.splice(0)) this.#heap.free_ts(block);
    if (byHand) {
      for (const root of this.#heap.contexts.list()) root.delete();
      assert.deepEqual(countRecords(this.#heap), { contexts: 0, chunks: 0 });
      if (!this.#instrumented) assert.equal(this.#heap.stats().inUseBytes, 0);
    }
    this.#heap.detach();
    const waiting = [...this.#nodes].reduce((sum, node) => sum + node.waiting.length, 0);
    assert.equal(this.#called.length, this.#expected.length + waiting, 'all callbacks were called');
    using again = SharedHeap.attach(this.#heap.handle);
    assert.deepEqual(again.verify({ quiet: true }).problems, []);
    assert.deepEqual(auditContexts(again), []);
    assert.deepEqual(countRecords(again), { contexts: 0, chunks: 0 });
    assert.equal(again.stats().inUseBytes, 0);
    assert.equal(again.stats().mappedBytes, 0, 'all pages are free');
  }
}

export const HEAPS: Record<string, () => SharedHeap> = {
  'a small heap': () => SharedHeap.create({ size: 4 * MIB, threads: 2, contexts: 30 }),
  'a heap with room': () => SharedHeap.create({ size: 24 * MIB, threads: 2, contexts: 200 }),
  'a heap with all debug options': () =>
    SharedHeap.create({
      size: 16 * MIB,
      threads: 2,
      contexts: 60,
      debug: {
        guard: 32,
        scribble: true,
        strict: true,
        quarantine: '256KiB',
        history: 64,
        stacks: 4,
        direct: true,
      },
    }),
  'a heap inside a dirty buffer': () => {
    const buffer = new SharedArrayBuffer(9 * MIB);
    new Uint8Array(buffer).fill(0xa5);
    return SharedHeap.create({ buffer, byteOffset: 5 * 8192, size: 8 * MIB, threads: 2 });
  },
};

const sizes = fc.oneof(
  { weight: 6, arbitrary: fc.nat(200) },
  { weight: 4, arbitrary: fc.nat(5000) },
  { weight: 2, arbitrary: fc.nat(70_000) },
  { weight: 1, arbitrary: fc.nat(500_000) },
  {
    weight: 1,
    arbitrary: fc.constantFrom(0, 16, 64, 128, 1008, 1024, 4096, 16_384, 65_535, 65_536),
  },
);
export const steps: fc.Arbitrary<Step> = fc.record({
  what: fc.constantFrom(...STEPS),
  a: fc.nat(10_000),
  b: fc.nat(10_000),
  size: sizes,
});

export function runAll(heap: SharedHeap, sequence: Iterable<Step>, checkEvery: number): Model {
  const model = new Model(heap);
  let done = 0;
  for (const step of sequence) {
    model.run(step);
    if (++done % checkEvery === 0) model.check();
  }
  model.check();
  model.finish(done % 2 === 0);
  return model;
}

export function* longSequence(random: Random, length: number): Generator<Step> {
  for (let n = 0; n < length; n++) {
    const limit = random.pick([20, 200, 200, 3000, 3000, 30_000, 70_000, 400_000]);
    const what = random.pick(STEPS);
    // Waves: contexts pile up, then end.
    const ends = /reset|delete/.test(what);
    if (ends && n % 500 < 350 && random.below(4) > 0) continue;
    yield { what, a: random.below(10_000), b: random.below(10_000), size: random.below(limit) };
  }
}
