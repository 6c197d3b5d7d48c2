/**
 * Proves that the listing has every live block, in order, under the right headings; and that it is
 * written piece by piece, however many blocks there are.
 */

import test from 'ava';
import { type Address, type Block, type PrintOptions, SharedHeap } from 'shmalloc';
import { type ListingSource, writeListing } from '../../src/inspect/index.js';
import { zoneOf } from '../../src/inspect/zones.js';
import { Random, seedOf } from '../helpers.js';

const hex = (address: number): string => `0x${address.toString(16)}`;

/** The lines that a call prints. */
function printed(show: (options: PrintOptions) => void): string[] {
  const pieces: string[] = [];
  show({ write: (text) => pieces.push(text) });
  const text = pieces.join('');
  if (!text.endsWith('\n')) throw new Error('the last line has no line break');
  return text.slice(0, -1).split('\n');
}

/** Blocks by address and bytes; each region begins at the next multiple of 64 below. */
function source(blocks: [number, number][], more: Partial<ListingSource> = {}): ListingSource {
  return {
    blocks: blocks.map(([address, bytes]) => ({ address: address as Address, bytes })),
    regionOf: (address) => ({
      start: (address - (address % 64)) as Address,
      blockBytes: blocks.find(([start]) => start === address)?.[1] ?? 0,
    }),
    ...more,
  };
}

function linesOf(from: ListingSource): string[] {
  const pieces: string[] = [];
  writeListing(from, (text) => pieces.push(text));
  return pieces.join('').split('\n').slice(0, -1);
}

test('writeListing: a heading where the zone changes, a line per block, the total', (t) => {
  t.deepEqual(
    linesOf(
      source([
        [0x1010, 48],
        [0x1040, 512],
        [0x2050, 640],
        [0x3000, 16],
        [0x4000, 70_000],
        [0x9000, 80_000],
      ]),
    ),
    [
      'TINY : 0x1000',
      '0x1010 - 0x1040 : 48 bytes',
      '0x1040 - 0x1240 : 512 bytes',
      'SMALL : 0x2040',
      '0x2050 - 0x22d0 : 640 bytes',
      'TINY : 0x3000',
      '0x3000 - 0x3010 : 16 bytes',
      'LARGE : 0x4000',
      '0x4000 - 0x15170 : 70000 bytes',
      '0x9000 - 0x1c880 : 80000 bytes',
      'Total : 151216 bytes',
    ],
  );
  t.deepEqual(linesOf(source([])), ['Total : 0 bytes']);
});

test('writeListing: details are below their block, indented', (t) => {
  const blocks: [number, number][] = [
    [0x1000, 48],
    [0x1040, 48],
  ];
  const detailsOf = ({ address }: Block): string[] =>
    address === 0x1000 ? ['allocated by thread 1', 'freed by thread 2'] : [];
  t.deepEqual(linesOf(source(blocks, { detailsOf })), [
    'TINY : 0x1000',
    '0x1000 - 0x1030 : 48 bytes',
    '    allocated by thread 1',
    '    freed by thread 2',
    '0x1040 - 0x1070 : 48 bytes',
    'Total : 96 bytes',
  ]);
});

test('inspect.print blocks: lists what blocks() lists, in rising order, under the right zones', (t) => {
  using heap = SharedHeap.create({ size: '64MiB', threads: 1 });
  const random = new Random(seedOf(t));
  t.deepEqual(
    printed((o) => heap.inspect.print('blocks', o)),
    ['Total : 0 bytes'],
  );
  const live: Address[] = [];
  for (let n = 0; n < 4000; n++) {
    if (n % 3 === 2) heap.free_ts(live.splice(random.below(live.length), 1)[0] as Address);
    live.push(heap.malloc_ts(random.pick([16, 100, 512, 600, 3000, 65_536, 65_537, 100_000])));
  }
  const blocks = heap.inspect.blocks();
  t.is(blocks.length, live.filter((address) => address !== 0).length);
  const lines = printed((options) => heap.inspect.print('blocks', options));
  const blockLines = lines.filter((line) => line.endsWith(' bytes') && !line.startsWith('Total'));
  t.deepEqual(
    blockLines,
    blocks.map(
      ({ address, bytes }) => `${hex(address)} - ${hex(address + bytes)} : ${bytes} bytes`,
    ),
  );
  const total = blocks.reduce((sum, { bytes }) => sum + bytes, 0);
  t.is(lines.at(-1), `Total : ${total} bytes`);
  t.is(heap.stats().inUseBytes, total);

  let zone = '';
  for (const [n, line] of lines.slice(0, -1).entries()) {
    const [, heading, region] = /^(TINY|SMALL|LARGE) : (0x[0-9a-f]+)$/.exec(line) ?? [];
    if (heading !== undefined) {
      t.not(heading, zone, 'a heading is not repeated');
      zone = heading;
      const [next = ''] = lines[n + 1]?.split(' ') ?? [];
      t.true(Number(region) <= Number(next) && Number(region) % 8192 === 0, line);
    } else t.is(zoneOf(Number(line.split(' ')[4])).toUpperCase(), zone, line);
  }
  t.true(lines.filter((line) => line.startsWith('LARGE')).length > 0);
});

test('inspect.print contents: adds the first 64 bytes of each block', (t) => {
  using heap = SharedHeap.create({ size: '4MiB', threads: 1 });
  const small = heap.calloc_ts(1, 20);
  const long = heap.calloc_ts(1, 1000);
  for (let n = 0; n < 1000; n++) heap.u8[long + n] = n;
  heap.u8.set(new TextEncoder().encode('twenty bytes of text'), small);
  const lines = printed((options) => heap.inspect.print('contents', options));
  t.deepEqual(
    lines.filter((line) => !line.startsWith('    ')),
    printed((options) => heap.inspect.print('blocks', options)),
  );
  const at = lines.findIndex((line) => line.startsWith(hex(small)));
  t.regex(lines[at + 1] as string, /^ {4}[0-9a-f]{8} {2}74 77 65 6e .*\|twenty bytes of \|$/);
  t.regex(lines[at + 2] as string, /\|text\.{12}\|$/);
  t.false(lines[at + 3]?.startsWith('    '));
  const dumped = lines.slice(lines.findIndex((line) => line.startsWith(hex(long))) + 1);
  t.is(dumped.filter((line) => line.startsWith('    ')).length, 4);
});

test('inspect.print blocks: a million blocks are written in pieces, never as one text', (t) => {
  using heap = SharedHeap.create({ size: '64MiB', threads: 1 });
  const count = 1_000_000;
  for (let n = 0; n < count; n++) if (heap.malloc_ts(16) === 0) t.fail('the heap is full');
  let pieces = 0;
  let longest = 0;
  let lines = 0;
  let last = '';
  heap.inspect.print('blocks', {
    write(text) {
      pieces++;
      longest = Math.max(longest, text.length);
      for (let at = text.indexOf('\n'); at >= 0; at = text.indexOf('\n', at + 1)) lines++;
      last = text;
    },
  });
  t.true(longest < 65 * 1024, `the longest piece has ${longest} characters`);
  t.true(pieces > 400, `${pieces} pieces`);
  t.is(lines, count + 2);
  t.true(last.endsWith(`Total : ${count * 16} bytes\n`));
});
