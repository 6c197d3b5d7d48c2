/**
 * A plain model to prove the allocator against: random operations of all kinds and sizes, every block
 * filled with a pattern of its own and checked in full, no two blocks on one granule, all bytes
 * accounted for, and one empty heap at the end. On a heap that owns its buffer, one inside a dirty
 * buffer, and one in a shared WebAssembly.Memory.
 *
 * A failure prints its seed and the shortest sequence of operations that fails.
 */

import assert from 'node:assert/strict';
import fc from 'fast-check';
import { type Address, SharedHeap } from 'shmalloc';
import { checkIdentity, fillPattern, findDamage, findNonZero, type Random } from '../helpers.js';

/** Node has it; its types do not. */
declare const WebAssembly: {
  Memory: new (limits: {
    initial: number;
    maximum: number;
    shared: true;
  }) => {
    readonly buffer: SharedArrayBuffer;
  };
};

const MIB = 2 ** 20;
const DIRT = 0xa5;

/** A heap, and what around it must stay as it is. */
interface Place {
  readonly heap: SharedHeap;
  checkSurroundings(): void;
}

/** A heap of `bytes` bytes in a dirty buffer, with a margin of dirt on both sides. */
function inDirt(buffer: SharedArrayBuffer, byteOffset: number, bytes: number): Place {
  const all = new Uint8Array(buffer);
  all.fill(DIRT);
  const heap = SharedHeap.create({ buffer, byteOffset, size: bytes, threads: 2 });
  const margins = [all.subarray(0, byteOffset), all.subarray(byteOffset + bytes)];
  return {
    heap,
    checkSurroundings() {
      for (const margin of margins) {
        assert.ok(
          margin.every((byte) => byte === DIRT),
          'nothing outside the heap is written to',
        );
      }
    },
  };
}

export const PLACES: Record<string, () => Place> = {
  'a heap that owns its buffer': () => ({
    heap: SharedHeap.create({ size: 12 * MIB, threads: 2 }),
    checkSurroundings() {},
  }),
  'a heap inside a dirty buffer': () =>
    inDirt(new SharedArrayBuffer(11 * MIB), MIB + 3 * 8192, 9 * MIB),
  'a heap in a shared WebAssembly.Memory': () => {
    const pages = (11 * MIB) / 65536;
    const memory = new WebAssembly.Memory({ initial: pages, maximum: pages, shared: true });
    return inDirt(memory.buffer, MIB, 9 * MIB);
  },
};

// ---- operations

type Operation =
  | { readonly kind: 'malloc'; readonly size: number }
  | { readonly kind: 'calloc'; readonly count: number; readonly size: number }
  | { readonly kind: 'aligned'; readonly alignment: number; readonly size: number }
  | { readonly kind: 'realloc'; readonly pick: number; readonly size: number }
  | { readonly kind: 'free'; readonly pick: number };

const sizes = fc.oneof(
  { weight: 6, arbitrary: fc.nat(300) },
  { weight: 4, arbitrary: fc.nat(8192) },
  { weight: 3, arbitrary: fc.nat(66_000) },
  { weight: 2, arbitrary: fc.integer({ min: 65_000, max: 700_000 }) },
  { weight: 2, arbitrary: fc.constantFrom(0, 16, 128, 256, 257, 4096, 8192, 65_536, 65_537) },
  { weight: 1, arbitrary: fc.integer({ min: MIB, max: 14 * MIB }) },
);
const picks = fc.nat(10_000);
export const operations: fc.Arbitrary<Operation> = fc.oneof(
  { weight: 5, arbitrary: fc.record({ kind: fc.constant('malloc' as const), size: sizes }) },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constant('calloc' as const), count: fc.nat(8), size: sizes }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('aligned' as const),
      alignment: fc.nat(16).map((shift) => 2 ** shift),
      size: sizes,
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({ kind: fc.constant('realloc' as const), pick: picks, size: sizes }),
  },
  { weight: 5, arbitrary: fc.record({ kind: fc.constant('free' as const), pick: picks }) },
);

// ---- the model

interface Block {
  readonly size: number;
  /** Of its pattern, which fills all of its usable bytes. */
  readonly seed: number;
}

class Model {
  readonly #heap: SharedHeap;
  readonly #blocks = new Map<Address, Block>();
  /** By granule: the seed of the block that lies there, 0 = none. */
  readonly #owners: Int32Array;
  #seeds = 0;
  /** How often the heap was full. */
  full = 0;

  constructor(heap: SharedHeap) {
    this.#heap = heap;
    this.#owners = new Int32Array(heap.u8.length / 16);
  }

  run(operation: Operation): void {
    const heap = this.#heap;
    switch (operation.kind) {
      case 'malloc':
        this.#add(heap.malloc_ts(operation.size), operation.size);
        break;
      case 'calloc': {
        const bytes = operation.count * operation.size;
        const address = heap.calloc_ts(operation.count, operation.size);
        if (address !== 0)
          assert.equal(findNonZero(heap, address, bytes), -1, 'calloc gives zeros');
        this.#add(address, bytes);
        break;
      }
      case 'aligned': {
        const address = heap.alignedAlloc_ts(operation.alignment, operation.size);
        assert.equal(address % operation.alignment, 0, 'aligned');
        this.#add(address, operation.size);
        break;
      }
      case 'realloc':
        this.#realloc(this.#pick(operation.pick), operation.size);
        break;
      case 'free': {
        const address = this.#pick(operation.pick);
        if (address !== 0) this.#remove(address);
        heap.free_ts(address);
        break;
      }
    }
  }

