/**
 * Many threads in one heap, in a process of its own.
 *
 *     node dist/bench/crowd-run.js full IDLE CALLS              prints JSON
 *     node dist/bench/crowd-run.js evict THREADS MILLISECONDS
 *     node dist/bench/crowd-run.js fair THREADS MILLISECONDS
 *     node dist/bench/crowd-run.js rescue THREADS KILLS MIB
 */

import { setTimeout as sleep } from 'node:timers/promises';
import { SharedHeap } from 'shmalloc';
import { CALLS, clockMs, EVICTED_BYTES, FAILED, FAILED_MS, INSIDE } from './crowd-board.js';
import { Crowd } from './crowd-threads.js';

/** A heap that is soon full. */
const FULL_HEAP = { size: '8MiB', threads: 64 } as const;
const HEAP = { size: '256MiB', threads: 128 } as const;
/**
 * Size of the live blocks: the victim's check of 64 MiB of them takes tens of ms under two locks.
 */
const CHECKED_BYTES = 64;
const LOOK_EVERY_MS = 5;
/** Number of looks in a row without a returned call of a survivor: then all wait for the victim. */
const STANDSTILL_LOOKS = 4;
/** Milliseconds between two kills. */
const PAUSE_MS = 200;
const RESCUE_MS_MAX = 120_000;

/** A full heap: calls of malloc that returned 0. */
export interface FullResult {
  /** Mean time of a call; of several threads the slowest one's mean; null if no call failed. */
  readonly microseconds: number | null;
}

export interface FairResult {
  /** Calls of all threads together. */
  readonly callsPerSecond: number;
  /** Number of calls of the thread with the fewest, and of the one with the most. */
  readonly least: number;
  readonly most: number;
}

export interface RescueResult {
  /** Time from the order to die until the main thread heard of the end, for each kill. */
  readonly dying: readonly number[];
  /** Time from the order until the last survivor had a call return, for each kill. */
  readonly milliseconds: readonly number[];
}

/** Calls of a full heap, beside threads that do nothing. */
async function full(idle: number, calls: number): Promise<FullResult> {
  using heap = SharedHeap.create(FULL_HEAP);
  await using crowd = new Crowd(heap, Array(idle).fill('idle'));
  await crowd.attached();
  while (heap.malloc_ts(EVICTED_BYTES) !== 0);
  const started = clockMs();
  for (let n = 0; n < calls; n++) heap.malloc_ts(EVICTED_BYTES);
  return { microseconds: ((clockMs() - started) / calls) * 1000 };
}

/** Threads that free one of their blocks whenever malloc returns 0. */
async function evict(threads: number, milliseconds: number): Promise<FullResult> {
  using heap = SharedHeap.create(FULL_HEAP);
  await using crowd = new Crowd(heap, Array(threads).fill('evict'));
  await crowd.attached();
  crowd.start();
  await sleep(milliseconds);
  const calls = crowd.all(FAILED);
  const means = crowd.all(FAILED_MS).map((ms, n) => (ms / (calls[n] || 1)) * 1000);
  return { microseconds: Math.max(...means) || null };
}

/** Threads that all need the page lock at each call. */
async function fair(threads: number, milliseconds: number): Promise<FairResult> {
  using heap = SharedHeap.create(HEAP);
  await using crowd = new Crowd(heap, Array(threads).fill('trade'));
  await crowd.attached();
  crowd.start();
  const started = clockMs();
  await sleep(milliseconds);
  const calls = crowd.all(CALLS);
  const seconds = (clockMs() - started) / 1000;
  const callsPerSecond = calls.reduce((sum, one) => sum + one, 0) / seconds;
  return { callsPerSecond, least: Math.min(...calls), most: Math.max(...calls) };
}

/** Threads that all need the page lock, and one more that is killed while it holds it. */
async function rescue(threads: number, kills: number, mib: number): Promise<RescueResult> {
  using heap = SharedHeap.create(HEAP);
  for (let n = 0; n < (mib * 2 ** 20) / CHECKED_BYTES; n++) heap.malloc_ts(CHECKED_BYTES);
  await using crowd = new Crowd(heap, [
    ...Array(threads).fill('trade'),
    ...Array(kills).fill('victim'),
  ]);
  await crowd.attached();
  crowd.start();
  const dying: number[] = [];
  const milliseconds: number[] = [];
  for (let victim = threads; victim < threads + kills; victim++) {
    await sleep(PAUSE_MS);
    crowd.startVictim(victim);
    await standstill(crowd, threads, victim);
    const { ownerDeaths } = heap.stats().locks;
    const started = clockMs();
    await crowd.kill(victim);
    const ended = clockMs();
    const last = await crowd.allWentOn(threads, started + RESCUE_MS_MAX);
    if (heap.stats().locks.ownerDeaths === ownerDeaths) continue;
    dying.push(ended - started);
    milliseconds.push(last - started);
  }
  return { dying, milliseconds };
}

/** Waits until the victim is in its call, and all others wait for it. */
async function standstill(crowd: Crowd, threads: number, victim: number): Promise<void> {
  let last = -1;
  for (let looks = 0; looks < STANDSTILL_LOOKS; ) {
    await sleep(LOOK_EVERY_MS);
    const calls = crowd.all(CALLS).slice(0, threads);
    const sum = calls.reduce((total, one) => total + one, 0);
    looks = sum === last && crowd.figure(victim, INSIDE) === 1 ? looks + 1 : 0;
    last = sum;
  }
}

const KINDS = { full, evict, fair, rescue };

const [kind = '', ...numbers] = process.argv.slice(2);
const [threads = 0, amount = 0, mib = 0] = numbers.map(Number);
console.log(JSON.stringify(await KINDS[kind as keyof typeof KINDS](threads, amount, mib)));
