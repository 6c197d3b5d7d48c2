/**
 * Proves that a heap's figures are possible values at whatever moment they are read: they are read
 * after every single store of threads that allocate, free, trade blocks, die and recover; and by a
 * reader that is stopped between any two of its loads while other threads run.
 *
 * Threads are simulated (test/points/simulation.ts): their views of the heap, or the reader's
 * views, are proxies that call back.
 */

import test, { type ExecutionContext } from 'ava';
import type { Address, HeapStats } from 'shmalloc';
import { SMALL_BYTES_MAX } from '../../src/base/index.js';
import { Random, seedOf } from '../helpers.js';
import {
  attach,
  die,
  everybodyLives,
  type HeapMemory,
  type Library,
  liveBlocks,
  loadLibrary,
  makeHeap,
  type ThreadHeap,
} from '../points/simulation.js';
import { badNumbers, countsOf, createWatch, excessParts } from './figures.js';

type View = Int32Array | Uint32Array | Float64Array | Uint8Array;

/** The real views by proxy, since Atomics accept no proxy. */
const views = new WeakMap<object, View>();
const CALLS = ['load', 'store', 'add', 'or', 'exchange', 'compareExchange', 'notify'] as const;
for (const name of CALLS) {
  const real = Atomics[name] as (view: View, ...rest: number[]) => number;
  Object.assign(Atomics, {
    [name]: (view: View, ...rest: number[]) => real(views.get(view) ?? view, ...rest),
  });
}

/** A heap's views with a callback before every load, or after every store, of a word. */
function proxied(memory: HeapMemory, on: { load?: () => void; store?: () => void }): HeapMemory {
  const wrap = <V extends View>(view: V): V => {
    const proxy = new Proxy(view, {
      get(target, key) {
        const isWord = typeof key === 'string' && key >= '0' && key <= ':';
        if (isWord) on.load?.();
        const value: unknown = Reflect.get(target, key);
        return typeof value === 'function' ? value.bind(target) : value;
      },
      set(target, key, value) {
        Reflect.set(target, key, value);
        on.store?.();
        return true;
      },
    });
    views.set(proxy, view);
    return proxy;
  };
  const { i32, u32, f64, tags, owners } = memory;
  return {
    ...memory,
    ...{ i32: wrap(i32), u32: wrap(u32), f64: wrap(f64), tags: wrap(tags), owners: wrap(owners) },
  };
}

const SIZES = [16, 100, 1000, 5000, 30_000, 70_000, 140_000, 300_000];

/** Threads that do random calls, and the blocks that they hold together. */
class Crew {
  readonly #lib: Library;
  readonly #memory: HeapMemory;
  readonly #random: Random;
  readonly cores = new Map<number, ThreadHeap>();
  readonly held: Address[] = [];
  #names = 1;

  constructor(lib: Library, memory: HeapMemory, random: Random) {
    this.#lib = lib;
    this.#memory = memory;
    this.#random = random;
    this.join();
    this.join();
  }

