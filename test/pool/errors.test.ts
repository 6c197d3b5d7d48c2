/**
 * Proves that an error of a task reaches the caller of HeapPool.run unchanged: class, name, code,
 * properties, cause and stack; and that the end of a worker rejects with what happened.
 */

import { types } from 'node:util';
import anyOrder from 'ava';
import { HeapError, HeapExhaustedError, InvalidAddressError, SharedHeap } from 'shmalloc';
import { HeapPool } from 'shmalloc/pool';

const filename = new URL('./thrower.worker.js', import.meta.url);
const heap = SharedHeap.create({ size: '8MiB' });
const pool = new HeapPool(heap, {
  filename,
  threads: 1,
  resourceLimits: { maxOldGenerationSizeMb: 40 },
});
const test = anyOrder.serial;

test.after.always(async () => {
  await pool.destroy();
  heap.detach();
});

/** The value that run() rejects with. */
async function rejection(what: string): Promise<unknown> {
  try {
    await pool.run(what);
  } catch (error) {
    return error;
  }
  throw new Error('it did not reject');
}

/** The value as an error with any properties. */
async function failure(what: string): Promise<Error & Record<string, unknown>> {
  const error = await rejection(what);
  if (!types.isNativeError(error)) throw new Error(`no error: ${String(error)}`);
  return error as Error & Record<string, unknown>;
}

test('HeapPool.run: errors of this package keep class, code and reason', async (t) => {
  const invalid = await failure('invalid-address');
  t.true(invalid instanceof InvalidAddressError);
  t.like(invalid, {
    name: 'InvalidAddressError',
    code: 'ERR_SHMALLOC_INVALID_ADDRESS',
    reason: 'metadata',
    address: 3,
  });
  t.regex(invalid.message, /^cannot free 0x3: /);
  const full = await failure('exhausted');
  t.true(full instanceof HeapExhaustedError);
  t.like(full, { code: 'ERR_SHMALLOC_HEAP_EXHAUSTED', bytes: 1e9 });
  const option = await failure('option');
  t.true(option instanceof TypeError);
  t.is(option.code, 'ERR_SHMALLOC_INVALID_OPTION');
});

test("HeapPool.run: an error has the worker's stack", async (t) => {
  const { stack } = await failure('quota');
  t.regex(stack ?? '', /too much\n +at .*thrower\.worker/);
  t.is((await failure('no-stack')).stack, undefined);
});

test('HeapPool.run: errors of other classes keep name, code, own properties and the known class above', async (t) => {
  const quota = await failure('quota');
  t.true(quota instanceof RangeError);
  t.like(quota, { name: 'RangeError', code: 'E_QUOTA', message: 'too much' });
  t.deepEqual(quota.limit, { bytes: 10, at: new Date(0) });
  t.deepEqual(Object.keys(quota), ['code', 'limit']);
  const named = await failure('named');
  t.is(named.name, 'NamedError');
  t.deepEqual(Object.keys(named), []);
  t.is((await failure('frozen')).code, 'E_FROZEN');
});

test('HeapPool.run: cause, errors of an AggregateError and errors in properties arrive complete', async (t) => {
  const outer = await failure('cause');
  t.true(outer.cause instanceof TypeError);
  t.like(outer.cause, { message: 'inner', code: 'E_INNER' });
  t.false(Object.keys(outer).includes('cause'));
  const own = await failure('own-cause');
  t.is(own.cause, own);
  const several = await failure('aggregate');
  t.true(several instanceof AggregateError);
  const [first, ...others] = (several as unknown as AggregateError).errors;
  t.like(first, { message: 'a', code: 'E_A' });
  t.deepEqual(others, ['b', 5]);
  const { details } = (await failure('nested')) as never as { details: { list: Error[] } };
  t.true(details.list[0] instanceof Error);
  t.like(details.list[0], { message: 'deep', code: 'E_DEEP' });
});

test('HeapPool.run: of deeply nested errors the outer ones arrive, with a note', async (t) => {
  const chain = await failure('deep-causes');
  t.is(chain.message, 'link 5000');
  let links = 0;
  let last: unknown = chain;
  for (; types.isNativeError(last); last = last.cause) links++;
  t.true(links > 50 && links < 100, `${links}`);
  t.regex(String(last), /left out, because it is more than 64 errors .*deep/);
  const several = (await failure('deep-members')) as unknown as AggregateError;
  t.true(several instanceof AggregateError);
  t.is(several.message, 'link 5000');
  t.is(several.errors[0].message, 'link 4999');
  t.is(several.errors[1], 5000);
  const cycle = (await failure('cyclic-causes')) as never as { cause: { cause: AggregateError } };
  t.is(cycle.cause.cause.errors[0], cycle);
});

test('HeapPool.run: a value nested too deep for the receiving thread rejects, and no task waits for ever', async (t) => {
  t.like(await failure('deep-details'), { message: 'with a list', code: 'E_LIST' });
  const lists = ['list', 'list-in-array', 'list-behind-others', 'list-in-map', 'list-moved'];
  for (const what of [...lists, 'list-in-error', 'causes', 'many-causes', 'getters']) {
    const error = await failure(`result-${what}`);
    t.is(error.code, 'ERR_SHMALLOC_NOT_CLONEABLE', what);
    t.regex(error.message, /result of the task .* more than 1000 objects are nested/);
  }
  let list: object = {};
  let error = new Error('innermost');
  let getters: object = {};
  for (let n = 0; n < 40_000; n++) {
    list = { list };
    error = new Error('outer', { cause: error });
    const inner = getters;
    getters = Object.defineProperty({}, 'inner', { enumerable: true, get: () => inner });
  }
  for (const task of [list, error, getters]) {
    const message = /^HeapPool: the task cannot go to another thread/;
    await t.throwsAsync(pool.run(task), { code: 'ERR_SHMALLOC_NOT_CLONEABLE', message });
  }
  t.is(await pool.run('ok'), 'ok');
});

