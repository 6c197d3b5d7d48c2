/**
 * Proves that real threads can be terminated at every named point: a worker parks there and is
 * terminated, and a survivor goes on in the same heap. The test's report has the table of points
 * and outcomes.
 *
 * It shows what the simulation (deaths.test.ts) cannot: the system's thread ids, /proc, waits, and
 * the state that terminate() leaves.
 */

import { Worker } from 'node:worker_threads';
import test from 'ava';
import { type Address, SharedHeap } from 'shmalloc';
import * as DebugRecord from '../../src/layout/debug-record.js';
import * as layout from '../../src/layout/index.js';
import * as LockTable from '../../src/layout/lock-table.js';
import { ended, nextMessage } from '../workers.js';
import { type Instrumented, instrument } from './instrument.js';
import { type KillOrder, type Part, RECORDS_HELD } from './kill.parts.js';
import { heldLocks, type Library } from './simulation.js';

/** A victim's work. A rescue needs a thread that died before, in this part, at this point. */
interface Role {
  readonly part: Part;
  readonly corpse?: { readonly part: Part; readonly point: string; readonly passage?: number };
  /** True for an instrumented heap. */
  readonly debug?: true;
}

const ROLES: readonly Role[] = [
  { part: 'tour' },
  { part: 'reserve' },
  { part: 'rescue', corpse: { part: 'tour', point: 'flush.count' } },
  { part: 'rescue', corpse: { part: 'tour', point: 'refill.count' } },
  { part: 'rescue', corpse: { part: 'tour', point: 'large.commit' } },
  { part: 'rescue', corpse: { part: 'reserve', point: 'brk.brk', passage: 2 } },
  { part: 'records', debug: true },
  {
    part: 'rescue',
    corpse: { part: 'records', point: 'debug.live', passage: RECORDS_HELD + 1 },
    debug: true,
  },
  { part: 'contexts' },
  { part: 'vectors' },
  { part: 'rescue', corpse: { part: 'contexts', point: 'place.entry' } },
  { part: 'rescue', corpse: { part: 'contexts', point: 'large.reserve' } },
];

/** Points that these roles do not pass, with the reason. */
const ELSEWHERE: Readonly<Record<string, string>> = {
  'lock.accept': 'takes a lock that a dead thread was handing over: sync/dead-owner.test.ts',
  'name.drop': 'takes a table full of the dead: names.test.ts, names.pml',
};

/**
 * Points that a part passes more or less often, as time goes: it fills its heap, and looks for dead
 * threads no more often than every few milliseconds (pages/looks.ts).
 */
const TIMED: Readonly<Record<string, Part>> = { 'recover.look': 'tour' };

const BYTES = 8 * 1024 * 1024;
const DIMENSIONS = { base: 0, bytes: BYTES, threads: 4 };
/** A heap that holds back all that a thread frees. */
const DEBUG = { guard: 16, scribble: true, strict: true, quarantine: BYTES } as const;

/**
 * Maximum milliseconds from a thread's end until a survivor has gone on; the machine may be busy.
 */
const RESCUE_MS_MAX = 250;

let copy: Instrumented;
test.before(() => {
  copy = instrument();
});
test.after.always(() => copy?.remove());

function start(heap: SharedHeap, order: Pick<KillOrder, 'part' | 'point' | 'passage'>): Worker {
  const workerData: KillOrder = {
    library: new URL('index.js', copy.url).href,
    handle: heap.handle,
    ...order,
  };
  return new Worker(new URL('./kill.worker.js', import.meta.url), { workerData });
}

/** Runs a thread until it parks at its point, and terminates it there. */
async function kill(heap: SharedHeap, part: Part, point: string, passage: number): Promise<void> {
  const worker = start(heap, { part, point, passage });
  const message = await nextMessage(worker);
  const end = ended(worker);
  await worker.terminate();
  await end;
  if (message !== 'parked') throw new Error(`${part} never came to ${point} (${passage})`);
}

async function makeHeap({ corpse, debug }: Role): Promise<SharedHeap> {
  const heap = SharedHeap.create({ size: BYTES, threads: 4, ...(debug && { debug: DEBUG }) });
  if (corpse !== undefined) await kill(heap, corpse.part, corpse.point, corpse.passage ?? 1);
  return heap;
}

