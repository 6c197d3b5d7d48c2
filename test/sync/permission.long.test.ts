/**
 * Proves the heap under a permission model that lets only some threads of a process read /proc: a
 * watched death is known to all threads, and a death that is not watched is reported with the true
 * reason.
 */

import { fileURLToPath } from 'node:url';
import test, { type ExecutionContext } from 'ava';
import { ROOT, run } from '../workers.js';

const SCRIPT = fileURLToPath(new URL('./permission.script.js', import.meta.url));
const PERMISSION = process.allowedNodeEnvironmentFlags.has('--permission')
  ? '--permission'
  : '--experimental-permission';
const onLinux = process.platform === 'linux' ? test : test.skip;

interface Played {
  readonly outcome: string | { readonly code: string; readonly message: string };
  /** True if main may read /proc. */
  readonly mayRead: boolean;
  readonly attached: number;
}

/** `free`: the terminated thread may read /proc, the waiting one may not. `same`: neither may. */
type Whose = 'free' | 'same';

async function play(t: ExecutionContext, ...args: [string, string, Whose]): Promise<Played> {
  const { code, stdout, stderr } = await run(process.execPath, [
    PERMISSION,
    `--allow-fs-read=${fileURLToPath(ROOT)}`,
    '--allow-worker',
    '--no-warnings',
    SCRIPT,
    ...args,
  ]);
  t.is(code, 0, stderr);
  const played = JSON.parse(stdout) as Played;
  t.false(played.mayRead);
  return played;
}

for (const [whose, who] of [
  ['free', 'the dead thread could read /proc, and the one that waits cannot'],
  ['same', 'main cannot read /proc, nor could the dead thread'],
] as const) {
  onLinux(`watch: is known to main if ${who}`, async (t) => {
    const { outcome, attached } = await play(t, 'main', 'watched', whose);
    t.is(outcome, 'went on');
    t.is(attached, 1, 'its slot is free again');
  });

  onLinux(`ERR_SHMALLOC_LOCK_TIMEOUT: says why main does not know if ${who}`, async (t) => {
    const { outcome, attached } = await play(t, 'main', 'no', whose);
    t.like(outcome, { code: 'ERR_SHMALLOC_LOCK_TIMEOUT' });
    t.regex((outcome as { message: string }).message, /cannot look: \/proc .*ERR_ACCESS_DENIED/);
    t.is(attached, 2, 'the thread may be alive, as far as main knows');
  });
}

onLinux(
  'watch: is known to a waiting worker that cannot read /proc, as the dead one could',
  async (t) => {
    t.like(await play(t, 'worker', 'watched', 'free'), { outcome: 'done', attached: 1 });
  },
);

onLinux(
  'watch: is known to a waiting worker that can read /proc, as the dead one could not',
  async (t) => {
    t.like(await play(t, 'worker', 'watched', 'same'), { outcome: 'done', attached: 1 });
  },
);
