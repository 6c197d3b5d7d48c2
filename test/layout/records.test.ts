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
import * as Baseline from '../../src/layout/baseline.js';
import * as ClassRecord from '../../src/layout/class-record.js';
import * as DebugRecord from '../../src/layout/debug-record.js';
import * as Header from '../../src/layout/header.js';
import type * as layout from '../../src/layout/index.js';
import * as LockTable from '../../src/layout/lock-table.js';
import * as PageRecord from '../../src/layout/page-record.js';
import * as Registry from '../../src/layout/registry.js';
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
  const { i32, at, marginsWhole } = room(PageRecord.BYTES);
  const bitmap = Array.from(
    { length: 16 },
    (_, n): Field => ({
      name: `bitmap ${n}`,
      write: (value) => PageRecord.setBitmap(i32, at, n, value),
      read: () => PageRecord.getBitmap(i32, at, n),
    }),
  );
  const clashes = findClashes([
    {
      name: 'run',
      write: (v) => PageRecord.setRun(i32, at, v),
      read: () => PageRecord.getRun(i32, at),
    },
    {
      name: 'tail',
      write: (v) => PageRecord.setTail(i32, at, v),
      read: () => PageRecord.getTail(i32, at),
    },
    {
      name: 'next',
      write: (v) => PageRecord.setNext(i32, at, v as PageIndex),
      read: () => PageRecord.getNext(i32, at),
    },
    {
      name: 'prev',
      write: (v) => PageRecord.setPrev(i32, at, v as PageIndex),
      read: () => PageRecord.getPrev(i32, at),
    },
    {
      name: 'spanHead',
      write: (v) => PageRecord.setSpanHead(i32, at, v as PageIndex),
      read: () => PageRecord.getSpanHead(i32, at),
    },
    {
      name: 'freeCount',
      write: (v) => PageRecord.setFreeCount(i32, at, v),
      read: () => PageRecord.getFreeCount(i32, at),
    },
    ...bitmap,
  ]);
  t.deepEqual(clashes, []);
  t.true(marginsWhole());
});

test('class records: the records of all classes do not overlap', (t) => {
  const { i32, at, marginsWhole } = room(ClassRecord.TABLE_BYTES);
  const fields = Array.from({ length: CLASS_ENTRIES }, (_, c): Field[] => {
    const record = ClassRecord.at(at, c as SizeClass);
    return [
      {
        name: `partial ${c}`,
        write: (v) =>
          ClassRecord.setPartial(i32, ClassRecord.unownedPartial(record), v as PageIndex),
        read: () => ClassRecord.getPartial(i32, ClassRecord.unownedPartial(record)),
      },
      {
        name: `spans ${c}`,
        write: (v) => ClassRecord.addSpanCount(i32, record, v),
        read: () => ClassRecord.getSpanCount(i32, record),
      },
    ];
  });
  t.deepEqual(findClashes(fields.flat()), []);
  t.true(marginsWhole());
});

test('locks: words and counters do not overlap, and each lock has its own line', (t) => {
  const { i32, f64, at, marginsWhole } = room(LockTable.BYTES);
  t.is(LockTable.COUNT, SIZE_CLASS_COUNT + 2);
  const counters = [LockTable.ACQUISITIONS, LockTable.CONTENTIONS, LockTable.WAIT_NANOSECONDS];
  const fields = Array.from({ length: LockTable.COUNT }, (_, n): Field[] => {
    const line = LockTable.at(at, n as layout.LockIndex);
    const word: Field = {
      name: `lock ${n}`,
      write: (v) => LockTable.swap(i32, line, v),
      read: () => LockTable.peek(i32, line),
    };
    const counts = counters.map(
      (which): Field => ({
        name: `lock ${n} counter ${which}`,
        write: (v) => LockTable.addCounter(f64, line, which, v),
        read: () => LockTable.getCounter(f64, line, which),
      }),
    );
    return [word, ...counts];
  });
  t.deepEqual(findClashes(fields.flat()), []);
  t.true(marginsWhole());
  const line = LockTable.at(at, LockTable.PAGE);
  t.is((LockTable.at(at, LockTable.RECOVERY) * 4) % 64, 0);
  t.is(line - LockTable.at(at, (LockTable.PAGE - 1) as layout.LockIndex), 16);
  t.is(LockTable.ofWord(at, LockTable.wordOf(line)), LockTable.PAGE);
  LockTable.swap(i32, line, 77);
  t.is(LockTable.swap(i32, line, 78), 77);
  t.is(i32[LockTable.wordOf(line)], 78);
});

test('registry: a slot is claimed once, and 256 slots do not overlap', (t) => {
  const { i32, at, marginsWhole } = room(Registry.bytes(256));
  for (let s = 0 as SlotIndex; s < 256; s++) {
    t.true(Registry.casOwner(i32, at, s, s + 1000));
    t.false(Registry.casOwner(i32, at, s, 7));
  }
  for (let s = 0 as SlotIndex; s < 256; s++) t.is(Registry.loadOwner(i32, at, s), s + 1000);
  Registry.storeOwner(i32, at, 3 as SlotIndex, 0);
  t.is(Registry.loadOwner(i32, at, 3 as SlotIndex), 0);
  t.true(marginsWhole());
});

