/**
 * Proves that the named regions cover a heap's metadata without gaps, wherever the heap lies and
 * however many threads it has.
 */

import test from 'ava';
import { computeGeometry, defaultThreads, metadataRegions } from '../../src/layout/index.js';

const MIB = 2 ** 20;

test('metadataRegions: reach from the base to the data, without gaps', (t) => {
  for (const base of [0, 8192, 3 * 65_536, 2 ** 31]) {
    for (const bytes of [2 * MIB, 64 * MIB, 1024 * MIB]) {
      const geometry = computeGeometry({ base, bytes, threads: defaultThreads(bytes) });
      const regions = metadataRegions(geometry);
      let at = base;
      for (const region of regions) {
        t.is(region.address, at, region.name);
        t.true(region.bytes > 0, region.name);
        at += region.bytes;
      }
      t.is(at, geometry.dataStart);
      t.is(new Set(regions.map(({ name }) => name)).size, regions.length);
    }
  }
});
