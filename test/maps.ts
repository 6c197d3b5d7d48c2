/**
 * What the tests of the map and its pictures share: heaps to draw, and what holds of every map.
 */

import assert from 'node:assert/strict';
import { type Address, type HeapMap, type MapSpan, SharedHeap } from 'shmalloc';
import { Random } from './helpers.js';

export const PAGE = 8192;

/** The spans of a map. */
export const spansOf = (map: HeapMap): MapSpan[] =>
  map.runs.filter((run): run is MapSpan => run.zone === 'tiny' || run.zone === 'small');

/** The sum over some items. */
export const total = <T>(items: readonly T[], of: (item: T) => number): number =>
  items.reduce((sum, item) => sum + of(item), 0);

/** What holds of a map at any time, threads running or not. */
export function checkMap(map: HeapMap): void {
  let at = map.base;
  for (const region of map.metadata) {
    assert.equal(region.address, at, `${region.name} begins where the region before it ends`);
    assert.ok(region.bytes > 0, region.name);
    at += region.bytes;
  }
  assert.equal(at, map.dataStart, 'metadata ends where data begin');
  for (const run of map.runs) {
    assert.equal(run.address, at, 'a run begins where the one before it ends');
    assert.ok(run.bytes > 0 && run.bytes % PAGE === 0);
    at += run.bytes;
  }
  assert.equal(at, map.end, 'runs end where the heap ends');
  for (const span of spansOf(map)) {
    const { address, live, cached, free, blocks, blockBytes, tailBytes, bytes } = span;
    const counts = `span ${address}: ${live} + ${cached} + ${free} of ${blocks}`;
    assert.ok(live >= 0 && cached >= 0 && free >= 0, counts);
    assert.equal(live + cached + free, blocks, counts);
    assert.equal(blocks * blockBytes + tailBytes, bytes);
    assert.ok(span.contexts >= 0 && span.vectors >= 0 && span.contexts + span.vectors <= live);
    assert.equal(span.zone, blockBytes <= 512 ? 'tiny' : 'small');
  }
  const untouched = map.runs.filter((run) => run.zone === 'untouched');
  assert.ok(untouched.length <= 1);
  assert.equal(map.mapFrontier - map.brk, untouched[0]?.bytes ?? 0);
  if (untouched[0] !== undefined) assert.equal(map.brk, untouched[0].address);
  checkZones(map);
}

function checkZones({ base, end, runs, zones, metadata }: HeapMap): void {
  const all = Object.entries(zones);
  assert.equal(
    total(all, ([, { bytes }]) => bytes),
    end - base,
    'zones add up to the heap',
  );
  assert.equal(zones.metadata.runs, metadata.length);
  for (const [name, zone] of all) {
    if (name === 'metadata') continue;
    const own = runs.filter((run) => run.zone === name);
    assert.equal(zone.runs, own.length, name);
    assert.equal(
      zone.bytes,
      total(own, ({ bytes }) => bytes),
      name,
    );
    if (name !== 'tiny' && name !== 'small') continue;
    const parts = zone.liveBytes + zone.cachedBytes + zone.freeBlockBytes + zone.tailBytes;
    assert.equal(parts, zone.bytes, name);
  }
}

/** Allocates and frees blocks of all sizes; gives those that are live. */
export function fillRandomly(heap: SharedHeap, random: Random, calls: number): Address[] {
  const live: Address[] = [];
  for (let n = 0; n < calls; n++) {
    if (live.length > 0 && random.below(5) < 2) {
      const i = random.below(live.length);
      heap.free_ts(live[i]);
      live[i] = live[live.length - 1];
      live.pop();
      continue;
    }
    const what = random.below(100);
    const limit = what < 80 ? 600 : what < 97 ? 20_000 : 300_000;
    const address = heap.malloc_ts(random.below(limit));
    if (address !== 0) live.push(address);
  }
  return live;
}

/** A heap with something in all zones; the same for the same seed. */
export function mixedHeap(size = '16MiB', seed = 1, calls = 4000): SharedHeap {
  const heap = SharedHeap.create({ size, threads: 4 });
  fillRandomly(heap, new Random(seed), calls);
  return heap;
}

/** A heap of 1 GiB with no room for another block of 64 bytes. */
export function fullHeap(): SharedHeap {
  const heap = SharedHeap.create({ size: '1GiB', threads: 1 });
  while (heap.malloc_ts(64) !== 0);
  return heap;
}
