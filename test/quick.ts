/**
 * `npm test`: runs ava once for each group of tests in together/ and for each file that must be alone,
 * several at a time. By itself ava runs one process at a time where the tests of a process must be serial.
 *
 *     node dist/test/quick.js [--match TITLE]
 *
 * What each process has printed stands together; those that failed come last.
 */

import { spawn } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import { filesOf } from './test-files.js';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const AVA = 'node_modules/ava/entrypoints/cli.mjs';
const CONFIG = 'ava.quick.config.js';
/** One more than there are cores: a test that waits for a thread leaves its core to another. */
const PROCESSES = Math.min(availableParallelism(), 4) + 1;
const NO_SUCH_TITLE = 'find any matching tests';
/** What takes longest begins first, so that nothing waits for it at the end. */
const LONGEST = ['pool', 'api', 'sync', 'show', 'contexts'];

interface Outcome {
  readonly code: number | null;
  readonly text: string;
}

function run(file: string): Promise<Outcome> {
  const args = [AVA, '--config', CONFIG, ...process.argv.slice(2), file];
  const child = spawn(process.execPath, args, { cwd: ROOT, stdio: ['ignore', 'pipe', 'pipe'] });
  const parts: string[] = [];
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (part: string) => parts.push(part));
  }
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code) => resolve({ code, text: parts.join('') }));
  });
}

const rank = (file: string): number => {
  const place = LONGEST.findIndex((name) => file.endsWith(`together/${name}.test.js`));
  return place < 0 ? LONGEST.length : place;
};

const waiting = (await filesOf(CONFIG)).sort((a, b) => rank(a) - rank(b));
const failed: Outcome[] = [];
let passed = 0;

async function work(): Promise<void> {
  for (let file = waiting.shift(); file !== undefined; file = waiting.shift()) {
    const outcome = await run(file);
    // A group may have no test of the title that is asked for.
    if (outcome.text.includes(NO_SUCH_TITLE)) continue;
    passed += Number(/(\d+) tests? passed/.exec(outcome.text)?.[1] ?? 0);
    if (outcome.code === 0) process.stdout.write(outcome.text);
    else failed.push(outcome);
  }
}

await Promise.all(Array.from({ length: PROCESSES }, work));
for (const { text } of failed) process.stdout.write(text);
console.log(`\n  npm test: ${passed} tests passed, ${failed.length} processes failed`);
process.exitCode = failed.length === 0 && passed > 0 ? 0 : 1;
