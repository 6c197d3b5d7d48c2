/**
 * Proves that an option given as undefined counts as absent, in every public call that takes options,
 * and that the types allow it. The names are those that the calls list in their errors.
 */

import test from 'ava';
import { type HeapOptions, SharedHeap } from 'shmalloc';
import { mem_print_stats, show_alloc_mem, show_alloc_mem_ex } from 'shmalloc/mem';
import { renderHtml, renderSvg, renderText } from 'shmalloc/pictures';
import { HeapPool, type HeapPoolOptions, type HeapPoolRunOptions } from 'shmalloc/pool';

/** A name that is similar to no option: the error lists all options. */
const UNKNOWN = 'qqqqqqqqqqqqqqqq';
const write = (): void => {};
const filename = new URL('../pool/doubler.worker.js', import.meta.url);

const heap = SharedHeap.create({ size: '4MiB', threads: 4, debug: { history: 10 } });
const block = heap.malloc_ts(100);
const map = heap.inspect.map();
const parent = heap.contexts.create('parent');
const pool = new HeapPool(heap, { filename, threads: 1 });
test.after.always(() => pool.destroy());

/** Calls by name: what a call does with its options, as a value to compare. */
const CALLS: Record<string, (options: never) => unknown> = {
  'SharedHeap.create'(options: HeapOptions) {
    using made = SharedHeap.create(options);
    const { reservedBytes, threads } = made.stats();
    return { reservedBytes, threads: threads.length };
  },
  'SharedHeap.create, debug'(debug: HeapOptions['debug']) {
    using made = SharedHeap.create({ size: '2MiB', debug });
    return made.stats().metadataBytes;
  },
  'heap.metrics': (options: object) => typeof heap.metrics(options),
  'heap.verify': (options: object) => heap.verify(options).quiet,
  'heap.contexts.create'(options: object) {
    using made = heap.contexts.create('c', options);
    return { kind: made.kind, stats: made.stats() };
  },
  'heap.contexts.run': (options: object) =>
    heap.contexts.run('c', (context) => context.stats(), options),
  'context.createContext'(options: object) {
    using made = parent.createContext('c', options);
    return { kind: made.kind, stats: made.stats() };
  },
  'heap.vectors.create'(options: object) {
    using made = heap.vectors.create(Float64Array, options);
    return { capacity: made.capacity, shared: made.handle.shared };
  },
  'inspect.hexdump': (options: object) => heap.inspect.hexdump(block, options),
  'inspect.history': (options: object) => heap.inspect.history(options),
  'inspect.print': (options: object) => heap.inspect.print('history', { ...options, write }),
  'mem.mem_print_stats': (options: object) => mem_print_stats({ ...options, write }),
  'mem.show_alloc_mem': (options: object) => show_alloc_mem({ ...options, write }),
  'mem.show_alloc_mem_ex': (options: object) => show_alloc_mem_ex({ ...options, write }),
  'pictures.renderText': (options: object) => renderText(map, options),
  'pictures.renderSvg': (options: object) => renderSvg(map, options),
  'pictures.renderHtml': (options: object) => renderHtml(map, options),
  async HeapPool(options: Omit<HeapPoolOptions, 'filename'>) {
    const made = new HeapPool(heap, { ...options, filename });
    const { threads } = made.stats();
    await made.destroy();
    return threads;
  },
  'pool.run': (options: HeapPoolRunOptions) => pool.run({ list: 0, length: 0 }, options),
};

/** The names of a call's options, from the error for an unknown one. */
async function optionsOf(call: (options: never) => unknown): Promise<string[]> {
  try {
    await call({ [UNKNOWN]: 1 } as never);
  } catch (error) {
    const list = /no option .*; it takes (.*)/.exec((error as Error).message)?.[1] ?? '';
    return [...list.matchAll(/'(\w+)'/g)].map(([, name]) => name as string);
  }
  return [];
}

for (const [name, call] of Object.entries(CALLS)) {
  test.serial(`${name}: an option that is undefined counts as absent`, async (t) => {
    const options = await optionsOf(call);
    t.true(options.length > 0, 'the error lists the options');
    const absent = await call({} as never);
    const all = Object.fromEntries(options.map((option) => [option, undefined]));
    t.deepEqual(await call(all as never), absent, options.join());
    for (const option of options) {
      t.deepEqual(await call({ [option]: undefined } as never), absent, option);
    }
  });
}
