/**
 * Proves what commands do if their output cannot be written: exit code 2 and a line with the reason
 * for a full disk, nothing for a reader that has exited.
 */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, existsSync, openSync } from 'node:fs';
import test from 'ava';
import { TraceFolder } from '../trace/make-trace.js';
import { COMMAND, shmalloc } from '../workers.js';

const cat = new URL('../../../bench/traces/cat.mtr.gz', import.meta.url).pathname;
const COMMANDS = [
  ['replay', cat],
  ['replay', cat, '--json'],
  ['replay', cat, '--show'],
  ['replay', '--help'],
  ['stress', '--kills', '1', '--threads', '1'],
  ['help'],
  ['version'],
];

const onLinux = existsSync('/dev/full') ? test : test.skip;

for (const args of COMMANDS) {
  const shown = args.join(' ').replace(cat, 'TRACE');
  onLinux(`shmalloc ${shown}: to a full disk is exit code 2`, async (t) => {
    const full = openSync('/dev/full', 'w');
    const child = spawn(process.execPath, [COMMAND, ...args], { stdio: ['ignore', full, 'pipe'] });
    closeSync(full);
    let stderr = '';
    child.stderr?.on('data', (piece) => {
      stderr += piece;
    });
    const [code] = await once(child, 'close');
    t.is(code, 2, stderr);
    t.regex(stderr, /^shmalloc: cannot write to stdout: ENOSPC/m);
    t.notRegex(stderr, /\n\s+at /);
  });
}

test('shmalloc: a reader that has exited, of results or of remarks, changes nothing', async (t) => {
  for (const gone of ['stdout', 'stderr'] as const) {
    const child = spawn(process.execPath, [COMMAND, 'replay', cat], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let rest = '';
    child[gone === 'stdout' ? 'stderr' : 'stdout'].on('data', (piece) => {
      rest += piece;
    });
    child[gone].destroy();
    const [code] = await once(child, 'close');
    t.is(code, 0, rest);
    t.notRegex(rest, /EPIPE/);
  }
});

test('shmalloc: the name of a file cannot send control characters to the terminal', async (t) => {
  const path = new TraceFolder(t).write('a\u001b[2Jb.mtr.gz', Buffer.from('no trace'));
  const { stderr, code } = await shmalloc('replay', path);
  t.is(code, 2);
  t.regex(stderr, /a\\u001b\[2Jb\.mtr\.gz/);
  t.is(stderr.trim().split('\n').length, 1);
});