test('HeapPool.run: errors and objects nested in turn arrive as far as they can be read', async (t) => {
  const error = await failure('turns');
  t.is(error.message, 'link 2000');
  t.like(error.cause, { inner: { message: 'link 1999' } });
  t.is(await pool.run('ok'), 'ok');
});

test('HeapPool.run: a value nested too deep and thrown outside of a task ends only its worker', async (t) => {
  const chain = await failure('later-deep-causes');
  t.is(chain.message, 'link 5000');
  t.is((chain.cause as Error).message, 'link 4999');
  t.like(await failure('later-deep-details'), { message: 'with a list', code: 'E_LIST' });
  const { next } = (await rejection('later-deep-object')) as { next: { next: unknown } };
  t.is(typeof next.next, 'object');
  t.is(await pool.run('ok'), 'ok');
});

test('HeapPool.run: a result that this thread cannot read rejects with a code, on each worker', async (t) => {
  for (let n = 0; n < 2; n++) {
    const error = await failure('result-unseen');
    t.is(error.code, 'ERR_SHMALLOC_NOT_CLONEABLE');
    t.regex(error.message, /what a task returned or threw cannot be read in this thread: .*stack/);
  }
  t.is(await pool.run('ok'), 'ok');
});

test('HeapPool.run: getters of a result arrive as values', async (t) => {
  t.deepEqual(await pool.run('result-few-getters'), { next: { next: {} } });
});

test('HeapPool.run: values that cannot be cloned do not lose the error that has them', async (t) => {
  const error = await failure('unclonable');
  t.like(error, { message: 'with more', code: 'E_MORE', symbol: 'Symbol(s)' });
  t.deepEqual(error.socket, {});
  t.is(error.map, 'WeakMap { <items unknown> }');
  t.false('broken' in error);
  const proxy = await rejection('proxy');
  t.true(proxy instanceof Error);
  const thrown = await failure('function');
  t.is(thrown.code, 'ERR_SHMALLOC_NOT_CLONEABLE');
  t.is(await pool.run('ok'), 'ok');
});

test('HeapPool.run: a thrown value that is not an error arrives unchanged', async (t) => {
  t.is(await rejection('text'), 'a text');
  t.is(await rejection('null'), null);
  t.is(await rejection('undefined'), undefined);
  t.deepEqual(await rejection('object'), { code: 'E_OBJECT', list: [1] });
});

test('HeapPool.run: a DOMException arrives as a DOMException', async (t) => {
  const error = (await rejection('dom')) as DOMException;
  t.true(error instanceof DOMException);
  t.is(error.name, 'AbortError');
  t.is(error.message, 'stopped');
  t.is(error.code, DOMException.ABORT_ERR);
  t.regex(error.stack ?? '', /thrower\.worker/);
});

test('HeapPool.run: an aborted task rejects with an AbortError that has a code', async (t) => {
  const stop = new AbortController();
  const running = pool.run('uncaught', { signal: stop.signal });
  stop.abort(new Error('why'));
  const error = await t.throwsAsync(running, { name: 'AbortError', code: 'ABORT_ERR' });
  t.is((error?.cause as Error | undefined)?.message, 'why');
});

test('HeapPool.run: a worker that ends rejects its task with a code, and another takes its place', async (t) => {
  const exit = await failure('exit');
  t.true(exit instanceof HeapError);
  t.is(exit.code, 'ERR_SHMALLOC_WORKER_ENDED');
  t.regex(exit.message, /exit code 7/);
  const uncaught = await failure('uncaught');
  t.true(uncaught instanceof InvalidAddressError);
  t.like(uncaught, { code: 'ERR_SHMALLOC_INVALID_ADDRESS', reason: 'metadata' });
  t.is((await failure('memory')).code, 'ERR_WORKER_OUT_OF_MEMORY');
  t.is(await pool.run('ok'), 'ok');
});

test('HeapPool.run: a result that cannot be cloned rejects with a code', async (t) => {
  for (const what of ['function', 'deep-function', 'proxy']) {
    const error = await failure(`result-${what}`);
    t.is(error.code, 'ERR_SHMALLOC_NOT_CLONEABLE');
    t.regex(
      error.message,
      /the result of the task cannot go to another thread: .*(=> 5|#<Object>)/,
    );
  }
  t.is(await pool.run('ok'), 'ok');
});

test('HeapPool.run: a result that fails only when it is cloned rejects with a code, too', async (t) => {
  t.is((await failure('result-generator')).code, 'ERR_SHMALLOC_WORKER_ENDED');
  t.is((await failure('uncaught-dom')).code, 'ERR_SHMALLOC_WORKER_ENDED');
  t.is(await pool.run('ok'), 'ok');
});

test('HeapPool.run: a task that cannot be cloned rejects with a code, and reaches no worker', async (t) => {
  const task = { list: [() => 5] };
  const error = await t.throwsAsync(pool.run(task), { code: 'ERR_SHMALLOC_NOT_CLONEABLE' });
  t.true(error instanceof TypeError);
  const message = /^HeapPool: the task cannot go .*post heap\.handle/;
  await t.throwsAsync(pool.run({ heap }), { code: 'ERR_SHMALLOC_NOT_CLONEABLE', message });
  t.is(await pool.run('ok'), 'ok');
});
