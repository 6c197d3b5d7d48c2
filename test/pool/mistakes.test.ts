/**
 * Proves that the error of a mistake with a pool says what is wrong and what to do, with a code,
 * and that no mistake makes the call or the end of the pool hang.
 */

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { pathToFileURL } from 'node:url';
import { inspect } from 'node:util';
import anyOrder, { type ExecutionContext } from 'ava';
import { HeapError, SharedHeap } from 'shmalloc';
import { HeapPool, type HeapPoolOptions } from 'shmalloc/pool';

const test = anyOrder.serial;
const folder = mkdtempSync(join(tmpdir(), 'shmalloc-pool-'));
const heap = SharedHeap.create({ size: '8MiB' });

test.after.always(() => rmSync(folder, { recursive: true, force: true }));

/** A module of workers with this source text. */
function moduleOf(t: ExecutionContext, text: string, extension = 'mjs'): URL {
  const path = join(folder, `${t.title.replace(/\W+/g, '-').slice(-60)}.${extension}`);
  writeFileSync(path, text);
  return pathToFileURL(path);
}

async function rejectsWith(
  t: ExecutionContext,
  options: HeapPoolOptions,
  code: string,
  message: RegExp,
): Promise<Error> {
  await using pool = new HeapPool(heap, { threads: 1, ...options });
  // All tasks reject, also those that wait for a worker.
  const tasks = await Promise.allSettled([1, 2, 3].map(() => pool.run({})));
  for (const task of tasks) {
    if (task.status === 'fulfilled') t.fail('the task was done');
    else t.is(task.reason.code, code, task.reason.message);
  }
  const last = await t.throwsAsync(pool.run({}), { code, message });
  return last as Error;
}

const WRONG_MODULE = 'ERR_SHMALLOC_WORKER_MODULE';

for (const [what, first, message] of [
  ['a handle in place of a heap', heap.handle, /got a handle: SharedHeap\.attach\(handle\)/],
  ['nothing in place of a heap', undefined, /the first argument must be a heap, .* got undefined/],
  [
    'options in place of a heap',
    { filename: 'x' },
    /first argument must be a heap, .* got an object/,
  ],
  ['a buffer in place of a heap', new SharedArrayBuffer(8), /first argument must be a heap/],
] as const) {
  test(`HeapPool: ${what} is refused`, (t) => {
    const make = () => new HeapPool(first as never, { filename: 'x.js' });
    t.throws(make, { instanceOf: TypeError, code: 'ERR_SHMALLOC_INVALID_OPTION', message });
  });
}

