/**
 * Proves that copies of the package in one thread are one thread to a heap: a second evaluation of it
 * gives the attachment that there is, things of one copy are things to the other, and a copy of another
 * version says so.
 */

import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import test, { type ExecutionContext } from 'ava';
import { SharedHeap } from 'shmalloc';
import { VERSION } from '../../src/base/index.js';
import { ROOT } from '../workers.js';

type Package = typeof import('shmalloc');

let copies = 0;

/** Another copy of the package, of another version if need be. */
async function copyOf(t: ExecutionContext, version = VERSION): Promise<Package> {
  // Inside the project, for its own packages.
  const parent = fileURLToPath(new URL('dist/', ROOT));
  mkdirSync(parent, { recursive: true });
  const folder = mkdtempSync(join(parent, `copy-${copies++}-`));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  cpSync(fileURLToPath(new URL('dist/src/', ROOT)), folder, { recursive: true });
  const file = join(folder, 'base/thread-state.js');
  const text = readFileSync(file, 'utf8').replace(`'${VERSION}'`, `'${version}'`);
  writeFileSync(file, text);
  return (await import(pathToFileURL(join(folder, 'index.js')).href)) as Package;
}

const attached = (heap: SharedHeap): number =>
  heap.stats().threads.filter((thread) => thread.attached).length;

test("VERSION: is the package's", (t) => {
  const { version } = JSON.parse(readFileSync(new URL('package.json', ROOT), 'utf8'));
  t.is(VERSION, version);
});

test('SharedHeap.attach: of another copy gives the heap of this one, as often as it is asked', async (t) => {
  using heap = SharedHeap.create({ size: '8MiB', threads: 2 });
  for (let n = 0; n < 4; n++) {
    const copy = await copyOf(t);
    t.not(copy.SharedHeap, SharedHeap as never);
    t.is(copy.SharedHeap.attach(heap.handle), heap as never);
    t.is(attached(heap), 1);
    heap.free(heap.malloc(100_000));
  }
});

test('things of one copy are things to another: heaps, contexts, vectors, errors', async (t) => {
  const copy = await copyOf(t);
  using heap = SharedHeap.create({ size: '8MiB' });
  using vector = heap.vectors.create(Uint8Array);
  vector.push(5);
  t.is(heap.vectors.attach(vector.handle as never).get(0), 5);
  using context = heap.contexts.create('request');
  const inside = heap.vectors.create(Uint32Array, { context });
  inside.push(7);
  t.is(inside.get(0), 7);
  // A parent must be of the same heap; that it is a context is seen.
  using other = copy.SharedHeap.create({ size: '4MiB' });
  const parent = context as never;
  t.throws(() => other.contexts.create('child', { parent }), {
    code: 'ERR_SHMALLOC_CONTEXT',
    message: /belongs to another heap/,
  });
  t.throws(() => heap.free_ts(8 as never), { code: 'ERR_SHMALLOC_INVALID_ADDRESS' });
  t.true(heap.verify({ quiet: true }).ok);
});

test('a heap that one copy has left can be attached by another', async (t) => {
  const copy = await copyOf(t);
  using heap = SharedHeap.create({ size: '4MiB' });
  const { handle } = heap;
  heap.detach();
  using again = copy.SharedHeap.attach(handle);
  t.not(again, heap as never);
  t.is(SharedHeap.attach(handle), again as never);
  t.is(attached(again as never), 1);
});

test('SharedHeap.current: the default heap is one for all copies', async (t) => {
  const copy = await copyOf(t);
  t.is(copy.SharedHeap.current(), SharedHeap.current() as never);
});

test('a copy of another version: every way to use the heap says that there are two', async (t) => {
  const copy = await copyOf(t, '9.9.9');
  using heap = SharedHeap.create({ size: '4MiB' });
  const says = (version: string, than: string) => ({
    code: 'ERR_SHMALLOC_TWO_VERSIONS',
    message: new RegExp(`shmalloc ${version}, and this one is ${than}.*npm ls shmalloc`),
  });
  t.throws(() => copy.SharedHeap.attach(heap.handle), says('0.1.0', '9.9.9'));
  using own = copy.SharedHeap.create({ size: '4MiB' });
  t.throws(() => SharedHeap.attach(own.handle as never), says('9.9.9', '0.1.0'));
  t.is(attached(heap), 1);
});
