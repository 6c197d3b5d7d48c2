/**
 * Proves that printed text is written when the call returns: a slow reader gets all of it even if
 * the process exits at once, none of it waits in memory, and a reader that has exited does no harm.
 */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import test from 'ava';

const SCRIPT = fileURLToPath(new URL('./sync-output.script.js', import.meta.url));
const SLOW_MS = 1500;

interface Printed {
  readonly code: number | null;
  readonly lines: string[];
  readonly stderr: string;
}

/** Runs the script with a reader that begins late, or that reads a little and exits. */
async function print(what: string, reader: 'slow' | 'gone'): Promise<Printed> {
  const child = spawn(process.execPath, [SCRIPT, what], { stdio: ['ignore', 'pipe', 'pipe'] });
  let [stdout, stderr] = ['', ''];
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  child.stdout.setEncoding('utf8');
  if (reader === 'gone') child.stdout.once('data', () => child.stdout.destroy());
  else {
    setTimeout(() => {
      child.stdout.on('data', (text: string) => {
        stdout += text;
      });
    }, SLOW_MS);
  }
  const [code] = await once(child, reader === 'gone' ? 'exit' : 'close');
  return { code: code as number | null, lines: stdout.split('\n'), stderr };
}

test('inspect.print blocks: a slow reader gets the whole text, and none of it waits in memory', async (t) => {
  const { code, lines, stderr } = await print('listing', 'slow');
  t.is(code, 7, stderr);
  t.is(lines[0], 'first');
  t.is(lines.length, 1_000_000 + 4);
  t.is(lines.at(-2), 'Total : 16000000 bytes');
  // Making the text leaves about 60 MiB of garbage; if all of it were kept, memory would grow by
  // 290.
  const { grown } = JSON.parse(stderr) as { grown: number };
  t.log(`${(grown / 2 ** 20).toFixed(0)} MiB more in memory, of text ${lines.join('\n').length}`);
  t.true(grown < 130 * 2 ** 20, `${grown} bytes more in memory`);
});

test('inspect.print blocks: a slow reader gets the whole text from a worker that ends at once', async (t) => {
  const { lines, stderr } = await print('worker', 'slow');
  t.is(lines.length, 1_000_000 + 4, stderr);
  t.is(lines.at(-2), 'Total : 16000000 bytes');
});

test('inspect.print history: a slow reader gets the whole text', async (t) => {
  const { code, lines, stderr } = await print('history', 'slow');
  t.is(code, 7, stderr);
  t.is(lines.length, 100_000 + 2);
});

test('inspect.print blocks: a reader that has exited is no error', async (t) => {
  const { code, stderr } = await print('listing', 'gone');
  t.is(code, 7, stderr);
});
