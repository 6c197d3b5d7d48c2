/**
 * Dives to the very end of the stack with calls of contexts at every depth near the end, again and
 * again, and looks what the overflows have left. In a thread of its own, or a process.
 */

import { isMainThread, parentPort, workerData } from 'node:worker_threads';
import { type Address, type AnyContext, type SetContext, SharedHeap } from 'shmalloc';
import { heldIn } from '../helpers.js';
import { auditContexts, countRecords } from './audit.js';

export interface ContextDives {
  calls: number;
  overflows: number;
  /** Those of each kind of call. */
  each: number[];
  /** What is wrong afterwards; the first few. */
  wrong: string[];
}

const NEAR_FRAMES = 150;
/** The same where functions are compiled on the way. */
const NEAR_FRAMES_COLD = 900;
const SHIFT_WORDS = 40;
const LOOK_EVERY = 20;
const WARM_UP_CALLS = 2000;
const KINDS = 12;

function dive(rounds: number, warmUpCalls: number): ContextDives {
  const nearFrames = warmUpCalls === 0 ? NEAR_FRAMES_COLD : NEAR_FRAMES;
  const heap = SharedHeap.create({ size: '64MiB', threads: 2, contexts: 2000 });
  const roots = [0, 1, 2, 3].map((n) =>
    heap.contexts.create(`root ${n}`, { kind: n % 2 === 0 ? 'bump' : 'set', maxBytes: 65_536 }),
  );
  const result: ContextDives = { calls: 0, overflows: 0, each: Array(KINDS).fill(0), wrong: [] };
  const objects = new Float64Array(2000);
  const strange: unknown[] = [undefined];
  let what = 0;
  let at = 0;
  let made: AnyContext | null = null;

  function act(): void {
    result.calls++;
    at = (at + 1) % 1999;
    what = at % KINDS;
    const root = roots[at % 4] as AnyContext;
    const set = roots[1 + 2 * (at % 2)] as AnyContext;
    if (what === 0) root.malloc(100);
    else if (what === 1) root.malloc(10_000);
    else if (what === 2) root.malloc(40_000);
    else if (what === 3) objects[at] = set.malloc(at % 5 === 0 ? 40_000 : 60);
    else if (what === 4) root.calloc(10, 100);
    else if (what === 5) made = root.createContext('child', { kind: 'set' });
    else if (what === 6) made?.malloc(20_000);
    else if (what === 7) made?.setParent(root);
    else if (what === 8) made?.delete();
    else if (what === 9) root.resetOnly();
    else if (what === 10) root.reset();
    else if (objects[at - 8] !== 0) (set as SetContext).free(objects[at - 8] as Address);
  }

  function down(depth: number): number {
    let end = depth;
    try {
      end = down(depth + 1);
    } catch {
      end = depth;
    }
    if (end - depth < nearFrames) {
      try {
        act();
      } catch (error) {
        const { code } = error as { code?: string };
        if (code === undefined) {
          result.overflows++;
          result.each[what]++;
        } else if (!expected(code)) strange[0] = error;
      }
    }
    return end;
  }

  /** A child goes with its parent, an object with a reset. */
  function expected(code: string): boolean {
    return (
      (what >= 6 && what <= 8 && code === 'ERR_SHMALLOC_CONTEXT_ENDED') ||
      (what === 7 && code === 'ERR_SHMALLOC_CONTEXT') ||
      (what === 11 && code === 'ERR_SHMALLOC_INVALID_ADDRESS')
    );
  }

  for (let n = 0; n < warmUpCalls; n++) {
    try {
      act();
    } catch (error) {
      if (!expected((error as { code: string }).code)) throw error;
    }
  }
  for (let round = 0; round < rounds && result.wrong.length === 0; round++) {
    Reflect.apply(down, null, [0, ...new Array<number>(round % SHIFT_WORDS).fill(0)]);
    if (strange[0] !== undefined) result.wrong.push(`round ${round}: ${strange[0]}`);
    if (round % LOOK_EVERY === LOOK_EVERY - 1) look(`round ${round}`);
  }
  look('at the end');
  for (const root of roots) {
    root.reset();
    const { objects: live, bytes, freeBytes } = root.stats();
    if (live !== 0 || bytes !== freeBytes) result.wrong.push(`${root.name} is not empty`);
    root.delete();
  }
  const left = countRecords(heap);
  if (left.contexts + left.chunks > 0) {
    result.wrong.push(`${left.contexts} contexts and ${left.chunks} chunks are left`);
  }
  if (heap.stats().inUseBytes > 0) result.wrong.push('something is in use');
  result.wrong.splice(10);
  return result;

  function look(when: string): void {
    const { wrong } = result;
    wrong.push(...heldIn(heap).map((held) => `${when}: held: ${held}`));
    const { problems } = heap.verify({ quiet: true });
    wrong.push(...problems.map(({ invariant, message }) => `${when}: ${invariant}: ${message}`));
    wrong.push(...auditContexts(heap).map((fault) => `${when}: ${fault}`));
    const all = heap.contexts.list();
    for (const context of all) all.push(...context.children);
    const { contexts } = countRecords(heap);
    if (all.length !== contexts) wrong.push(`${when}: ${all.length} contexts, ${contexts} records`);
    for (const context of all) {
      try {
        context.malloc(10);
        const { bytes, freeBytes } = context.stats();
        if (freeBytes < 0 || freeBytes > bytes)
          wrong.push(`${when}: ${freeBytes} of ${bytes} free`);
      } catch (error) {
        wrong.push(`${when}: ${error}`);
      }
    }
  }
}

const rounds = isMainThread ? Number(process.argv[2]) : (workerData as { rounds: number }).rounds;
// Without a warm-up functions are compiled on the way, which takes stack as well.
const result = dive(rounds, process.argv[3] === 'cold' ? 0 : WARM_UP_CALLS);
if (isMainThread) console.log(JSON.stringify(result));
else parentPort?.postMessage(result);
