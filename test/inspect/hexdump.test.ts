/**
 * Proves what a hexdump shows, to the letter; that it stays inside the block unless a length says
 * otherwise; and that each kind of wrong address has a message of its own.
 */

import test from 'ava';
import { type Address, InvalidAddressError, type InvalidAddressReason, SharedHeap } from 'shmalloc';
import type { SizeClass } from '../../src/base/index.js';
import type { BlockDetails } from '../../src/blocks/index.js';
import { hexRows, renderHexdump } from '../../src/inspect/index.js';
import { geometryOf } from '../helpers.js';

/** A heap with one block, which holds the bytes 0, 1, 2 ... */
function counting(size: number): { heap: SharedHeap; address: Address; bytes: number } {
  const heap = SharedHeap.create({ size: '2MiB', threads: 1 });
  const address = heap.malloc_ts(size);
  const bytes = heap.usableSize(address);
  for (let n = 0; n < bytes; n++) heap.u8[address + n] = n;
  return { heap, address, bytes };
}

const rowsOf = (text: string): string[] => text.split('\n').slice(1);
const digits = (address: number): string => address.toString(16).padStart(8, '0');

test('inspect.hexdump: header, hexadecimal, ASCII, to the letter', (t) => {
  const { heap, address } = counting(100);
  heap.u8.set(new TextEncoder().encode('Hello, shared heap ~\x7f'), address + 32);
  t.is(
    heap.inspect.hexdump(address),
    [
      `block at 0x${address.toString(16)}: class 7, 112 bytes usable, thread unknown, live`,
      `${digits(address)}  00 01 02 03 04 05 06 07  08 09 0a 0b 0c 0d 0e 0f  |................|`,
      `${digits(address + 16)}  10 11 12 13 14 15 16 17  18 19 1a 1b 1c 1d 1e 1f  |................|`,
      `${digits(address + 32)}  48 65 6c 6c 6f 2c 20 73  68 61 72 65 64 20 68 65  |Hello, shared he|`,
      `${digits(address + 48)}  61 70 20 7e 7f 35 36 37  38 39 3a 3b 3c 3d 3e 3f  |ap ~.56789:;<=>?|`,
      `${digits(address + 64)}  40 41 42 43 44 45 46 47  48 49 4a 4b 4c 4d 4e 4f  |@ABCDEFGHIJKLMNO|`,
      `${digits(address + 80)}  50 51 52 53 54 55 56 57  58 59 5a 5b 5c 5d 5e 5f  |PQRSTUVWXYZ[\\]^_|`,
      `${digits(address + 96)}  60 61 62 63 64 65 66 67  68 69 6a 6b 6c 6d 6e 6f  |\`abcdefghijklmno|`,
    ].join('\n'),
  );
  heap.detach();
});

test('inspect.hexdump: offset and length choose the bytes; the last row is as wide as the others', (t) => {
  const { heap, address } = counting(48);
  t.deepEqual(rowsOf(heap.inspect.hexdump(address, { offset: 3, length: 20 })), [
    `${digits(address + 3)}  03 04 05 06 07 08 09 0a  0b 0c 0d 0e 0f 10 11 12  |................|`,
    `${digits(address + 19)}  13 14 15 16                                       |....|`,
  ]);
  t.deepEqual(rowsOf(heap.inspect.hexdump(address, { offset: 40 })), [
    `${digits(address + 40)}  28 29 2a 2b 2c 2d 2e 2f                           |()*+,-./|`,
  ]);
  t.deepEqual(rowsOf(heap.inspect.hexdump(address, { length: 9 })), [
    `${digits(address)}  00 01 02 03 04 05 06 07  08                       |.........|`,
  ]);
  t.deepEqual(rowsOf(heap.inspect.hexdump(address, { length: 0 })), []);
  t.deepEqual(rowsOf(heap.inspect.hexdump(address, { offset: 48 })), []);
  heap.detach();
});

