/** Proves the size limits of the zones of blocks. */

import test from 'ava';
import { zoneOf } from '../../src/inspect/zones.js';

test('zoneOf: tiny to 512 bytes, small to 64 KiB, large', (t) => {
  t.deepEqual([16, 512, 513, 640, 65_536, 65_537, 73_728, 2 ** 31].map(zoneOf), [
    'tiny',
    'tiny',
    'small',
    'small',
    'small',
    'large',
    'large',
    'large',
  ]);
});
