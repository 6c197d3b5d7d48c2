/**
 * Proves that red zones are keyed by address and heap, hold no byte that programs mostly write, and
 * report the first and the last damaged byte, at every alignment and length.
 */

import test from 'ava';
import { createRedZones } from '../../src/debug/red-zones.js';
import * as DebugRecord from '../../src/layout/debug-record.js';
import { computeGeometry, type HeapMemory, viewMemory } from '../../src/layout/index.js';
import { Random, seedOf } from '../helpers.js';

function makeMemory(secret: [number, number]): HeapMemory {
  const settings = { ...DebugRecord.NONE, guardBytes: 16 };
  const bytes = 4 * 1024 * 1024;
  const geometry = computeGeometry({ base: 0, bytes, threads: 1, debug: settings });
  const memory = viewMemory(new SharedArrayBuffer(bytes), geometry);
  DebugRecord.write(memory.u32, geometry.debug, settings, secret);
  return memory;
}

test('RedZones.paint: no byte is 0, 0x55, 0xAA, 0xFF or ASCII; another secret gives other bytes', (t) => {
  const zones = [
    [1, 2],
    [3, 4],
  ].map((secret) => {
    const memory = makeMemory(secret as [number, number]);
    const { dataStart } = memory.geometry;
    createRedZones(memory).paint(dataStart, dataStart + 65536);
    return memory.u8.slice(dataStart, dataStart + 65536);
  }) as [Uint8Array, Uint8Array];
  for (const byte of [0, 0x55, 0xaa, 0xff]) t.false(zones[0].includes(byte), String(byte));
  t.true(zones[0].every((byte) => byte >= 0x80));
  const same = zones[0].filter((byte, n) => byte === zones[1][n]).length;
  t.true(same < 65536 / 16, `${same} bytes the same under another secret`);
  const shifted = zones[0].filter((byte, n) => byte === zones[0][n + 16]).length;
  t.true(shifted < 65536 / 16, `${shifted} bytes the same 16 further on`);
});

test('RedZones.find: intact zones have no damage; the first and last damaged bytes are found', (t) => {
  const random = new Random(seedOf(t));
  const memory = makeMemory([random.word(), random.word()]);
  const zones = createRedZones(memory);
  const { u8, geometry } = memory;
  const faults: string[] = [];
  for (let round = 0; round < 2000; round++) {
    const from = geometry.dataStart + random.below(64);
    const to = from + random.below(70);
    zones.paint(from, to);
    if (zones.find(from, to) !== null) faults.push(`whole, from ${from} to ${to}`);
    if (to === from) continue;
    const hits = [random.below(to - from), random.below(to - from)].sort((a, b) => a - b);
    for (const hit of hits) u8[from + hit] = random.below(0x80);
    const found = zones.find(from, to);
    if (found?.first !== from + hits[0] || found.last !== from + hits[1]) {
      faults.push(`from ${from} to ${to}: ${hits} damaged, ${JSON.stringify(found)} found`);
    }
  }
  t.deepEqual(faults, []);
});
