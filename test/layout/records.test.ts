/**
 * Proves that the fields of each record do not overlap: each is written through its accessor with a
 * value of its own, all values are read back, and nothing outside the record changes. Run words and
 * the header keep all that is written to them.
 */

import { isDeepStrictEqual } from 'node:util';
import test from 'ava';
import fc from 'fast-check';
import {
  CLASS_ENTRIES,
  type PageIndex,
  SIZE_CLASS_COUNT,
  type SizeClass,
  type SlotIndex,
  type WordIndex,
} from '../../src/base/index.js';
import * as layout from '../../src/layout/index.js';
import { seedOf } from '../helpers.js';

const MARGIN_WORDS = 64;
const MARGIN = 0x5a5a5a5a;

/** Room for a record of this many bytes, between margins that must stay unchanged. */
function room(bytes: number) {
  const words = bytes / 4;
  const buffer = new SharedArrayBuffer(bytes + 2 * MARGIN_WORDS * 4);
  const i32 = new Int32Array(buffer);
  i32.fill(MARGIN, 0, MARGIN_WORDS);
  i32.fill(MARGIN, MARGIN_WORDS + words);
  return {
    i32,
    u32: new Uint32Array(buffer),
    f64: new Float64Array(buffer),
    at: MARGIN_WORDS as WordIndex,
    marginsWhole: () =>
      i32.subarray(0, MARGIN_WORDS).every((word) => word === MARGIN) &&
      i32.subarray(MARGIN_WORDS + words).every((word) => word === MARGIN),
  };
}

/** A field, with functions that write and read it. */
interface Field {
  readonly name: string;
  write(value: number): void;
  read(): number;
}

/** Writes a different value to each field, then returns the fields that read another value. */
function findClashes(fields: readonly Field[]): string[] {
  fields.forEach((field, i) => {
    field.write(i + 1);
  });
  return fields.filter((field, i) => field.read() !== i + 1).map((field) => field.name);
}

test('page record: fields and all 16 bitmap words do not overlap', (t) => {
  const { i32, at, marginsWhole } = room(layout.PAGE_RECORD_BYTES);
  const bitmap = Array.from(
    { length: 16 },
    (_, n): Field => ({
      name: `bitmap ${n}`,
      write: (value) => layout.setBitmap(i32, at, n, value),
      read: () => layout.getBitmap(i32, at, n),
    }),
  );
  const clashes = findClashes([
    {
      name: 'run',
      write: (v) => layout.setRun(i32, at, v),
      read: () => layout.getRun(i32, at),
    },
    {
      name: 'tail',
      write: (v) => layout.setTail(i32, at, v),
      read: () => layout.getTail(i32, at),
    },
    {
      name: 'next',
      write: (v) => layout.setNext(i32, at, v as PageIndex),
      read: () => layout.getNext(i32, at),
    },
    {
      name: 'prev',
      write: (v) => layout.setPrev(i32, at, v as PageIndex),
      read: () => layout.getPrev(i32, at),
    },
    {
      name: 'spanHead',
      write: (v) => layout.setSpanHead(i32, at, v as PageIndex),
      read: () => layout.getSpanHead(i32, at),
    },
    {
      name: 'freeCount',
      write: (v) => layout.setFreeCount(i32, at, v),
      read: () => layout.getFreeCount(i32, at),
    },
    ...bitmap,
  ]);
  t.deepEqual(clashes, []);
  t.true(marginsWhole());
});

test('class records: the records of all classes do not overlap', (t) => {
  const { i32, at, marginsWhole } = room(layout.CLASS_TABLE_BYTES);
  const fields = Array.from({ length: CLASS_ENTRIES }, (_, c): Field[] => {
    const record = layout.classRecord(at, c as SizeClass);
    return [
      {
        name: `partial ${c}`,
        write: (v) => layout.setPartial(i32, layout.unownedPartial(record), v as PageIndex),
        read: () => layout.getPartial(i32, layout.unownedPartial(record)),
      },
      {
        name: `spans ${c}`,
        write: (v) => layout.addSpanCount(i32, record, v),
        read: () => layout.getSpanCount(i32, record),
      },
    ];
  });
  t.deepEqual(findClashes(fields.flat()), []);
  t.true(marginsWhole());
});

