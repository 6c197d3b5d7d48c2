/**
 * Proves instrumented heaps against a plain model: random calls with every mixture of options, each
 * block filled by its own pattern; the heap ends empty, and verify finds no problem.
 */

import test from 'ava';
import { type Address, type DebugOptions, SharedHeap } from 'shmalloc';
import { Random, seedOf } from '../helpers.js';

const STEPS = 3000;
const KIB = 1024;

function randomOptions(random: Random): DebugOptions {
  const some = <T>(value: T): T | undefined => (random.below(2) === 0 ? value : undefined);
  return {
    scribble: random.below(2) === 0,
    preScribble: random.below(2) === 0,
    strict: random.below(2) === 0,
    direct: random.below(4) === 0,
    guard: some(1 + random.below(200)) ?? 0,
    quarantine: some(random.below(200 * KIB)) ?? 0,
    history: some(1 + random.below(50)) ?? 0,
    stacks: some(1 + random.below(8)) ?? 0,
    checkEach: random.below(5) === 0 ? 500 : 0,
    onError: 'throw',
  };
}

test('instrumented calls: random calls under random options, against a map', (t) => {
  const random = new Random(seedOf(t));
  for (let round = 0; round < 12; round++) {
    const debug = randomOptions(random);
    const heap = SharedHeap.create({ size: '16MiB', threads: 2, debug });
    const live = new Map<Address, { size: number; fill: number }>();
    const what = JSON.stringify(debug);
    const check = (address: Address, size: number, fill: number): void => {
      for (let at = address; at < address + size; at++) {
        if (heap.u8[at] !== fill) throw new Error(`${what}: byte ${at - address} of ${address}`);
      }
    };
    const keep = (address: Address, size: number): void => {
      if (address === 0) return;
      if (live.has(address)) throw new Error(`${what}: ${address} twice`);
      const fill = random.below(256);
      heap.u8.fill(fill, address, address + size);
      live.set(address, { size, fill });
    };
    const anySize = (): number => random.below(random.pick([20, 300, 5000, 150_000]));
    for (let step = 0; step < STEPS; step++) {
      const address = random.pick([...live.keys(), 0 as Address]);
      const block = live.get(address);
      const size = anySize();
      switch (random.below(6)) {
        case 0:
          keep(random.below(2) === 0 ? heap.malloc_ts(size) : heap.malloc(size), size);
          break;
        case 1:
          keep(heap.calloc_ts(1, size), size);
          break;
        case 2:
          keep(heap.alignedAlloc_ts(2 ** random.below(14), size), size);
          break;
        case 3:
          if (block === undefined) break;
          {
            const moved = heap.realloc_ts(address, size + 1);
            if (moved === 0) break;
            live.delete(address);
            check(moved, Math.min(size + 1, block.size), block.fill);
            keep(moved, size + 1);
          }
          break;
        default:
          if (block === undefined) break;
          check(address, block.size, block.fill);
          live.delete(address);
          if (random.below(2) === 0) heap.free_ts(address);
          else heap.free(address);
      }
    }
    t.deepEqual(
      heap.inspect.blocks().map(({ address }) => address),
      [...live.keys()].sort((a, b) => a - b),
      what,
    );
    for (const [address, { size, fill }] of live) {
      check(address, size, fill);
      heap.free_ts(address);
    }
    t.deepEqual(heap.verify({ quiet: true }).problems, [], what);
    heap.detach();
    t.is(heap.stats().mappedBytes, 0, what);
  }
});
