/**
 * A program that prints which debug options its heap follows, judged by the effects of calls, in
 * the main thread and in a worker, as JSON. The options come from the environment or the first
 * argument.
 */

import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { type DebugOptions, type HeapHandle, SharedHeap } from 'shmalloc';

/** The observed effect of each option. */
export interface Seen {
  scribble: boolean;
  preScribble: boolean;
  guard: boolean;
  quarantine: boolean;
  checkEach: boolean;
  strict: boolean;
  onError: string;
  history: number;
  stacks: boolean;
  direct: boolean;
}

function codeOf(call: () => unknown): string {
  try {
    call();
    return 'none';
  } catch (error) {
    return (error as { code?: string }).code ?? 'unknown';
  }
}

function look(heap: SharedHeap): Seen {
  const { malloc_ts, free_ts, u8 } = heap;
  const fresh = malloc_ts(500);
  const preScribble = u8.slice(fresh, fresh + 500).every((byte) => byte === 0xaa);
  free_ts(fresh);
  const scribble = u8.slice(fresh, fresh + 500).every((byte) => byte === 0x55);
  const held = malloc_ts(600);
  free_ts(held);
  const quarantine = malloc_ts(600) !== held;
  const direct = heap.stats().large.blocksInUse > 0;
  const before = u8[held - 1];
  const guarded = malloc_ts(100);
  const past = u8[guarded + 100];
  u8[guarded + 100] = 0;
  const guard = heap.verify().problems.length === 1;
  u8[guarded + 100] = past;
  u8[held - 1] = before;
  let checks = 0;
  let history = 0;
  let stacks = false;
  if (codeOf(() => heap.inspect.history()) === 'none') {
    history = heap.inspect.history().length;
    stacks = heap.inspect.history().some(({ stack }) => stack !== undefined);
  }
  if (guard) {
    // Another block: verify() reports each damage once.
    const other = malloc_ts(200);
    const whole = u8[other + 200];
    u8[other + 200] = 0;
    for (let n = 0; n < 300; n++) {
      if (codeOf(() => free_ts(malloc_ts(8))) === 'ERR_SHMALLOC_CHECK_FAILED') checks++;
    }
    u8[other + 200] = whole;
  }
  return {
    scribble,
    preScribble,
    guard,
    quarantine,
    checkEach: checks > 0,
    strict: codeOf(() => heap.inspect.whoAllocated(guarded)) === 'none',
    onError: codeOf(() => free_ts((guarded + 16) as typeof guarded)),
    history,
    stacks,
    direct,
  };
}

if (isMainThread) {
  const debug = JSON.parse(process.argv[2] ?? '{}') as DebugOptions;
  const heap = SharedHeap.create({ size: '32MiB', threads: 3, debug });
  const main = look(heap);
  const env = { NODE_OPTIONS: '' };
  const worker = new Worker(new URL(import.meta.url), { workerData: heap.handle, env });
  worker.once('message', (inWorker: Seen) => console.log(JSON.stringify({ main, inWorker })));
} else parentPort?.postMessage(look(SharedHeap.attach(workerData as HeapHandle)));