for (const [what, options] of [
  ['no options', undefined],
  ['a path in place of options', './worker.js'],
  ['a URL in place of options', new URL('file:///worker.js')],
] as const) {
  test(`HeapPool: ${what} are refused, and the message has an example`, (t) => {
    t.throws(() => new HeapPool(heap, options as never), {
      instanceOf: TypeError,
      code: 'ERR_SHMALLOC_INVALID_OPTION',
      message: /new HeapPool\(heap, \{ filename: new URL\(/,
    });
  });
}

test('HeapPool: a heap that this thread has detached from is refused', (t) => {
  const gone = SharedHeap.create({ size: '2MiB', threads: 2 });
  gone.detach();
  const make = () => new HeapPool(gone, { filename: 'x.js' });
  t.throws(make, { instanceOf: HeapError, code: 'ERR_SHMALLOC_DETACHED' });
});

test('HeapPool: more workers than the heap has slots are refused, and the default is not more', async (t) => {
  using small = SharedHeap.create({ size: '2MiB', threads: 3 });
  const filename = moduleOf(t, 'export default (task) => task');
  for (const [name, count] of [
    ['threads', 3],
    ['minThreads', 3],
    ['maxThreads', 300],
  ] as const) {
    const make = () => new HeapPool(small, { filename, [name]: count });
    t.throws(make, {
      instanceOf: RangeError,
      code: 'ERR_SHMALLOC_INVALID_OPTION',
      message: new RegExp(`${name} must be 2 at most, got ${count}: the heap has 3 slots`),
    });
  }
  await using pool = new HeapPool(small, { filename, threads: 2 });
  t.deepEqual(await Promise.all([1, 2, 3, 4].map((task) => pool.run(task))), [1, 2, 3, 4]);
  using alone = SharedHeap.create({ size: '2MiB', threads: 1 });
  t.throws(() => new HeapPool(alone, { filename }), {
    instanceOf: HeapError,
    code: 'ERR_SHMALLOC_NO_SLOT',
    message: /no worker can attach: the heap has 1 slot/,
  });
  using pair = SharedHeap.create({ size: '2MiB', threads: 2 });
  await using usual = new HeapPool(pair, { filename });
  t.is(await usual.run(5), 5);
  t.is(usual.stats().threads, 1);
});

test('HeapPool: workerData that cannot be cloned is refused, with a code', (t) => {
  const make = (workerData: Record<string, unknown>) =>
    new HeapPool(heap, { filename: 'x.js', workerData });
  const code = 'ERR_SHMALLOC_NOT_CLONEABLE';
  t.throws(() => make({ f: () => 5 }), { code, message: /workerData cannot go .*=> 5/ });
  t.throws(() => make({ other: heap }), { code, message: /a SharedHeap stays in its thread/ });
});

test('HeapPool.run: the error of a missing module says where it was looked for', async (t) => {
  const filename = pathToFileURL(join(folder, 'nowhere.mjs'));
  const error = await rejectsWith(t, { filename }, WRONG_MODULE, /nowhere\.mjs does not exist/);
  t.is((error.cause as { code?: string }).code, 'ERR_MODULE_NOT_FOUND');
  t.true(error.message.includes(process.cwd()));
});

test('HeapPool.run: the error of a module with a missing import says so', async (t) => {
  const filename = moduleOf(t, "import './no-such-thing.mjs'; export default () => 1;");
  await rejectsWith(t, { filename }, WRONG_MODULE, /cannot be loaded: Error: .*no-such-thing/);
});

test('HeapPool.run: a relative path starts at the working directory; .js may be left out', async (t) => {
  const url = moduleOf(t, 'module.exports = (task) => [task];', 'js');
  const path = relative(process.cwd(), url.pathname);
  for (const filename of [path, path.replace(/\.js$/, ''), url.pathname, url.href]) {
    await using pool = new HeapPool(heap, { filename, threads: 1 });
    t.deepEqual(await pool.run(5), [5], filename);
  }
});

test('HeapPool.run: CommonJS and promised exports are found, as in piscina', async (t) => {
  const text = `
    Object.defineProperty(exports, '__esModule', { value: true });
    exports.default = (task) => ['default', task];
    exports.other = Promise.resolve((task) => ['other', task]);`;
  const filename = moduleOf(t, text, 'cjs');
  await using pool = new HeapPool(heap, { filename, threads: 1 });
  t.deepEqual(await pool.run(5), ['default', 5]);
  t.deepEqual(await pool.run(5, { name: 'other' }), ['other', 5]);
});

test('HeapPool.run: the error of a module without a default export lists its exports', async (t) => {
  const filename = moduleOf(t, 'export function f() {} export const g = 5;');
  await rejectsWith(t, { filename }, WRONG_MODULE, /no default export .*exports f, g.*name/);
  await rejectsWith(t, { filename, name: 'g' }, WRONG_MODULE, /no export 'g' that is a function/);
  const text = 'export default () => 5; export const g = 5;';
  const both = moduleOf(t, text, 'both.mjs');
  await rejectsWith(
    t,
    { filename: both, name: 'nope' },
    WRONG_MODULE,
    /'nope' .*exports default, g/,
  );
  await using pool = new HeapPool(heap, { filename, name: 'f', threads: 1 });
  t.is(await pool.run({}), undefined);
});

test('HeapPool.run: the error of a module that cannot be parsed names the module', async (t) => {
  const filename = moduleOf(t, 'export default (');
  const error = await rejectsWith(
    t,
    { filename },
    WRONG_MODULE,
    /\.mjs cannot be loaded: SyntaxError/,
  );
  t.true(error.cause instanceof SyntaxError);
});

test('HeapPool.run: the error of a module that throws while it is loaded is the cause', async (t) => {
  const text = "throw Object.assign(new RangeError('not today'), { code: 'E_TODAY' })";
  const filename = moduleOf(t, text);
  const error = await rejectsWith(t, { filename }, WRONG_MODULE, /RangeError: not today/);
  t.true(error.cause instanceof RangeError);
  t.is((error.cause as { code?: string }).code, 'E_TODAY');
});

test('HeapPool.run: every task rejects if the module ends its worker while it is loaded', async (t) => {
  const filename = moduleOf(t, 'process.exit(3)');
  const code = 'ERR_SHMALLOC_WORKER_ENDED';
  await rejectsWith(t, { filename }, code, /its workers end while they load .*process\.exit/);
});

test('HeapPool.run: no waiting task is lost if a worker ends while another one is loaded', async (t) => {
  const text = `import { setTimeout } from 'node:timers/promises'; await setTimeout(50);
    export default async (what) => { if (what === 'exit') process.exit(); if (what === 'wait') await new Promise(() => {}); return what; }`;
  const filename = moduleOf(t, text);
  await using pool = new HeapPool(heap, { filename, threads: 1 });
  // Ends a worker that is not ready: piscina replaces none of the workers that end later.
  for (let n = 0; n < 3; n++) {
    const stop = new AbortController();
    const stuck = pool.run('wait', { signal: stop.signal });
    stop.abort();
    await t.throwsAsync(stuck, { name: 'AbortError' });
  }
  const tasks = ['exit', 'a', 'b'].map((what) => pool.run(what));
  await t.throwsAsync(tasks[0] as Promise<unknown>, { code: 'ERR_SHMALLOC_WORKER_ENDED' });
  t.deepEqual(await Promise.all(tasks.slice(1)), ['a', 'b']);
});

test('HeapPool.destroy: afterwards run rejects, and so do undone tasks; a second call is allowed', async (t) => {
  const filename = moduleOf(t, 'export default (task) => task');
  const pool = new HeapPool(heap, { filename, threads: 1 });
  const code = 'ERR_SHMALLOC_POOL_ENDED';
  const early = Promise.allSettled([pool.run(1), pool.run(2)]);
  const ends = [pool.destroy(), pool.destroy()];
  await t.throwsAsync(pool.run(3), { instanceOf: HeapError, code });
  for (const one of await early) t.like(one, { status: 'rejected' });
  for (const one of await early) t.is((one as PromiseRejectedResult).reason.code, code);
  await Promise.all([...ends, pool.destroy()]);
  await t.throwsAsync(pool.run(3), { code, message: /destroy\(\) was called/ });
  t.is(pool.stats().threads, 0);
});

test('HeapPool.destroy: ends a pool whose workers never load, and one of a detached heap', async (t) => {
  const filename = moduleOf(t, 'await new Promise((resolve) => setInterval(resolve, 2 ** 30));');
  const gone = SharedHeap.create({ size: '2MiB', threads: 4 });
  const pool = new HeapPool(gone, { filename, threads: 2 });
  const waiting = [1, 2, 3].map((task) => pool.run(task));
  const stop = new AbortController();
  const aborted = pool.run(4, { signal: stop.signal });
  stop.abort();
  await t.throwsAsync(aborted, { name: 'AbortError' });
  gone.detach();
  await pool.destroy();
  for (const task of waiting) await t.throwsAsync(task, { code: 'ERR_SHMALLOC_POOL_ENDED' });
});

test('HeapPool: console.log and JSON.stringify show one line and a few figures', async (t) => {
  const filename = moduleOf(t, 'export default (task) => task');
  const pool = new HeapPool(heap, { filename, threads: 1 });
  await pool.run(1);
  const path = filename.pathname;
  const line = `HeapPool of ${path}: 1 worker, 1 task done, 0 wait`;
  t.is(inspect(pool), line);
  t.is(String(pool), line);
  const json = { filename: path, threads: 1, completed: 1, queued: 0 };
  t.deepEqual(JSON.parse(JSON.stringify({ pool })), { pool: json });
  await pool.destroy();
  t.is(inspect(pool), `HeapPool of ${path}: 0 workers, 1 task done, 0 wait, destroyed`);
});