  /** Checks that what the heap says of itself agrees with the model. */
  check(): void {
    const stats = this.#heap.stats();
    checkIdentity(stats);
    let inUse = 0;
    for (const address of this.#blocks.keys()) inUse += this.#heap.usableSize(address);
    assert.equal(stats.inUseBytes, inUse, 'in use: the usable bytes of the live blocks');
    assert.equal(stats.allocations - stats.frees, this.#blocks.size, 'live blocks');
    assert.ok(stats.mappedBytes <= stats.peakFootprintBytes);
    assert.ok(stats.mappedBytes <= stats.footprintBytes);
  }

  freeAll(): void {
    for (const address of [...this.#blocks.keys()]) {
      this.#remove(address);
      this.#heap.free_ts(address);
    }
    assert.equal(this.#heap.stats().inUseBytes, 0);
  }

  /** A live block; 0 when there is none. */
  #pick(n: number): Address {
    if (this.#blocks.size === 0) return 0 as Address;
    let left = n % this.#blocks.size;
    for (const address of this.#blocks.keys()) if (left-- === 0) return address;
    return 0 as Address;
  }

  #realloc(old: Address, size: number): void {
    const heap = this.#heap;
    const block = this.#blocks.get(old);
    const address = heap.realloc_ts(old, size);
    if (block === undefined) {
      this.#add(address, size);
      return;
    }
    if (address === 0 && size > 0) {
      this.full++;
      this.#checkWhole(old, block);
      return;
    }
    this.#forget(old, block);
    if (size === 0) {
      assert.equal(address, 0, 'realloc to 0 gives 0');
      return;
    }
    // Whole words: the last bytes of a longer pattern are not those of a shorter one.
    const kept = Math.min(size, block.size) & ~3;
    assert.equal(findDamage(heap, address, kept, block.seed), -1, 'realloc keeps the contents');
    this.#add(address, size);
  }

  #add(address: Address, size: number): void {
    if (address === 0) {
      this.full++;
      return;
    }
    const heap = this.#heap;
    const usable = heap.usableSize(address);
    assert.ok(address % 16 === 0, 'a multiple of 16');
    assert.ok(usable >= Math.max(size, 1), `${usable} bytes for ${size}`);
    const seed = ++this.#seeds;
    const owners = this.#owners.subarray(address / 16, (address + usable) / 16);
    assert.ok(
      owners.every((owner) => owner === 0),
      `0x${address.toString(16)} and ${usable} bytes overlap another block`,
    );
    owners.fill(seed);
    fillPattern(heap, address, usable, seed);
    this.#blocks.set(address, { size, seed });
  }

  #remove(address: Address): void {
    const block = this.#blocks.get(address) as Block;
    this.#checkWhole(address, block);
    this.#forget(address, block);
  }

  #checkWhole(address: Address, { seed }: Block): void {
    const usable = this.#heap.usableSize(address);
    assert.equal(findDamage(this.#heap, address, usable, seed), -1, 'a live block is untouched');
  }

  /** The block's granules are free again. Its usable size may have changed since: so by owner. */
  #forget(address: Address, { seed }: Block): void {
    this.#blocks.delete(address);
    for (let n = address / 16; this.#owners[n] === seed; n++) this.#owners[n] = 0;
  }
}

/** Runs a sequence on a new heap, to its end as one empty heap. How often it was full. */
export function runAll(
  makePlace: () => Place,
  sequence: Iterable<Operation>,
  checkEvery: number,
): number {
  const { heap, checkSurroundings } = makePlace();
  const { handle } = heap;
  const model = new Model(heap);
  let done = 0;
  for (const operation of sequence) {
    model.run(operation);
    if (++done % checkEvery === 0) model.check();
  }
  model.check();
  model.freeAll();
  model.check();
  heap.detach();
  using again = SharedHeap.attach(handle);
  const stats = again.stats();
  checkIdentity(stats);
  assert.equal(stats.mappedBytes, 0, 'all pages are free');
  assert.equal(stats.cachedBytes, 0, 'nothing is cached');
  assert.equal(stats.large.blocksInUse, 0);
  assert.ok(stats.sizeClasses.every((c) => c.spans === 0 && c.blocksInUse === 0));
  checkSurroundings();
  return model.full;
}

/** Waves: blocks pile up until the heap is full, then most go again. */
export function* longSequence(random: Random, length: number): Generator<Operation> {
  const sizeBelow = (limit: number) => random.below(random.pick([limit, 100, 1000]));
  for (let n = 0; n < length; n++) {
    const size = random.pick([sizeBelow(300), sizeBelow(10_000), sizeBelow(200_000)]);
    const growing = n % 3000 < 1800;
    const pick = random.word() % 10_000;
    const what = random.below(10);
    if (what < (growing ? 5 : 1)) yield { kind: 'malloc', size };
    else if (what < (growing ? 6 : 2)) yield { kind: 'calloc', count: random.below(4), size };
    else if (what < (growing ? 7 : 3)) {
      yield { kind: 'aligned', alignment: 2 ** random.below(17), size };
    } else if (what < (growing ? 9 : 5)) yield { kind: 'realloc', pick, size };
    else yield { kind: 'free', pick };
  }
}
