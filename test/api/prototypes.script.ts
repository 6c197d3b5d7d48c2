/**
 * Process of the tests with changed prototypes: does what a program does with a heap, with what a
 * careless program has put into the prototypes of the language, and prints what came of it.
 *
 * Meanwhile nothing here calls a method of those prototypes: only what the library does is tried.
 */

import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { gunzipSync } from 'node:zlib';
import { type Address, SharedHeap } from 'shmalloc';
import { renderSvg, renderText } from 'shmalloc/pictures';
import type * as layout from '../../src/layout/index.js';
import * as LockTable from '../../src/layout/lock-table.js';
import { numberedWord, poison } from '../../src/sync/index.js';
import { lockWordOf, memoryOf } from '../helpers.js';
import { ended, nextMessage, shmalloc } from '../workers.js';
import { type Change, changePrototypes } from './prototypes.js';

const [change = 'none'] = process.argv.slice(2) as [Change];
const folder = mkdtempSync(join(tmpdir(), 'shmalloc-prototypes-'));
const trace = join(folder, 'a.mtr.gz');

/** A heap with a worker in it that was killed; the word that names it. */
async function withDead(debug = {}): Promise<{ heap: SharedHeap; word: number }> {
  const heap = SharedHeap.create({ size: '16MiB', threads: 6, debug });
  const worker = new Worker(new URL('./guest.worker.js', import.meta.url), {
    workerData: { handle: heap.handle, blocks: 300, keep: 2, end: 'stay' },
  });
  const word = numberedWord(worker.threadId);
  await nextMessage(worker);
  const end = ended(worker);
  await worker.terminate();
  await end;
  return { heap, word };
}

const main = await withDead();
const waiting = await withDead();
const guarded = await withDead({ guard: 16, history: 64, strict: true, quarantine: 4096 });
const traced = SharedHeap.create({ size: '16MiB', threads: 4, debug: { trace, guard: 16 } });
const broken = SharedHeap.create({ size: '4MiB', threads: 2 });
const objects = SharedHeap.create({ size: '4MiB', threads: 2 });
const full = SharedHeap.create({ size: '2MiB', threads: 4 });

/** What the library told meanwhile. */
const told: Record<string, unknown> = { __proto__: null };
const { fromEntries } = Object;
const memories = {
  main: memoryOf(main.heap),
  waiting: memoryOf(waiting.heap),
  broken: memoryOf(broken),
};
/** Where the lock words of the heaps stand: one line each, from this one on. */
const firstLock = lockWordOf(main.heap, 0 as layout.LockIndex);
const lockStep = lockWordOf(main.heap, 1 as layout.LockIndex) - firstLock;
const guardedLock = lockWordOf(guarded.heap, LockTable.PAGE);
const hold = (heap: SharedHeap, lock: layout.LockIndex, word: number) => {
  heap.i32[firstLock + lock * lockStep] = word;
};

/** Blocks of many sizes, freed in two orders, moved, cleared. */
function exercise(heap: SharedHeap): string {
  const blocks: Address[] = [];
  const count = 4000;
  blocks.length = count;
  let text = '';
  let hash = 0;
  for (let n = 0; n < count; n++) {
    const size = n % 97 === 0 ? 70_000 : (n * 37) % 3000;
    const address = n % 3 === 0 ? heap.calloc_ts(1, size) : heap.malloc_ts(size);
    if (address === 0) return `full at ${n}`;
    if (n % 3 === 0) {
      for (let at = 0; at < size; at++) if (heap.u8[address + at] !== 0) return `not zero at ${n}`;
    }
    for (let at = 0; at < size; at++) heap.u8[address + at] = n;
    hash = (Math.imul(hash, 31) + address) | 0;
    define(blocks, n, address);
    if (n % 5 === 4) {
      heap.free_ts(blocks[n - 2]);
      define(blocks, n - 2, 0 as Address);
    }
    if (n % 11 === 10 && blocks[n - 1] !== 0) {
      const moved = heap.realloc_ts(blocks[n - 1], (n * 101) % 90_000);
      if (heap.u8[moved] !== ((n - 1) & 255) && (n * 101) % 90_000 > 0) text += `lost ${n} `;
      define(blocks, n - 1, moved);
      hash = (Math.imul(hash, 31) + moved) | 0;
    }
    if (n > 900) {
      heap.free_ts(blocks[n - 900]);
      define(blocks, n - 900, 0 as Address);
    }
  }
  for (let n = count - 900; n < count; n++) heap.free_ts(blocks[n]);
  const aligned = heap.alignedAlloc_ts(65536, 100);
  text += `${aligned % 65536} ${hash}`;
  heap.free_ts(aligned);
  return text;
}