test('inspect.hexdump: goes past the block only with a length, and never past the heap', (t) => {
  const { heap, address, bytes } = counting(48);
  heap.u8.fill(0xee, address + bytes, address + 200);
  t.false(heap.inspect.hexdump(address).includes('ee'));
  t.is(rowsOf(heap.inspect.hexdump(address, { length: 64 })).length, 4);
  t.regex(heap.inspect.hexdump(address, { length: 64 }), /ee ee ee/);
  const { dataStart, end } = geometryOf(heap);
  const last = heap.malloc_ts(200_000);
  const reach = end - last;
  const tail = heap.inspect.hexdump(last, { offset: reach - 20, length: 1000 });
  t.deepEqual(
    rowsOf(tail).map((row) => row.slice(0, 8)),
    [digits(end - 20), digits(end - 4)],
  );
  t.deepEqual(rowsOf(heap.inspect.hexdump(last, { offset: reach, length: 16 })), []);
  for (const options of [
    { offset: 204_801 },
    { offset: dataStart - last - 1 },
    { offset: dataStart - last - 1, length: 16 },
    { offset: 0.5 },
    { offset: reach + 1, length: 16 },
    { length: -1 },
    { length: 1.5 },
    { length: NaN },
    { length: 2 ** 27 },
  ]) {
    t.throws(() => heap.inspect.hexdump(last, options), {
      instanceOf: RangeError,
      code: 'ERR_SHMALLOC_INVALID_SIZE',
      message:
        /^inspect.hexdump: (offset|length) must be a whole number of bytes from -?\d+ to \d+ \(.*\), got /,
    });
  }
  t.throws(() => heap.inspect.hexdump(last, { offset: 204_801 }), {
    message: /to 204800 \(the block's end; a length reaches past it\), got 204801$/,
  });
  t.is(rowsOf(heap.inspect.hexdump(address, { offset: bytes + 16, length: 16 })).length, 1);
  heap.detach();
});

test('inspect.hexdump: an offset below 0 shows bytes before the block, down to the first data page', (t) => {
  const debug = { guard: 16 };
  using heap = SharedHeap.create({ size: '4MiB', threads: 1, debug });
  const address = heap.malloc_ts(32);
  heap.u8.fill(0xab, address - 16, address);
  heap.u8.fill(0xcd, address, address + 32);
  const rows = rowsOf(heap.inspect.hexdump(address, { offset: -16 }));
  t.is(rows.length, 3, "from the red zone to the block's end");
  t.regex(rows[0] as string, /^[0-9a-f]{8} ( ab){8} ( ab){8} /);
  t.true(rows[0]?.startsWith(digits(address - 16)));
  t.is(rowsOf(heap.inspect.hexdump(address, { offset: -16, length: 16 })).length, 1);
  const { dataStart } = geometryOf(heap);
  const all = rowsOf(heap.inspect.hexdump(address, { offset: dataStart - address }));
  t.true(all[0]?.startsWith(digits(dataStart)));
});

test('inspect.hexdump: an unknown option is refused, and the nearest one is named', (t) => {
  const { heap, address } = counting(48);
  for (const [options, message] of [
    [{ lenght: 5 }, /^inspect.hexdump: there is no option 'lenght'; the nearest is 'length'$/],
    [null, /^inspect.hexdump: options are an object with 'length' and 'offset', got null$/],
    [16, /got 16$/],
    [[16], /got an array of 1$/],
  ] as const) {
    t.throws(() => heap.inspect.hexdump(address, options as never), {
      instanceOf: TypeError,
      code: 'ERR_SHMALLOC_INVALID_OPTION',
      message,
    });
  }
  heap.detach();
});

test('inspect.hexdump: shows the first 64 KiB of a large block, and how many bytes are left', (t) => {
  using heap = SharedHeap.create({ size: '4MiB', threads: 1 });
  const address = heap.calloc_ts(1, 200_000);
  for (let at = 0; at < 204_800; at += 4) heap.u32[(address + at) >>> 2] = at;
  const rows = rowsOf(heap.inspect.hexdump(address));
  t.is(rows.length, 4097);
  t.is(rows.at(-1), '... and 139264 more bytes: set length to see them');
  t.is(rowsOf(heap.inspect.hexdump(address, { length: 204_800 })).length, 12_800);
  t.regex(heap.inspect.hexdump(address), /: large, 204800 bytes usable, thread unknown, live\n/);
});

test('inspect.hexdump: four or more equal rows are folded, three are not', (t) => {
  const rows = (pattern: string): string[] => {
    const u8 = Uint8Array.from([...pattern].flatMap((c) => new Array(16).fill(c.charCodeAt(0))));
    return [...hexRows(u8, 0, u8.length)].map((row) => (row === '*' ? row : (row[61] as string)));
  };
  t.is(rows('aaa').join(''), 'aaa');
  t.is(rows('aaaa').join(''), 'a*a');
  t.is(rows('aaaaaaaa').join(''), 'a*a');
  t.is(rows('xaaaay').join(''), 'xa*ay');
  t.is(rows('aaaabbbbb').join(''), 'a*ab*b');
  t.is(rows('abababab').join(''), 'abababab');
  const odd = new Uint8Array(70);
  t.deepEqual(
    [...hexRows(odd, 0, 70)].map((row) => row.slice(0, 8)),
    ['00000000', '*', '00000030', '00000040'],
    'a partial last row is always shown',
  );
});

test('inspect.hexdump: the header of a free block says so', (t) => {
  const { heap, address } = counting(64);
  heap.free_ts(address);
  t.regex(heap.inspect.hexdump(address), /: class 4, 64 bytes usable, thread unknown, free\n/);
  heap.detach();
});

test('inspect.hexdump: the header includes what debug options record', (t) => {
  const details: BlockDetails = {
    address: 32 as Address,
    bytes: 48,
    sizeClass: 5 as SizeClass,
    state: 'quarantined',
    requested: 41,
    allocatedBy: { threadId: 3, stack: '' },
    freedBy: { threadId: 7, stack: '' },
  };
  const [header] = renderHexdump(new Uint8Array(96), { dataStart: 0, end: 96 }, details, {}).split(
    '\n',
  );
  t.is(
    header,
    'block at 0x20: class 5, 48 bytes usable (41 asked for), thread 3, free (in quarantine), ' +
      'freed by thread 7',
  );
});

test('inspect.hexdump: each kind of wrong address has a reason and a message of its own', (t) => {
  using heap = SharedHeap.create({ size: '4MiB', threads: 1 });
  const live = heap.malloc_ts(48);
  const freed = heap.malloc_ts(112);
  const pages = heap.malloc_ts(300_000);
  heap.free_ts(freed);
  heap.free_ts(pages);
  const { dataStart, end } = geometryOf(heap);
  const hex = (address: number): string => `0x${address.toString(16)}`;
  const wrong: [unknown, InvalidAddressReason, string][] = [
    [0, 'null', 'null: no block begins there'],
    [live + 4, 'misaligned', 'not a multiple of 16, and inside the block at'],
    [live + 16, 'interior', `inside the block at ${hex(live)}, 48 bytes, class 3`],
    [freed + 16, 'freed', `inside the free block at ${hex(freed)}`],
    [pages, 'freed', 'in free pages at'],
    [end - 2 ** 21, 'untouched', 'in pages that were never allocated'],
    [8192, 'metadata', `in the heap's metadata, which ends at ${hex(dataStart)}`],
    [end, 'out-of-range', `past the heap's end at ${hex(end)}`],
    [-16, 'negative', 'addresses are not negative'],
    [16.5, 'fractional', 'addresses are whole numbers of bytes'],
    [NaN, 'nan', 'NaN is no address'],
    ['16', 'not-a-number', 'a string is no address'],
  ];
  for (const [address, reason, text] of wrong) {
    const error = t.throws(() => heap.inspect.hexdump(address as Address), {
      instanceOf: InvalidAddressError,
    });
    t.is(error.reason, reason, String(address));
    t.true(error.message.startsWith('cannot hexdump '), error.message);
    t.true(error.message.includes(text), error.message);
  }
});
