/**
 * A thread of a traced program: attaches to a heap, traces every call as instrumented calls do, and
 * keeps its own log in shared memory, which outlives the thread.
 *
 * A block's first word is its size, so that threads can trade addresses.
 */

import type { Address } from 'shmalloc';
import { Tracer } from '../../src/debug/tracer.js';
import { attachThreadHeap, createHeap, type ThreadHeap } from '../../src/heap/index.js';
import * as DebugRecord from '../../src/layout/debug-record.js';
import type { HeapMemory } from '../../src/layout/index.js';
import {
  blockIdOf,
  CALLOC,
  FREE,
  kindOf,
  MALLOC,
  REALLOC,
  readTrace,
  threadOf,
} from '../../src/trace/index.js';
import { Random } from '../helpers.js';

const HEAP_BYTES = 64 * 1024 * 1024;
const NAMES = ['', 'malloc', 'free', 'calloc', 'realloc'];

/** An empty heap with trace buffers and no attached thread. */
export function makeTracedMemory(path: string, threads = 8, id = '00c0ffee00c0ffee'): HeapMemory {
  return createHeap({
    buffer: new SharedArrayBuffer(HEAP_BYTES),
    base: 0,
    bytes: HEAP_BYTES,
    threads,
    contexts: 0,
    id,
    pristine: true,
    lockTimeoutMs: 1000,
    debug: { ...DebugRecord.NONE, tracePath: path },
    secret: [1, 2],
  });
}

/** A call as text, the same from a log and from a trace: its block's size before and after. */
const tell = (kind: number, before: number, after: number): string =>
  `${NAMES[kind]} ${before} ${after}`;

/** A log in shared memory: a count, then three words for each call. */
export class CallLog {
  readonly words: Int32Array<SharedArrayBuffer>;

  constructor(words: number | Int32Array<SharedArrayBuffer>) {
    this.words =
      typeof words === 'number' ? new Int32Array(new SharedArrayBuffer(4 + words * 12)) : words;
  }

  get count(): number {
    return Atomics.load(this.words, 0);
  }

  get isFull(): boolean {
    return 1 + (this.count + 1) * 3 > this.words.length;
  }

  add(...call: [kind: number, before: number, after: number]): void {
    this.words.set(call, 1 + this.count * 3);
    Atomics.add(this.words, 0, 1);
  }

  lines(count = this.count): string[] {
    return Array.from({ length: count }, (_, n) => {
      const [kind, before, after] = this.words.subarray(1 + n * 3, 4 + n * 3);
      return tell(kind, before, after);
    });
  }
}

/** A tracer of one event per call: it makes room before the event, as instrumented calls do. */
export class CallTracer extends Tracer {
  override allocated(...event: Parameters<Tracer['allocated']>): void {
    this.begin();
    super.allocated(...event);
  }

  override freed(address: number): void {
    this.begin();
    super.freed(address);
  }

  override moved(from: number, to: number, bytes: number): void {
    this.begin();
    super.moved(from, to, bytes);
  }
}

export class TracedThread {
  readonly core: ThreadHeap;
  readonly #memory: HeapMemory;
  readonly #tracer: Tracer;
  readonly #log: CallLog;

  constructor(memory: HeapMemory, threadId: number, path: string, log: CallLog) {
    this.core = attachThreadHeap(memory, true, {
      threadId,
      lockTimeoutMs: Number.POSITIVE_INFINITY,
    });
    this.#memory = memory;
    this.#tracer = new CallTracer(memory, this.core.slotIndex, threadId, path);
    this.#log = log;
  }

  malloc(bytes: number): Address {
    return this.#made(MALLOC, this.core.shared.malloc(bytes), bytes);
  }

  calloc(bytes: number): Address {
    return this.#made(CALLOC, this.core.shared.calloc(1, bytes), bytes);
  }

  free(address: Address): void {
    const bytes = this.#sizeOf(address);
    this.#tracer.freed(address);
    this.core.shared.free(address);
    this.#log.add(FREE, bytes, 0);
  }

  realloc(address: Address, bytes: number): Address {
    const before = this.#sizeOf(address);
    const isStable = bytes <= this.core.shared.usableSize(address);
    const to = isStable ? address : this.core.shared.malloc(bytes);
    this.#memory.i32[to >>> 2] = bytes;
    this.#tracer.moved(address, to, bytes);
    if (!isStable) this.core.shared.free(address);
    this.#log.add(REALLOC, before, bytes);
    return to;
  }

  detach(): void {
    this.#tracer.close();
    this.core.detach();
  }

  /**
   * Runs a random program until the log is full. Trades blocks with other threads through `mail`.
   */
  runAtRandom(seed: number, mail: Int32Array<SharedArrayBuffer>): void {
    const random = new Random(seed);
    const live: Address[] = [];
    while (!this.#log.isFull) {
      const n = random.below(live.length + 1);
      const size = random.below(8) === 0 ? random.below(100_000) : random.below(500);
      if (n === live.length || (live.length < 300 && random.below(3) === 0)) {
        live.push(random.below(4) === 0 ? this.calloc(size) : this.malloc(size));
        continue;
      }
      const what = random.below(4);
      if (what === 0) live[n] = this.realloc(live[n], size);
      else if (what === 1) live[n] = trade(mail, random.below(mail.length), live[n]);
      else this.free(live[n]);
      if (what > 1 || live[n] === 0) live.splice(n, 1);
    }
  }

  #made(kind: typeof MALLOC | typeof CALLOC, address: Address, bytes: number): Address {
    if (address === 0) throw new Error('the heap is full');
    this.#memory.i32[address >>> 2] = bytes;
    this.#tracer.allocated(kind, address, bytes);
    this.#log.add(kind, 0, bytes);
    return address;
  }

  #sizeOf(address: Address): number {
    return this.#memory.i32[address >>> 2];
  }
}

const trade = (mail: Int32Array<SharedArrayBuffer>, cell: number, mine: Address): Address =>
  (Atomics.exchange(mail, cell, mine) >>> 0) as Address;

/** A trace as text, in the form of the logs: all calls, and those of each of up to 32 threads. */
export async function tellTrace(path: string): Promise<{ all: string[]; threads: string[][] }> {
  const { words, blockIds } = await readTrace(path);
  const sizes = new Array<number>(blockIds).fill(0);
  const all: string[] = [];
  const threads: string[][] = [];
  for (let n = 0; n < words.length; n += 2) {
    const [word, bytes] = words.subarray(n, n + 2);
    const line = tell(kindOf(word), sizes[blockIdOf(word)], bytes);
    sizes[blockIdOf(word)] = bytes;
    all.push(line);
    threads[threadOf(word)] ??= [];
    threads[threadOf(word)].push(line);
  }
  return { all, threads };
}
