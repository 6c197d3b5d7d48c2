/**
 * Proves the heap without /proc, as on systems other than Linux: threads are named by their
 * numbers; watched workers and those of a pool are recovered when they end; and if main cannot know
 * that a thread is dead, it gives up in time, with nothing half done.
 *
 * Each scenario is a process of its own, in which /proc is hidden before anything is loaded.
 */

import { fileURLToPath } from 'node:url';
import test, { type ExecutionContext } from 'ava';
import { run } from '../workers.js';

const SCRIPT = fileURLToPath(new URL('./no-proc.script.js', import.meta.url));

/** Modules that hide /proc; loaded first in main and in every worker. */
const HIDE = {
  'a node without such a module': `
    const get = process.getBuiltinModule;
    process.getBuiltinModule = (id) => (id === 'node:fs' ? undefined : get(id));`,
  'a system without such a file': `
    import fs from 'node:fs';
    fs.readlinkSync = () => { throw Object.assign(new Error('hidden'), { code: 'ENOENT' }); };`,
};
type Hide = keyof typeof HIDE;

/** Maximum milliseconds until a thread that can go on has gone on; the machine may be busy. */
const LOCK_TIMEOUT_MS = 300;
const LATE_MS = 5000;

async function play<T>(
  t: ExecutionContext,
  scenario: string,
  hide: Hide = 'a node without such a module',
): Promise<T> {
  const preload = `data:text/javascript,${encodeURIComponent(HIDE[hide])}`;
  const { code, stdout, stderr } = await run(process.execPath, [
    '--import',
    preload,
    SCRIPT,
    scenario,
  ]);
  t.is(code, 0, stderr);
  t.is(stderr, '');
  return JSON.parse(stdout) as T;
}

const NOTHING = { slots: 0, locks: 0, blocks: 0, runs: 0, contexts: 0 };
/** The state of a heap when all threads but main have ended and were recovered. */
const QUIET = { held: [], problems: [], attached: 1 };

for (const hide of Object.keys(HIDE) as Hide[]) {
  test(`without /proc (${hide}): threads are named by numbers, and everything works`, async (t) => {
    t.deepEqual(await play(t, 'words', hide), {
      names: { main: true, worker: true },
      recovered: NOTHING,
      said: 'done',
      ...QUIET,
      recoveries: 1,
    });
  });
}

test('watch: a worker terminated with a lock is recovered, and waiters go on', async (t) => {
  t.deepEqual(await play(t, 'watch'), {
    parked: 'parked',
    heldBefore: 1,
    said: ['done', 'done'],
    ...QUIET,
    recoveries: 1,
  });
});

test('HeapPool: a worker whose task is aborted while it owns a lock is recovered', async (t) => {
  const { recoveries, ...rest } = await play<{ recoveries: number }>(t, 'pool');
  t.deepEqual(rest as object, {
    heldBefore: 1,
    aborted: 'AbortError',
    said: ['done', 'done'],
    ...QUIET,
  });
  t.true(recoveries >= 2, 'this one, and when the pool ended those who had worked in the heap');
});

interface Attempt {
  readonly code?: string;
  readonly ms: number;
}

function assertGaveUp(t: ExecutionContext, { code, ms }: Attempt, what: string): void {
  t.is(code, 'ERR_SHMALLOC_LOCK_TIMEOUT', what);
  t.true(ms >= LOCK_TIMEOUT_MS - 1 && ms < LOCK_TIMEOUT_MS + LATE_MS, `${what}: ${ms} ms`);
}

test('ERR_SHMALLOC_LOCK_TIMEOUT: each call in main, for each lock, leaves nothing half done', async (t) => {
  interface Tried extends Attempt {
    readonly call: string;
    readonly held: number;
    readonly kept: boolean;
    readonly problems: object[];
  }
  const { attempts, whole } = await play<{ attempts: Tried[]; whole: boolean }>(t, 'timeout');
  t.is(attempts.length, 14);
  for (const { call, held, kept, problems, ...outcome } of attempts) {
    assertGaveUp(t, outcome, call);
    t.is(held, 1, `${call}: only the lock that was stuck is held`);
    t.true(kept, `${call}: the same blocks are live`);
    t.deepEqual(problems, [], call);
  }
  t.true(whole, 'and have the same contents');
});

test('ERR_SHMALLOC_LOCK_TIMEOUT: free_ts frees over the sentinel, then is refused', async (t) => {
  interface Freed extends Attempt {
    readonly live: boolean;
  }
  const { attempts, live, ...state } = await play<{ attempts: Freed[]; live: number }>(t, 'full');
  const [over, refused] = attempts as [Freed, Freed];
  t.is(over.code, undefined, 'the flush that follows may wait as long as it likes');
  t.false(over.live);
  assertGaveUp(t, refused, 'the next');
  t.true(refused.live, 'nothing was freed');
  t.is(live, 0, 'all of it can be freed later');
  t.like(state, { held: [], problems: [] });
});

test('ERR_SHMALLOC_LOCK_TIMEOUT: attach, behind a dead rescuer, only where all slots are taken', async (t) => {
  const { withRoom, mine, problems, held, ...outcome } = await play<
    Attempt & { withRoom: Attempt; mine: number; problems: object[]; held: string[] }
  >(t, 'attach');
  t.is(withRoom.code, undefined, 'it needs no lock');
  assertGaveUp(t, outcome, 'attach');
  t.is(mine, 0, 'it has claimed no slot');
  t.deepEqual(problems, []);
  t.deepEqual(held, []);
});

test('objectLocks: a watched owner is taken over, by a waiter and by a later thread', async (t) => {
  t.deepEqual(await play(t, 'object'), {
    outcomes: ['taken over', 'clean', 'taken over', 'clean'],
    ...QUIET,
    recoveries: 1,
  });
});

test('ERR_SHMALLOC_LOCK_TIMEOUT: objectLocks, until the death of the owner is reported', async (t) => {
  const { alive, dead, ...rest } = await play<{ alive: Attempt; dead: Attempt }>(
    t,
    'objectTimeout',
  );
  assertGaveUp(t, alive, 'the owner lives');
  assertGaveUp(t, dead, 'the owner is dead');
  t.deepEqual(rest as object, {
    kept: true,
    outcomes: ['taken over', 'clean'],
    ...QUIET,
    recoveries: 1,
  });
});

test('lockTimeoutMs: a worker waits longer, and goes on when the lock is free', async (t) => {
  t.like(await play(t, 'patience'), { meanwhile: 'waits', said: 'done', held: [], problems: [] });
});
