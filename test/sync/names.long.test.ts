/**
 * Proves that a look into /proc that fails is no death of a thread, and that later replacements of globals
 * change no look: each in a process of its own.
 */

import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import test from 'ava';

const onLinux = process.platform === 'linux' ? test : test.skip;

const script = (name: string, ...given: string[]): unknown =>
  JSON.parse(
    execFileSync(
      process.execPath,
      [fileURLToPath(new URL(`./${name}.script.js`, import.meta.url)), ...given],
      { encoding: 'utf8', timeout: 120_000, stdio: ['ignore', 'pipe', 'inherit'] },
    ),
  );

const WHYS = {
  EMFILE: /stat cannot be read \(EMFILE\)/,
  EACCES: /stat cannot be read \(EACCES\)/,
  ERR_ACCESS_DENIED: /stat cannot be read \(ERR_ACCESS_DENIED\)/,
  ENOENT: /this thread does not find itself in \/proc any more/,
};

for (const [code, why] of Object.entries(WHYS)) {
  onLinux(
    `lockTimeoutMs: a look that fails with ${code} is no death; the wait is one timeout, with the reason`,
    (t) => {
      const { attempts, watched } = script('failing-look', code) as {
        attempts: { what: string; code: string; message: string; looks: number }[];
        watched: string;
      };
      t.is(attempts.length, 3);
      for (const { what, looks, ...error } of attempts) {
        t.is(error.code, 'ERR_SHMALLOC_LOCK_TIMEOUT', what);
        t.regex(error.message, why, what);
        // 300 ms in sleeps of 5 ms: twice as many if it waits twice.
        t.true(looks > 0 && looks <= 62, `${what}: ${looks} looks`);
      }
      t.is(watched, 'went on', 'a reported end counts all the same');
    },
  );
}

test('globals: a later replacement changes no wait, no verdict and no text', (t) => {
  t.deepEqual(script('doubles'), {
    ownerDeaths: 1,
    recoveries: 1,
    problems: [],
    sameStack: true,
    sameLimit: true,
    times: true,
  });
});