test('baseline: entries of heap, classes and slots do not overlap, for 1 and 256 threads', (t) => {
  for (const threads of [1, 256]) {
    const { f64, at, marginsWhole } = room(Baseline.bytes(threads));
    const entries = [
      ...Array.from({ length: Baseline.HEAP_ENTRIES }, (_, n) => Baseline.heapEntry(n)),
      ...Array.from({ length: CLASS_ENTRIES * Baseline.CLASS_FIELDS }, (_, n) =>
        Baseline.classEntry(n >> 1, n & 1),
      ),
      ...Array.from({ length: threads * Baseline.SLOT_FIELDS }, (_, n) =>
        Baseline.slotEntry(n >> 2, n & 3),
      ),
    ];
    t.is(new Set(entries).size, entries.length);
    const fields = entries.map(
      (entry): Field => ({
        name: `entry ${entry}`,
        write: (v) => Baseline.set(f64, at, entry, v),
        read: () => Baseline.get(f64, at, entry),
      }),
    );
    t.deepEqual(findClashes(fields), []);
    t.true(marginsWhole());
  }
});

test('runWord: keeps kind, owner and length, at all limits', (t) => {
  const kinds = [
    PageRecord.FREE_RUN,
    PageRecord.UNTOUCHED_RUN,
    PageRecord.RESERVED_RUN,
    PageRecord.SPAN_RUN,
    PageRecord.LARGE_RUN,
  ];
  t.true(Registry.THREADS_MAX - 1 <= PageRecord.RUN_OWNER_MAX);
  t.true(SIZE_CLASS_COUNT <= PageRecord.RUN_OWNER_MAX);
  for (const kind of kinds) {
    for (const owner of [0, 1, 44, 255, PageRecord.RUN_OWNER_MAX]) {
      for (const pages of [1, 2, 511, 65536, PageRecord.RUN_PAGES_MAX]) {
        const word = PageRecord.wordOf(kind, owner, pages);
        t.is(word, word | 0, 'signed, as the view stores it');
        t.is(PageRecord.kindOf(word), kind);
        t.is(PageRecord.ownerOf(word), owner);
        t.is(PageRecord.pagesOf(word), pages);
      }
    }
  }
  const seed = seedOf(t);
  t.notThrows(() =>
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: PageRecord.RUN_OWNER_MAX }),
        fc.integer({ min: 0, max: PageRecord.RUN_PAGES_MAX }),
        fc.constantFrom(...kinds),
        (owner, pages, kind) => {
          const word = PageRecord.wordOf(kind, owner, pages);
          return (
            PageRecord.kindOf(word) === kind &&
            PageRecord.ownerOf(word) === owner &&
            PageRecord.pagesOf(word) === pages
          );
        },
      ),
      { seed, numRuns: 2000 },
    ),
  );
});

test('RUN_KIND_NAMES: one name for each kind, and 0 is no kind', (t) => {
  t.deepEqual(PageRecord.RUN_KIND_NAMES, [
    'invalid',
    'free',
    'untouched',
    'reserved',
    'span',
    'large',
  ]);
  t.is(PageRecord.RUN_KIND_NAMES[PageRecord.UNTOUCHED_RUN], 'untouched');
  t.is(PageRecord.RUN_KIND_NAMES[PageRecord.LARGE_RUN], 'large');
});

test('header: is read as it was written, for any id and place', (t) => {
  const seed = seedOf(t);
  const word = fc.integer({ min: 0, max: 0xffffffff });
  t.notThrows(() =>
    fc.assert(
      fc.property(word, word, word, word, fc.boolean(), (low, high, base, bytes, zero) => {
        const { u32, at, marginsWhole } = room(Header.RECORD_BYTES + DebugRecord.BYTES);
        const half = (n: number) => n.toString(16).padStart(8, '0');
        const fields: layout.HeaderFields = {
          version: Header.LAYOUT_VERSION,
          base,
          bytes,
          threads: (low % 256) + 1,
          contexts: high >>> 12,
          id: half(low) + half(high),
          reserveIsZero: zero,
          lockTimeoutMs: high >>> 1,
          debug: { ...DebugRecord.NONE, guardBytes: low, strict: zero, tracePath: `ä${base}` },
        };
        if (Header.read(u32, at) !== null) return false;
        Header.write(u32, at, fields);
        DebugRecord.write(u32, Header.debugRecord(at), fields.debug, [low, high]);
        return isDeepStrictEqual(Header.read(u32, at), fields) && marginsWhole();
      }),
      { seed },
    ),
  );
});

test('header: poison and recovery totals do not overlap; half a magic is no heap', (t) => {
  const { u32, i32, f64, at } = room(Header.RECORD_BYTES + DebugRecord.BYTES);
  const fields: layout.HeaderFields = {
    version: Header.LAYOUT_VERSION,
    base: 8192,
    bytes: 4294901760,
    threads: 64,
    contexts: 9,
    id: '00000000ffffffff',
    reserveIsZero: true,
    lockTimeoutMs: 10_000,
    debug: DebugRecord.NONE,
  };
  Header.write(u32, at, fields);
  DebugRecord.write(u32, Header.debugRecord(at), fields.debug, [1, 2]);
  t.is(Header.casPoison(i32, at, Header.SOUND, Header.POISONED), Header.SOUND);
  const u8 = new Uint8Array(u32.buffer);
  const text = `${'broken ä '.repeat(80)}`;
  Header.writePoisonText(u8, u32, at, text);
  const read = Header.readPoisonText(u8, u32, at);
  t.true(read.length > 300 && text.startsWith(read.slice(0, -1)), 'cut to the room for it');
  Header.addRecovered(f64, at, Header.RECOVERED_RUNS, 3);
  Header.addRecovered(f64, at, Header.RECOVERED_RUNS, 4);
  t.is(Header.getRecovered(f64, at, Header.RECOVERED_RUNS), 7);
  t.is(Header.getRecovered(f64, at, Header.RECOVERED_SLOTS), 0);
  t.is(Header.peekPoison(i32, at), Header.POISONED);
  t.deepEqual(Header.read(u32, at), fields);
  u32[at] = 0;
  t.is(Header.read(u32, at), null);
});
