/**
 * Proves the geometry that all pictures share: cells add up to the map, rows begin at round
 * addresses, and the rows of a gap are all the same.
 */

import test from 'ava';
import { type HeapMap, SharedHeap } from 'shmalloc';
import { type Grid, layOut, placeOf } from '../../src/render/cells.js';
import { figuresOf } from '../../src/render/figures.js';
import { frameOf } from '../../src/render/frame.js';
import { COLORS, colorOf, FILL_LEVELS, levelOf } from '../../src/render/palette.js';
import { Random, seedOf } from '../helpers.js';
import { fillRandomly, mixedHeap, PAGE } from '../maps.js';

/** Bytes of cells by zone. */
function bytesByZone(grid: Grid, map = 0): Record<string, number> {
  const bytes: Record<string, number> = {};
  for (const ink of grid.inks[map]) {
    const { zone } = COLORS[ink];
    if (zone !== 'outside') bytes[zone] = (bytes[zone] ?? 0) + grid.cellBytes;
  }
  return bytes;
}

function zoneBytes({ zones }: HeapMap): Record<string, number> {
  const all = Object.entries(zones).map(([zone, { bytes }]) => [zone, bytes] as const);
  return Object.fromEntries(all.filter(([, bytes]) => bytes > 0));
}

test('layOut: cells of one page add up to the zones of the map', (t) => {
  const random = new Random(seedOf(t));
  for (const columns of [16, 64, 128]) {
    using heap = mixedHeap('16MiB', random.word(), 3000);
    const map = heap.inspect.map();
    const grid = layOut([map], { columns, linesMax: 1e6 });
    t.is(grid.pagesPerCell, 1);
    t.deepEqual(bytesByZone(grid), zoneBytes(map));
  }
});

test('layOut: lines cover the heap, rows begin at multiples of their length, gaps are of one ink', (t) => {
  using heap = mixedHeap('64MiB', 5, 6000);
  const grid = layOut([heap.inspect.map()], { columns: 64, linesMax: 1e6 });
  let at = grid.start;
  let gaps = 0;
  for (const { address, rows, cell } of grid.lines) {
    t.is(address, at);
    t.is(address % grid.rowBytes, 0);
    at += rows * grid.rowBytes;
    if (rows === 1) continue;
    gaps++;
    const inks = new Set(grid.inks[0].subarray(cell, cell + rows * grid.columns));
    t.is(inks.size, 1);
  }
  t.true(gaps >= 2, 'metadata and reserve');
  t.true(at >= 64 * 2 ** 20 && at - grid.rowBytes < 64 * 2 ** 20);
});

test('layOut: with too many lines a cell stands for more pages', (t) => {
  using heap = mixedHeap('64MiB', 6, 60_000);
  const map = heap.inspect.map();
  const fine = layOut([map], { columns: 64, linesMax: 1e6 });
  const grid = layOut([map], { columns: 64, linesMax: 20 });
  t.true(grid.pagesPerCell > 1);
  t.true(grid.lines.length <= 20);
  const faults: string[] = [];
  // Each cell shows the zone of most of its pages.
  for (let cell = 0; cell < grid.inks[0].length; cell++) {
    const from = cell * grid.pagesPerCell;
    const pages = [...fine.inks[0].subarray(from, from + grid.pagesPerCell)];
    const count = (zone: string) => pages.filter((ink) => COLORS[ink].zone === zone).length;
    const { zone } = COLORS[grid.inks[0][cell]];
    const most = Math.max(...COLORS.map((ink) => count(ink.zone)));
    if (count(zone) !== most) faults.push(`cell ${cell}: ${count(zone)} pages of ${most}`);
  }
  t.deepEqual(faults, []);
});

test('layOut: several maps of one heap have the same lines', (t) => {
  using heap = SharedHeap.create({ size: '32MiB' });
  const random = new Random(8);
  const maps = Array.from({ length: 4 }, () => {
    fillRandomly(heap, random, 1500);
    return heap.inspect.map();
  });
  const grid = layOut(maps, { columns: 64, linesMax: 1e6 });
  t.is(grid.inks.length, 4);
  maps.forEach((map, n) => {
    t.deepEqual(bytesByZone(grid, n), zoneBytes(map));
  });
  for (const { rows, cell } of grid.lines) {
    if (rows === 1) continue;
    for (const cells of grid.inks) {
      t.is(new Set(cells.subarray(cell, cell + rows * grid.columns)).size, 1);
    }
  }
});

test('layOut: maps of different heaps, or none, are refused', (t) => {
  using one = SharedHeap.create({ size: '2MiB' });
  using other = SharedHeap.create({ size: '4MiB' });
  const room = { columns: 64, linesMax: 100 };
  const refused = { instanceOf: RangeError, code: 'ERR_SHMALLOC_INVALID_OPTION' };
  t.throws(() => layOut([one.inspect.map(), other.inspect.map()], room), refused);
  t.throws(() => layOut([], room), refused);
});

test('layOut: a heap that begins inside a row leaves cells before it empty', (t) => {
  const base = 5 * 65_536;
  const buffer = new SharedArrayBuffer(base + 3 * 2 ** 20);
  using heap = SharedHeap.create({ buffer, byteOffset: base });
  const map = heap.inspect.map();
  const grid = layOut([map], { columns: 64, linesMax: 100 });
  t.is(grid.start, 0);
  t.is(grid.inks[0].indexOf(colorOf('metadata')), base / PAGE);
  t.deepEqual(bytesByZone(grid), zoneBytes(map));
});

test('placeOf: finds the line of every page', (t) => {
  using heap = mixedHeap('32MiB', 9, 4000);
  const map = heap.inspect.map();
  const { grid } = frameOf([map], 1216, 128);
  for (let address = map.base; address < map.end; address += PAGE) {
    const { line, part } = placeOf(grid, address);
    const { address: start, rows } = grid.lines[line];
    const inside = address >= start && address < start + rows * grid.rowBytes;
    if (!inside || part < 0 || part >= 1) t.fail(`${address}: line ${line}, ${part}`);
  }
  t.is(placeOf(grid, map.end).line, grid.lines.length - 1);
});

test('levelOf: no live block and all live blocks have their own shades', (t) => {
  t.is(levelOf(0, 73), 0);
  t.is(levelOf(1, 512), 1);
  t.is(levelOf(511, 512), FILL_LEVELS - 1);
  t.is(levelOf(512, 512), FILL_LEVELS);
  t.is(levelOf(0, 0), 0);
  t.is(new Set(COLORS.map(({ light }) => light)).size, COLORS.length, 'all inks differ');
  t.is(new Set(COLORS.map(({ dark }) => dark)).size, COLORS.length);
});

test('figuresOf: figures add up, and include how scattered free runs are', (t) => {
  using heap = mixedHeap('16MiB', 10, 5000);
  const stats = heap.stats();
  const f = figuresOf(heap.inspect.map());
  t.is(f.liveBytes, stats.inUseBytes);
  t.is(f.mappedBytes, stats.mappedBytes);
  t.is(f.footprintBytes, stats.footprintBytes);
  t.is(
    f.mappedBytes,
    f.liveBytes + f.cachedBytes + f.freeBlockBytes + f.tailBytes + f.reservedBytes,
  );
  t.is(
    f.classes.reduce((sum, c) => sum + c.bytes, 0),
    f.mappedBytes - f.reservedBytes,
  );
  t.true(f.freeRuns > 1);
  t.is(f.scattered, 1 - f.largestFreeRunBytes / f.freeRunBytes);
});
