/**
 * Overflows the stack in the first calls of a thread's life, when functions on the way are compiled
 * and need more stack than later: even what repairs a section may overflow then. Prints JSON.
 */

import { type Address, type DebugOptions, SharedHeap } from 'shmalloc';

export interface ColdDives {
  overflows: number;
  /** What is wrong after one; the first. */
  wrong: string | null;
  /** Blocks live when all that can be found were freed. */
  left: number;
}

const DIVES = 1200;
const MEASURE_EVERY = 300;

const debug = JSON.parse(process.argv[2] ?? '{}') as DebugOptions;
const heap = SharedHeap.create({ size: '64MiB', threads: 2, debug });
const live: Address[] = [];
let turn = 0;

/** Does one of four things; sizes change only when it goes through. */
function act(what: number): void {
  const last = live.at(-1);
  if (what === 0 || last === undefined) live.push(heap.malloc_ts(50 + ((turn * 37) % 3000)));
  else if (what === 1) {
    const size = turn % 9 === 0 ? 90_000 : 100;
    live.push(heap.calloc_ts(1, size));
  } else if (what === 2) {
    heap.free_ts(last);
    live.pop();
  } else {
    const size = 40 + ((turn * 91) % 5000);
    live[live.length - 1] = heap.realloc_ts(last, size);
  }
}

function down(depth: number, what: number): void {
  if (depth > 0) down(depth - 1, what);
  else if (what < 4) act(what);
}

/** How deep this thread can go just now. */
function deepest(): number {
  let [fits, fails] = [0, 40_000];
  while (fails - fits > 1) {
    const depth = (fits + fails) >> 1;
    try {
      down(depth, 4);
      fits = depth;
    } catch {
      fails = depth;
    }
  }
  return fits;
}

const result: ColdDives = { overflows: 0, wrong: null, left: -1 };
let depth = 0;
for (let n = 0; n < DIVES && result.wrong === null; n++) {
  if (n % MEASURE_EVERY === 0) depth = deepest();
  try {
    down(Math.max(0, depth - ((n * 13) % 700)), n % 4);
    turn++;
  } catch (error) {
    const { code } = error as { code?: string };
    // A call that was cut after its commit may have freed its block, and thrown all the same.
    if (code === 'ERR_SHMALLOC_INVALID_ADDRESS') live.pop();
    else if (code !== undefined) result.wrong = String(error);
    else result.overflows++;
    const [problem] = result.wrong === null ? heap.verify({ quiet: true }).problems : [];
    if (problem !== undefined) result.wrong = `${problem.invariant}: ${problem.message}`;
  }
}
if (result.wrong === null) {
  for (const { address } of heap.inspect.blocks()) heap.free_ts(address);
  result.left = heap.inspect.blocks().length;
  result.wrong = heap.verify({ quiet: true }).problems[0]?.message ?? null;
}
console.log(JSON.stringify(result));