test('locks: words and counters do not overlap, and each lock has its own line', (t) => {
  const { i32, f64, at, marginsWhole } = room(layout.LOCK_TABLE_BYTES);
  t.is(layout.LOCK_COUNT, SIZE_CLASS_COUNT + 2);
  const counters = [layout.ACQUISITIONS, layout.CONTENTIONS, layout.WAIT_NANOSECONDS];
  const fields = Array.from({ length: layout.LOCK_COUNT }, (_, n): Field[] => {
    const line = layout.lockLine(at, n as layout.LockIndex);
    const word: Field = {
      name: `lock ${n}`,
      write: (v) => layout.swapLock(i32, line, v),
      read: () => layout.peekLock(i32, line),
    };
    const counts = counters.map(
      (which): Field => ({
        name: `lock ${n} counter ${which}`,
        write: (v) => layout.addLockCounter(f64, line, which, v),
        read: () => layout.getLockCounter(f64, line, which),
      }),
    );
    return [word, ...counts];
  });
  t.deepEqual(findClashes(fields.flat()), []);
  t.true(marginsWhole());
  const line = layout.lockLine(at, layout.PAGE_LOCK);
  t.is((layout.lockLine(at, layout.RECOVERY_LOCK) * 4) % 64, 0);
  t.is(line - layout.lockLine(at, (layout.PAGE_LOCK - 1) as layout.LockIndex), 16);
  t.is(layout.lockOfWord(at, layout.lockWordIndex(line)), layout.PAGE_LOCK);
  layout.swapLock(i32, line, 77);
  t.is(layout.swapLock(i32, line, 78), 77);
  t.is(i32[layout.lockWordIndex(line)], 78);
});

test('registry: a slot is claimed once, and 256 slots do not overlap', (t) => {
  const { i32, at, marginsWhole } = room(layout.registryBytes(256));
  for (let s = 0 as SlotIndex; s < 256; s++) {
    t.is(layout.casOwner(i32, at, s, 0, s + 1000), 0);
    t.is(layout.casOwner(i32, at, s, 0, 7), s + 1000);
  }
  for (let s = 0 as SlotIndex; s < 256; s++) t.is(layout.loadOwner(i32, at, s), s + 1000);
  layout.storeOwner(i32, at, 3 as SlotIndex, 0);
  t.is(layout.loadOwner(i32, at, 3 as SlotIndex), 0);
  t.true(marginsWhole());
});

test('baseline: entries of heap, classes and slots do not overlap, for 1 and 256 threads', (t) => {
  for (const threads of [1, 256]) {
    const { f64, at, marginsWhole } = room(layout.baselineBytes(threads));
    const entries = [
      ...Array.from({ length: layout.HEAP_ENTRIES }, (_, n) => layout.heapEntry(n)),
      ...Array.from({ length: CLASS_ENTRIES * layout.CLASS_FIELDS }, (_, n) =>
        layout.classEntry(n >> 1, n & 1),
      ),
      ...Array.from({ length: threads * layout.SLOT_FIELDS }, (_, n) =>
        layout.slotEntry(n >> 2, n & 3),
      ),
    ];
    t.is(new Set(entries).size, entries.length);
    const fields = entries.map(
      (entry): Field => ({
        name: `entry ${entry}`,
        write: (v) => layout.setBaseline(f64, at, entry, v),
        read: () => layout.getBaseline(f64, at, entry),
      }),
    );
    t.deepEqual(findClashes(fields), []);
    t.true(marginsWhole());
  }
});