/** The heap's debug settings. */
function settingsOf({ u32 }: SharedHeap): layout.DebugSettings {
  return DebugRecord.read(u32, layout.computeGeometry(DIMENSIONS).debug);
}

/** How often a role passes each point. */
async function count(role: Role): Promise<Map<string, number>> {
  const heap = await makeHeap(role);
  const worker = start(heap, { part: role.part, point: '', passage: 0 });
  const end = ended(worker);
  const passages = await nextMessage<Map<string, number>>(worker);
  await end;
  heap.detach();
  return passages;
}

interface Outcome {
  readonly held: string;
  readonly ms: number;
  readonly recovered: number;
  readonly problems: readonly string[];
}

/** A thread dies at a point; another goes on. */
async function outcomeOf(role: Role, point: string, passage: number): Promise<Outcome> {
  const first = await makeHeap(role);
  await kill(first, role.part, point, passage);
  const held = heldLocks(
    { layout: { LockTable } } as unknown as Library,
    {
      i32: first.i32,
      geometry: layout.computeGeometry({
        ...DIMENSIONS,
        ...(role.debug && { debug: settingsOf(first) }),
      }),
    } as layout.HeapMemory,
  );
  const started = performance.now();
  const heap = SharedHeap.attach(first.handle);
  for (const size of [48, 16 * 1024, 90 * 1024, 200 * 1024]) {
    const block = heap.malloc_ts(size);
    if (block !== (0 as Address)) heap.free_ts(block);
  }
  const ms = performance.now() - started;
  heap.recover();
  const { problems } = heap.verify({ quiet: true });
  const recovered = heap.stats().recovery.recoveries;
  heap.detach();
  const locks = held.map((text) => text.replace(/:.*/, '').replace('lock ', '')).join(' ');
  return {
    held: locks,
    ms,
    recovered,
    problems: problems.map((p) => `${p.invariant} ${p.message}`),
  };
}

test('terminate: at every kill point survivors go on, and nothing is lost', async (t) => {
  t.timeout(300_000);
  const counts: Map<string, number>[] = [];
  for (const role of ROLES) counts.push(await count(role));

  const rows: string[] = [];
  const failures: string[] = [];
  let worst = 0;
  for (const point of copy.names) {
    const n = counts.findIndex(
      (passages, at) => passages.has(point) && TIMED[point] !== ROLES[at]?.part,
    );
    const role = ROLES[n];
    if (role === undefined) {
      if (point in ELSEWHERE) continue;
      failures.push(`${point}: no role comes there`);
      continue;
    }
    const passages = counts[n]?.get(point) as number;
    for (const passage of new Set([1, Math.ceil(passages / 2)])) {
      const { held, ms, recovered, problems } = await outcomeOf(role, point, passage);
      worst = Math.max(worst, ms);
      // A thread without a slot leaves nothing. Its first lock is the one under which it gets one.
      const isFirst = passage === 1 && point === 'lock.take';
      const slotless = isFirst || /^(attach\.claim|name\.\w+)$/.test(point);
      const ok = problems.length === 0 && (recovered > 0 || slotless);
      const who = role.corpse === undefined ? role.part : `${role.part} after ${role.corpse.point}`;
      const outcome = ok ? 'whole' : `BROKEN ${problems[0] ?? 'nothing recovered'}`;
      const cells = [point.padEnd(17), `passage ${passage}`.padEnd(12), who.padEnd(26)];
      rows.push(
        `${cells.join('')}locks held: ${held.padEnd(8)} ${ms.toFixed(1).padStart(6)} ms  ${outcome}`,
      );
      if (!ok) failures.push(rows.at(-1) as string);
    }
  }
  for (const row of rows) t.log(row);
  t.log(
    `${rows.length} deaths at ${copy.names.length} points, slowest rescue ${worst.toFixed(1)} ms`,
  );
  t.deepEqual(failures, []);
  t.true(worst < RESCUE_MS_MAX, `${worst} ms`);
});