/** No setter of a prototype is in its way. */
const { defineProperty } = Object;
function define(list: Address[], n: number, value: Address): void {
  defineProperty(list, n, {
    __proto__: null,
    value,
    writable: true,
    enumerable: true,
    configurable: true,
  } as PropertyDescriptor);
}

function codeOf(call: () => unknown): unknown {
  try {
    call();
    return 'no error';
  } catch (error) {
    const { code, message } = error as { code?: string; message: string };
    return `${code}: ${message}`;
  }
}

const SECTIONS: Record<string, () => unknown> = {
  calls: () => exercise(main.heap),
  'a page lock of a dead thread': () => {
    hold(waiting.heap, LockTable.PAGE, waiting.word);
    waiting.heap.free_ts(waiting.heap.malloc_ts(300_000));
    return waiting.heap.i32[firstLock + LockTable.PAGE * lockStep];
  },
  'the class locks of a dead thread': () => {
    for (let lock = 1; lock < LockTable.PAGE; lock++) {
      hold(waiting.heap, lock as layout.LockIndex, waiting.word);
    }
    return exercise(waiting.heap);
  },
  'recover()': () => {
    const found = main.heap.recover();
    return `${found.slots} ${found.locks} ${found.blocks} ${found.runs} ${found.contexts}`;
  },
  'calls with debug options': () => exercise(guarded.heap),
  'recover() with debug options': () => {
    guarded.heap.i32[guardedLock] = guarded.word;
    const found = guarded.heap.recover();
    return `${found.slots} ${found.locks} ${found.blocks} ${found.runs} ${found.contexts}`;
  },
  'bad frees': () => {
    const { heap } = main;
    const one = heap.malloc_ts(100);
    const inside = codeOf(() => heap.free_ts((one + 16) as Address));
    heap.free_ts(one);
    const again = codeOf(() => heap.free_ts(one));
    const wild = codeOf(() => heap.free_ts(8192 as Address));
    return `${inside}\n${again}\n${wild}`;
  },
  'bad frees with debug options': () => {
    const { heap } = guarded;
    const one = heap.malloc_ts(100);
    heap.u8[one + 100] = 7;
    const over = codeOf(() => heap.free_ts(one));
    heap.free_ts(one);
    const again = codeOf(() => heap.free_ts(one));
    return `${over}\n${again}`;
  },
  'a full heap': () => {
    let blocks = 0;
    let last = 0 as Address;
    for (;;) {
      const block = full.malloc_ts(5000);
      if (block === 0) break;
      last = block;
      blocks++;
    }
    const large = full.malloc_ts(200_000);
    full.free_ts(last);
    return `${blocks} ${large} ${full.malloc_ts(5000) === last}`;
  },
  contexts: () => {
    const heap = objects;
    const parent = heap.contexts.create('parent');
    const child = parent.createContext('child', { kind: 'set' });
    let sum = 0;
    for (let n = 0; n < 500; n++) {
      sum += parent.malloc(n) > 0 ? 1 : 0;
      const object = child.malloc(n);
      if (n % 2 === 0) child.free(object);
    }
    const text = heap.readString(parent.allocString('text'));
    const held = heap.contexts.list().length;
    child.reset();
    parent.delete();
    return `${sum} ${text} ${held} ${heap.contexts.list().length}`;
  },
  vectors: () => {
    const heap = objects;
    let text = '';
    for (let n = 0; n < 2; n++) {
      const shared = n === 1;
      const vector = heap.vectors.create(Float64Array, { shared });
      for (let n = 0; n < 3000; n++) vector.push(n);
      vector.insert(5, 77);
      vector.remove(0);
      vector.set(1, 78);
      text += `${vector.length} ${vector.get(4)} ${vector.at(-1)} ${vector.pop()} `;
      vector.delete();
    }
    return text;
  },
  'attach, detach': () => {
    const other = SharedHeap.create({ size: '2MiB', threads: 2 });
    const { handle } = other;
    other.free_ts(other.malloc_ts(100));
    other.detach();
    const again = SharedHeap.attach(handle);
    again.free_ts(again.malloc_ts(100));
    again.detach();
    return codeOf(() => again.malloc_ts(1));
  },
  'verify()': () => {
    const { heap } = main;
    const { ok, problems, liveBlocks } = heap.verify({ quiet: true });
    return `${ok} ${problems[0]?.message} ${liveBlocks}`;
  },
  'verify() with debug options': () => {
    const { ok, problems, liveBlocks } = guarded.heap.verify({ quiet: true });
    return `${ok} ${problems.length} ${liveBlocks}`;
  },
  'verify() of a broken heap': () => {
    const block = broken.malloc_ts(48);
    const { tags } = memories.broken;
    tags[block >>> 4] = 0;
    const { ok, problems } = broken.verify({ quiet: true });
    tags[block >>> 4] = 99;
    const second = broken.verify({ quiet: true });
    return `${ok} ${problems[0]?.message} ${second.ok} ${second.problems[0]?.message}`;
  },
  poison: () => {
    poison(memories.broken, 'on purpose (spans I1)');
    return `${codeOf(() => broken.malloc_ts(48))} ${codeOf(() => broken.free_ts(8 as Address))}`;
  },
  'stats()': () => {
    const stats = main.heap.stats();
    return `${stats.inUseBytes} ${stats.frees} ${stats.sizeClasses.length} ${stats.threads.length}`;
  },
  'metrics()': () => {
    main.heap.resetStats();
    main.heap.malloc_ts(100);
    return main.heap.metrics().length > 1000;
  },
  'leaks(), blocks(), map()': () => {
    const { heap } = main;
    const { blocks, groups } = heap.inspect.leaks();
    return `${blocks} ${groups.length} ${heap.inspect.blocks().length} ${heap.inspect.map().runs.length}`;
  },
  'hexdump, print': () => {
    return main.heap.inspect.hexdump(
      (main.heap.inspect.blocks()[1] as { address: Address }).address,
      {
        length: 64,
      },
    );
  },
  'a trace': () => exercise(traced),
  'the end of a trace': () => codeOf(() => traced.detach()),
  pictures: () => {
    const map = guarded.heap.inspect.map();
    return `${renderSvg(map)}\n${renderText(map)}`;
  },
};

const names = Object.keys(SECTIONS);
const stop = changePrototypes(change);
for (let n = 0; n < names.length; n++) {
  const name = names[n] as string;
  let outcome: unknown;
  try {
    outcome = SECTIONS[name]?.();
  } catch (error) {
    outcome = `threw ${(error as Error)?.stack}`;
  }
  told[name] = outcome;
}
stop();

const { code, stdout } = await shmalloc('replay', '--json', trace).catch(() => ({
  code: -1,
  stdout: '',
}));
let operations: unknown = null;
try {
  const bytes = gunzipSync(readFileSync(trace));
  operations = `${bytes.length} ${bytes.subarray(0, 64).toString('hex')} replay ${code} ${stdout.length > 0}`;
} catch (error) {
  operations = String(error);
}
rmSync(folder, { recursive: true, force: true });
console.log(JSON.stringify({ told: fromEntries(Object.entries(told)), trace: operations }));
process.exit();
