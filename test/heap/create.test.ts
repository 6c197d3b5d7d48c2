/**
 * Proves that a heap made in a given buffer is the one that is made in a new one, whatever the buffer
 * held.
 */

import test from 'ava';
import { createHeap } from '../../src/heap/create.js';
import * as DebugRecord from '../../src/layout/debug-record.js';
import type { HeapMemory } from '../../src/layout/index.js';
import { Random, seedOf } from '../helpers.js';

const KIB = 2 ** 10;
const MIB = 2 ** 20;

const make = (buffer: SharedArrayBuffer, base: number, pristine: boolean): HeapMemory =>
  createHeap({
    ...{ buffer, base, bytes: 8 * MIB, threads: 4, contexts: 64, id: '0123456789abcdef' },
    ...{ pristine, lockTimeoutMs: 1000, debug: DebugRecord.NONE, secret: [1, 2] },
  });

const FILLS: Record<string, (bytes: Uint8Array, random: Random) => void> = {
  'nothing but zeros': () => {},
  'bytes here and there': (bytes, random) => {
    for (let n = 0; n < 40; n++) bytes[random.below(bytes.length)] = 1 + random.below(255);
    bytes[bytes.length - 1] = 0x80;
  },
  'bytes everywhere': (bytes) => bytes.fill(0xa5),
  'minus zeros': (bytes) => new Float64Array(bytes.buffer).fill(-0),
};

for (const [native, Buffer] of [
  ['', globalThis.Buffer],
  [', without a Buffer class', undefined],
] as const) {
  for (const [what, fill] of Object.entries(FILLS)) {
    test.serial(`createHeap: over ${what}${native}, the metadata of a new heap`, (t) => {
      const base = 24 * KIB;
      const buffer = new SharedArrayBuffer(base + 8 * MIB + KIB);
      const bytes = new Uint8Array(buffer);
      fill(bytes, new Random(seedOf(t)));
      const before = bytes.slice();
      const real = globalThis.Buffer;
      Object.assign(globalThis, { Buffer });
      try {
        const { geometry } = make(buffer, base, false);
        const fresh = make(new SharedArrayBuffer(base + 8 * MIB), base, true);
        // The reserve of a given buffer is not known to be zero: one flag.
        fresh.u32[geometry.header + 3] = 0;
        const [from, to] = [base, geometry.dataStart];
        t.true(real.compare(bytes.subarray(from, to), fresh.u8.subarray(from, to)) === 0);
        t.true(real.compare(bytes.subarray(0, from), before.subarray(0, from)) === 0);
        t.true(real.compare(bytes.subarray(to), before.subarray(to)) === 0, 'nothing else');
      } finally {
        Object.assign(globalThis, { Buffer: real });
      }
    });
  }
}
