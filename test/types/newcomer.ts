/**
 * A program in TypeScript that uses the package. Compiled by types.long.test.ts as a user's program, and
 * never run.
 */

import {
  type Address,
  type HeapHandle,
  type HeapOptions,
  InvalidAddressError,
  SharedHeap,
  type VectorHandle,
  type VectorHandleOf,
} from 'shmalloc';
import { mem_free_ts, mem_malloc_ts } from 'shmalloc/mem';
import { renderHtml, renderSvg, renderText } from 'shmalloc/pictures';

// ---- a heap, which ends by itself

using heap = SharedHeap.create({ size: '64MiB', debug: { guard: 16 } });
const p: Address = heap.malloc_ts(100);
heap.i32[p >>> 2] = 42;
heap.free_ts(p);
const handle: HeapHandle = heap.handle;
const again: SharedHeap = SharedHeap.attach(structuredClone(handle));
const floats: Float64Array = heap.view(Float64Array, heap.malloc_ts(80), 10);

export const options: HeapOptions = { size: 2 ** 21, threads: 2 };
// @ts-expect-error: there is no such option
export const wrong: HeapOptions = { sise: '64MiB' };

export function reasonOf(free: () => void): string {
  try {
    free();
    return '';
  } catch (error) {
    return error instanceof InvalidAddressError ? error.reason : '';
  }
}

// ---- vectors keep their element type, also when they are attached by their handle

const ofFloats = heap.vectors.create(Float64Array, { shared: true });
const ofBigs = heap.vectors.create(BigInt64Array);
const ofAddresses = heap.vectors.create('address');
const ofRecords = heap.vectors.create({ bytes: 24 });
ofBigs.push(1n);

export const float: number = heap.vectors.attach(ofFloats.handle).get(0);
export const floatView: Float64Array = heap.vectors.attach(ofFloats.handle).view();
export const big: bigint = heap.vectors.attach(ofBigs.handle).get(0);
export const bigView: BigInt64Array = heap.vectors.attach(ofBigs.handle).view();
export const record: Uint8Array = heap.vectors.attach(ofRecords.handle).get(0);
heap.free_ts(heap.vectors.attach(ofAddresses.handle).get(0));
// A vector found by one word of the heap.
heap.u32[p >>> 2] = ofBigs.address;
export const found: bigint = heap.vectors
  .attach<BigInt64ArrayConstructor>(heap.u32[p >>> 2] ?? 0)
  .get(0);
// @ts-expect-error: its elements are bigints
export const mistaken: number = heap.vectors.attach(ofBigs.handle).get(0);
// @ts-expect-error: they are, whatever is said
heap.vectors.attach<Float64ArrayConstructor>(ofBigs.handle);

// A message that says of which elements it is, and one that does not.
const typed: { list: VectorHandleOf<BigInt64ArrayConstructor> } = { list: ofBigs.handle };
const plain: { list: VectorHandle } = { list: ofBigs.handle };
export const fromTyped: bigint = heap.vectors.attach(typed.list).get(0);
export const said: bigint = heap.vectors.attach<BigInt64ArrayConstructor>(plain.list).get(0);

// ---- addresses that are plain numbers: from a message, from a word of the heap, by arithmetic

export function onMessage(message: { readonly block: number }): number {
  const { block } = message;
  const next: number = heap.u32[block >>> 2] ?? 0;
  const field = block + 16;
  heap.free_ts(heap.realloc_ts(next, 200));
  heap.free(heap.realloc(block, 200));
  ofAddresses.push(next);
  ofAddresses.set(0, block);
  ofAddresses.insert(0, field);
  const view: Float64Array = heap.view(Float64Array, next, 10);
  const pieces: string[] = [
    heap.readString(block),
    heap.inspect.hexdump(field),
    heap.contexts.of(field)?.name ?? '',
    heap.inspect.whoAllocated(field)?.stack ?? '',
  ];
  mem_free_ts(next);
  return heap.usableSize(block) + view.length + pieces.length + set.usableSize(next);
}
// An address that a call returns goes where a number does.
export const asNumber: number = heap.malloc_ts(16);
const set = heap.contexts.create('set', { kind: 'set' });
set.free(set.realloc(heap.u32[p >>> 2] ?? 0, 100));
// @ts-expect-error: an address is a number, and no text
ofAddresses.push('0x44000');
// @ts-expect-error: elements of this vector are bigints
ofBigs.push(1);

// ---- options may be undefined, as those that a program passes on

declare const given: { readonly [name: string]: undefined };
export const absent: HeapOptions = {
  size: given.size,
  threads: given.threads,
  contexts: given.contexts,
  buffer: given.buffer,
  byteOffset: given.byteOffset,
  overwrite: given.overwrite,
  lockTimeoutMs: given.lockTimeoutMs,
  debug: {
    guard: given.guard,
    onError: given.onError,
    stacks: { depth: 3, every: given.every },
    leaks: given.leaks,
  },
};
heap.verify({ quiet: given.quiet });
heap.metrics({ format: given.format, labels: given.labels });
heap.metrics({ format: 'otel', labels: given.labels });
heap.inspect.hexdump(p, { length: given.length, offset: given.offset });
heap.inspect.history({ address: p + 16, thread: given.thread, last: given.last });
heap.inspect.print('history', { write: given.write, last: given.last });
heap.vectors.create(Float64Array, { capacity: given.capacity, context: given.context });
heap.contexts.create('c', { kind: given.kind, parent: given.parent });
renderText(heap.inspect.map(), { color: given.color, width: given.width });
renderSvg(heap.inspect.map(), { title: given.title, width: given.width });
renderHtml(heap.inspect.map(), { title: given.title });

// ---- contexts, and what else there is

using context = heap.contexts.create('request', { kind: 'set' });
export const row: Float64Array = context.alloc(Float64Array, 10);
// An address that comes from a word of the heap, or by arithmetic, needs no cast.
context.free(heap.u32[row.byteOffset >>> 2] ?? 0);
export const bytes: number = context.usableSize(row.byteOffset + 16);
using bump = heap.contexts.create('phase', { ident: undefined });
// @ts-expect-error: objects of a bump context end together
bump.free(p);
export const some: 'bump' | 'set' = heap.contexts.list()[0]?.kind ?? 'bump';
for (const one of heap.contexts.list()) if (one.kind === 'set') one.free(p);
export const length: number = heap.contexts.run('short', (own) => own.alloc(Uint8Array, 5).length);
export const text: string = heap.metrics() + heap.metrics({ labels: { heap: 'images' } });
export const kinds: string[] = heap.metrics({ format: 'otel' }).map(({ kind }) => kind);
export const pictures = [
  renderText(heap.inspect.map()),
  renderSvg(heap.inspect.map()),
  renderHtml(heap.inspect.map()),
];
mem_free_ts(mem_malloc_ts(5));

export { again, floats };
