/**
 * Proves that printed text is written when the call returns: a slow reader gets all of it even if
 * the process exits at once, none of it waits in memory, and a reader that has exited does no harm.
 */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import test from 'ava';
import { type PrintOptions, SharedHeap } from 'shmalloc';

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

test('inspect.print: a write option that is not a function is refused', (t) => {
  using heap = SharedHeap.create({ size: '4MiB', threads: 1, debug: { history: 10 } });
  for (const what of ['blocks', 'contents', 'leaks', 'history', 'contexts', 'stats'] as const) {
    const known = what === 'history' ? "'write', 'address', 'thread' and 'last'" : "'write'";
    for (const [options, message] of [
      [{ write: 'x' }, "inspect.print: write must be a function that gets the text, got 'x'"],
      [{ wirte: () => 0 }, "inspect.print: there is no option 'wirte'; the nearest is 'write'"],
      [() => 0, `inspect.print: options are an object with ${known}, got a function`],
    ] as const) {
      t.throws(() => heap.inspect.print(what, options as unknown as PrintOptions), {
        instanceOf: TypeError,
        code: 'ERR_SHMALLOC_INVALID_OPTION',
        message,
      });
    }
  }
});

test('inspect.print: what there is not is refused, with what there is', (t) => {
  using heap = SharedHeap.create({ size: '4MiB', threads: 1 });
  for (const what of ['block', 5, undefined, null]) {
    t.throws(() => heap.inspect.print(what as never), {
      instanceOf: TypeError,
      code: 'ERR_SHMALLOC_INVALID_OPTION',
      message: /^inspect\.print: what is printed must be 'blocks', 'contents', .*, got /,
    });
  }
});

test('inspect.print: each text is that of the heap it is asked of', (t) => {
  using heap = SharedHeap.create({ size: '4MiB', threads: 1 });
  heap.malloc_ts(100);
  const texts = (['blocks', 'contents', 'leaks', 'contexts', 'stats'] as const).map((what) => {
    let text = '';
    heap.inspect.print(what, { write: (piece) => (text += piece) });
    return text.split('\n').slice(0, 2).join(' ');
  });
  const patterns = [
    /^TINY : 0x/,
    /^TINY : 0x/,
    /^HEAP SUMMARY: in use at exit: 112 bytes/,
    /grand total/i,
    /4 MiB/,
  ];
  for (const [n, pattern] of patterns.entries()) t.regex(texts[n] ?? '', pattern);
});