test('runWord: keeps kind, owner and length, at all limits', (t) => {
  const kinds = [
    layout.FREE_RUN,
    layout.UNTOUCHED_RUN,
    layout.RESERVED_RUN,
    layout.SPAN_RUN,
    layout.LARGE_RUN,
  ];
  t.true(layout.THREADS_MAX - 1 <= layout.RUN_OWNER_MAX);
  t.true(SIZE_CLASS_COUNT <= layout.RUN_OWNER_MAX);
  for (const kind of kinds) {
    for (const owner of [0, 1, 44, 255, layout.RUN_OWNER_MAX]) {
      for (const pages of [1, 2, 511, 65536, layout.RUN_PAGES_MAX]) {
        const word = layout.runWord(kind, owner, pages);
        t.is(word, word | 0, 'signed, as the view stores it');
        t.is(layout.runKind(word), kind);
        t.is(layout.runOwner(word), owner);
        t.is(layout.runPages(word), pages);
      }
    }
  }
  const seed = seedOf(t);
  t.notThrows(() =>
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: layout.RUN_OWNER_MAX }),
        fc.integer({ min: 0, max: layout.RUN_PAGES_MAX }),
        fc.constantFrom(...kinds),
        (owner, pages, kind) => {
          const word = layout.runWord(kind, owner, pages);
          return (
            layout.runKind(word) === kind &&
            layout.runOwner(word) === owner &&
            layout.runPages(word) === pages
          );
        },
      ),
      { seed, numRuns: 2000 },
    ),
  );
});

test('RUN_KIND_NAMES: one name for each kind, and 0 is no kind', (t) => {
  t.deepEqual(layout.RUN_KIND_NAMES, ['invalid', 'free', 'untouched', 'reserved', 'span', 'large']);
  t.is(layout.RUN_KIND_NAMES[layout.UNTOUCHED_RUN], 'untouched');
  t.is(layout.RUN_KIND_NAMES[layout.LARGE_RUN], 'large');
});

test('header: is read as it was written, for any id and place', (t) => {
  const seed = seedOf(t);
  const word = fc.integer({ min: 0, max: 0xffffffff });
  t.notThrows(() =>
    fc.assert(
      fc.property(word, word, word, word, fc.boolean(), (low, high, base, bytes, zero) => {
        const { u32, at, marginsWhole } = room(layout.HEADER_BYTES + layout.DEBUG_RECORD_BYTES);
        const half = (n: number) => n.toString(16).padStart(8, '0');
        const fields: layout.HeaderFields = {
          version: layout.LAYOUT_VERSION,
          base,
          bytes,
          threads: (low % 256) + 1,
          contexts: high >>> 12,
          id: half(low) + half(high),
          reserveIsZero: zero,
          lockTimeoutMs: high >>> 1,
          debug: { ...layout.NO_DEBUG, guardBytes: low, strict: zero, tracePath: `ä${base}` },
        };
        if (layout.readHeader(u32, at) !== null) return false;
        layout.writeHeader(u32, at, fields);
        layout.writeDebugRecord(u32, layout.debugRecord(at), fields.debug, [low, high]);
        return isDeepStrictEqual(layout.readHeader(u32, at), fields) && marginsWhole();
      }),
      { seed },
    ),
  );
});

test('header: poison and recovery totals do not overlap; half a magic is no heap', (t) => {
  const { u32, i32, f64, at } = room(layout.HEADER_BYTES + layout.DEBUG_RECORD_BYTES);
  const fields: layout.HeaderFields = {
    version: layout.LAYOUT_VERSION,
    base: 8192,
    bytes: 4294901760,
    threads: 64,
    contexts: 9,
    id: '00000000ffffffff',
    reserveIsZero: true,
    lockTimeoutMs: 10_000,
    debug: layout.NO_DEBUG,
  };
  layout.writeHeader(u32, at, fields);
  layout.writeDebugRecord(u32, layout.debugRecord(at), fields.debug, [1, 2]);
  t.is(layout.casPoison(i32, at, layout.SOUND, layout.POISONED), layout.SOUND);
  const u8 = new Uint8Array(u32.buffer);
  const text = `${'broken ä '.repeat(80)}`;
  layout.writePoisonText(u8, u32, at, text);
  const read = layout.readPoisonText(u8, u32, at);
  t.true(read.length > 300 && text.startsWith(read.slice(0, -1)), 'cut to the room for it');
  layout.addRecovered(f64, at, layout.RECOVERED_RUNS, 3);
  layout.addRecovered(f64, at, layout.RECOVERED_RUNS, 4);
  t.is(layout.getRecovered(f64, at, layout.RECOVERED_RUNS), 7);
  t.is(layout.getRecovered(f64, at, layout.RECOVERED_SLOTS), 0);
  t.is(layout.peekPoison(i32, at), layout.POISONED);
  t.deepEqual(layout.readHeader(u32, at), fields);
  u32[at] = 0;
  t.is(layout.readHeader(u32, at), null);
});