  join(): number {
    const name = ++this.#names;
    this.cores.set(name, attach(this.#lib, this.#memory, name));
    return name;
  }

  leave(name: number): void {
    this.cores.get(name)?.detach();
    this.cores.delete(name);
  }

  /** One call by one of the threads. */
  act(): void {
    const random = this.#random;
    const [, core] = random.pick([...this.cores]);
    const { shared } = core;
    const size = random.pick(SIZES);
    const chance = random.below(100);
    if (chance < 45 || this.held.length === 0) {
      // The engine's own fill clears long blocks; it bypasses the proxies.
      const isCleared = chance < 5 && size <= SMALL_BYTES_MAX;
      const address = isCleared ? shared.calloc(1, size) : shared.malloc(size);
      if (address !== 0) this.held.push(address);
      // The heap is full: the thread frees most of the blocks for others.
      else while (this.held.length > 20) shared.free(this.take());
    } else if (chance < 60) {
      const old = this.take();
      this.held.push(shared.realloc(old, size) || old);
    } else {
      for (let n = random.below(30); n >= 0 && this.held.length > 0; n--) shared.free(this.take());
    }
  }

  take(): Address {
    const { held } = this;
    const n = this.#random.below(held.length);
    const address = held[n] as Address;
    held[n] = held.at(-1) as Address;
    held.pop();
    return address;
  }
}

/** Reads the heap's figures repeatedly, and keeps the impossible ones. */
function createLooks(lib: Library, memory: HeapMemory) {
  const fell = createWatch();
  const faults = new Set<string>();
  let looks = 0;
  return {
    faults,
    count: () => looks,
    look(): HeapStats {
      looks++;
      const stats = lib.stats.readTotals(memory);
      if (faults.size > 20) return stats;
      for (const fault of [...badNumbers(stats), ...excessParts(stats), ...fell(countsOf(stats))]) {
        faults.add(fault);
      }
      return stats;
    },
  };
}

/** When threads are quiet every figure is exact. */
function checkQuiet(t: ExecutionContext, stats: HeapStats, core: ThreadHeap, lib: Library): void {
  const blocks = stats.sizeClasses.reduce((sum, c) => sum + c.blocksInUse, 0);
  t.is(blocks + stats.large.blocksInUse, liveBlocks(core).size);
  t.is(stats.allocations - stats.frees, liveBlocks(core).size);
  t.is(stats.totalAllocatedBytes - stats.totalFreedBytes, stats.inUseBytes);
  t.is(lib.stats.identityGap(stats), 0);
  const cached = stats.sizeClasses.reduce((sum, c) => sum + c.blocksCached, 0);
  const { cachedBlocks, freeBlocks } = core.verify(true);
  t.is(cached, cachedBlocks);
  t.is(
    stats.sizeClasses.reduce((sum, c) => sum + c.blocksFree, 0),
    freeBlocks,
  );
}

const lib = await loadLibrary();

test.serial(
  'readTotals: figures are possible after every store of threads that allocate, free and trade',
  (t) => {
    everybodyLives();
    const random = new Random(seedOf(t));
    const memory = makeHeap(lib);
    const { look, faults, count } = createLooks(lib, memory);
    let inside = false;
    const store = (): void => {
      if (inside || random.below(6) > 0) return;
      inside = true;
      look();
      inside = false;
    };
    const crew = new Crew(lib, proxied(memory, { store }), random);
    for (let n = 0; n < 300; n++) {
      crew.act();
      if (n % 50 === 49) {
        crew.leave([...crew.cores.keys()][0] as number);
        crew.join();
      }
      if (n % 20 !== 0) continue;
      inside = true;
      checkQuiet(t, look(), [...crew.cores.values()][0] as ThreadHeap, lib);
      inside = false;
    }
    t.true(count() > 1000, `${count()} looks`);
    t.deepEqual([...faults], []);
  },
);

test.serial(
  'readTotals: figures are possible after every store of a thread that dies and of its rescuer',
  (t) => {
    everybodyLives();
    const random = new Random(seedOf(t));
    const memory = makeHeap(lib);
    const { look, faults, count } = createLooks(lib, memory);
    const saved = new Uint8Array(memory.geometry.dataStart);
    let stores = 0;
    let cutAt = -1;
    let inside = false;
    const store = (): void => {
      // The victim is dead: its later stores never happen.
      if (inside || stores++ > cutAt) return;
      inside = true;
      if (random.below(4) === 0) look();
      if (stores > cutAt) saved.set(memory.u8.subarray(0, saved.length));
      inside = false;
    };
    const crew = new Crew(lib, proxied(memory, { store }), random);
    cutAt = Number.POSITIVE_INFINITY;
    for (let n = 0; n < 40; n++) {
      for (let calls = random.below(8); calls >= 0; calls--) crew.act();
      const victim = crew.join();
      const others = new Map(crew.cores);
      others.delete(victim);
      for (const name of others.keys()) crew.cores.delete(name);
      stores = 0;
      cutAt = random.below(200);
      while (stores <= cutAt) crew.act();
      memory.u8.set(saved);
      die(victim);
      cutAt = Number.POSITIVE_INFINITY;
      crew.cores.clear();
      for (const [name, core] of others) crew.cores.set(name, core);
      const [rescuer] = others.values();
      look();
      rescuer?.recover();
      inside = true;
      checkQuiet(t, look(), rescuer as ThreadHeap, lib);
      // The dead thread's blocks: one in the middle of a call may be live or free.
      const live = liveBlocks(rescuer as ThreadHeap);
      crew.held.splice(0, crew.held.length, ...live);
      inside = false;
    }
    t.true(count() > 1000, `${count()} looks`);
    t.deepEqual([...faults], []);
  },
);

for (const [from, to] of [
  [70_000, 300_000],
  [300_000, 70_000],
] as const) {
  test.serial(
    `readTotals: figures are exact after a thread has died at any store of a realloc from ${from} to ${to}`,
    (t) => {
      let cuts = 0;
      for (let cutAt = 0, isCut = true; isCut; cutAt++) {
        everybodyLives();
        const memory = makeHeap(lib);
        const saved = new Uint8Array(memory.geometry.dataStart);
        let stores = Number.NEGATIVE_INFINITY;
        isCut = false;
        const store = (): void => {
          if (stores++ !== cutAt) return;
          saved.set(memory.u8.subarray(0, saved.length));
          isCut = true;
        };
        const rescuer = attach(lib, memory, 2);
        const victim = attach(lib, proxied(memory, { store }), 3);
        const address = victim.shared.malloc(from);
        stores = 0;
        t.not(victim.shared.realloc(address, to), 0);
        if (!isCut) break;
        cuts++;
        memory.u8.set(saved);
        die(3);
        rescuer.recover();
        checkQuiet(t, lib.stats.readTotals(memory), rescuer, lib);
      }
      t.true(cuts > 10, `${cuts} deaths`);
    },
  );
}

for (const [what, others] of [
  ['one thread runs', 1],
  ['two threads trade blocks', 2],
] as const) {
  test.serial(
    `readTotals: figures are possible if the reader stops between any two loads while ${what}`,
    (t) => {
      everybodyLives();
      const random = new Random(seedOf(t));
      const memory = makeHeap(lib);
      const crew = new Crew(lib, memory, random);
      if (others === 1) crew.leave([...crew.cores.keys()][1] as number);
      let until = Number.POSITIVE_INFINITY;
      const load = (): void => {
        if (until-- > 0) return;
        until = Number.POSITIVE_INFINITY;
        for (let n = random.below(40); n >= 0; n--) crew.act();
        if (random.below(2) === 0) until = random.below(200);
      };
      const { look, faults } = createLooks(lib, proxied(memory, { load }));
      for (let n = 0; n < 1000; n++) {
        until = random.below(3000);
        look();
        until = Number.POSITIVE_INFINITY;
        if (n % 100 === 0) checkQuiet(t, look(), [...crew.cores.values()][0] as ThreadHeap, lib);
      }
      t.deepEqual([...faults], []);
    },
  );
}
