/**
 * Proves that readTrace() reads the format, and refuses every file that a replay could not trust
 * without checks, each with ERR_SHMALLOC_TRACE and a message that names file and reason.
 */

import { readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import test from 'ava';
import { HeapError } from 'shmalloc';
import { CALLOC, FREE, MALLOC, REALLOC, readTrace } from '../../src/trace/index.js';
import { randomFrom, seedOf } from '../helpers.js';
import { ROOT } from '../workers.js';
import { type Operation, SAMPLE, TraceFolder, traceBytes } from './make-trace.js';

const SHIPPED = fileURLToPath(new URL('bench/traces/', ROOT));

test('readTrace: returns name, counts, peak and words', async (t) => {
  const trace = await readTrace(new TraceFolder(t).trace('sample', SAMPLE, 9));
  t.is(trace.name, 'sample');
  t.is(trace.operations, SAMPLE.length);
  t.is(trace.blockIds, 9);
  t.is(trace.threads, 1);
  t.is(trace.words.length, SAMPLE.length * 2);
  t.true(trace.words.buffer instanceof SharedArrayBuffer);
  t.is(trace.words[0], MALLOC);
  t.is(trace.words[1], 100);
  t.is(trace.words[2], (1 << 8) | CALLOC);
  t.is(trace.words[4], REALLOC);
  t.is(trace.words[10], (1 << 8) | FREE);
  // At the peak block ids 0, 2 and 3 are live: 300 + 200,000 + 0, and 17 in block id 1.
  t.is(trace.peakLiveBytes, 300 + 200_000 + 17);
});

test('readTrace: accepts an empty trace', async (t) => {
  const trace = await readTrace(new TraceFolder(t).trace('empty', [], 0));
  t.is(trace.operations, 0);
  t.is(trace.peakLiveBytes, 0);
});

test('readTrace: accepts block ids and sizes that use all their bits', async (t) => {
  const id = 2 ** 24 - 1;
  const operations: Operation[] = [
    ['malloc', id, 2 ** 32 - 1],
    ['free', id],
  ];
  const trace = await readTrace(new TraceFolder(t).trace('wide', operations, 2 ** 24));
  t.is((trace.words[0] as number) >>> 8, id);
  t.is(trace.peakLiveBytes, 2 ** 32 - 1);
});

test('readTrace: reads every trace that ships with the package', async (t) => {
  const names = readdirSync(SHIPPED).filter((name) => name.endsWith('.mtr.gz'));
  t.true(names.length >= 16);
  for (const name of names) {
    const trace = await readTrace(SHIPPED + name);
    t.true(trace.operations > 0, name);
    t.true(trace.blockIds > 0, name);
  }
});

const good = traceBytes(SAMPLE, 9);
const patched = (change: (bytes: Buffer) => void): Buffer => {
  const bytes = Buffer.from(good);
  change(bytes);
  return gzipSync(bytes);
};
const withOperations = (operations: readonly Operation[], blockIds = 4) =>
  gzipSync(traceBytes(operations, blockIds));

const WRONG: Record<string, [file: Buffer, reason: RegExp]> = {
  'an empty file': [Buffer.alloc(0), /gzip/],
  'a text': [Buffer.from('malloc 100\nfree\n'), /gzip/],
  'a trace that is not zipped': [good, /gzip/],
  'a gzip file cut short': [gzipSync(good).subarray(0, 60), /gzip/],
  'a gzip file with a changed byte': [
    Buffer.from(gzipSync(good).map((byte, n) => (n === 40 ? byte ^ 0x10 : byte))),
    /gzip|MTR1|take/,
  ],
  'an empty gzip file': [gzipSync(Buffer.alloc(0)), /MTR1/],
  'another format': [gzipSync(Buffer.from('PK\x03\x04 something else')), /MTR1/],
  'a later version': [patched((bytes) => bytes.write('MTR2', 'latin1')), /MTR1/],
  'a header cut short': [gzipSync(good.subarray(0, 12)), /header/],
  'fewer operations than it says': [gzipSync(good.subarray(0, good.length - 8)), /12 operations/],
  'half an operation': [gzipSync(good.subarray(0, good.length - 3)), /12 operations/],
  'more than it says': [gzipSync(Buffer.concat([good, Buffer.alloc(8)])), /12 operations/],
  'an absurd operation count': [
    patched((bytes) => bytes.writeUInt32LE(0xffffffff, 4)),
    /4294967295 operations/,
  ],
  'an absurd block id count': [patched((bytes) => bytes.writeUInt32LE(0xffffffff, 8)), /block ids/],
  'an unknown kind': [patched((bytes) => bytes.writeUInt8(5, 16 + 8)), /operation 1 .*kind 5/],
  'kind 0': [patched((bytes) => bytes.writeUInt8(0, 16)), /operation 0 .*kind 0/],
  'a block id out of range': [withOperations([['malloc', 4, 1]]), /operation 0 .*id 4/],
  'a free of an empty block id': [
    withOperations([
      ['malloc', 1, 1],
      ['free', 2],
    ]),
    /operation 1 frees an empty block id.*id 2/,
  ],
  'a double free': [
    withOperations([
      ['malloc', 1, 1],
      ['free', 1],
      ['free', 1],
    ]),
    /operation 2 frees an empty block id/,
  ],
  'a malloc into a full block id': [
    withOperations([
      ['malloc', 1, 1],
      ['malloc', 1, 1],
    ]),
    /operation 1 fills a full block id/,
  ],
  'a calloc into a full block id': [
    withOperations([
      ['realloc', 1, 1],
      ['calloc', 1, 1],
    ]),
    /operation 1 fills a full block id/,
  ],
};

for (const [what, [file, reason]] of Object.entries(WRONG)) {
  test(`readTrace: ${what} is ERR_SHMALLOC_TRACE`, async (t) => {
    const path = new TraceFolder(t).write('wrong.mtr.gz', file);
    const error = await t.throwsAsync(readTrace(path), {
      instanceOf: HeapError,
      code: 'ERR_SHMALLOC_TRACE',
      message: reason,
    });
    t.true(error?.message.includes(path), 'the message names the file');
  });
}

test('readTrace: a missing file and a folder are ERR_SHMALLOC_TRACE', async (t) => {
  const folder = new TraceFolder(t);
  for (const path of [folder.path('nowhere.mtr.gz'), folder.path('.')]) {
    const error = await t.throwsAsync(readTrace(path), { code: 'ERR_SHMALLOC_TRACE' });
    t.true(error?.message.includes(path));
  }
});

test('readTrace: a file with changed bytes is a sound trace or ERR_SHMALLOC_TRACE', async (t) => {
  const random = randomFrom(seedOf(t));
  const folder = new TraceFolder(t);
  let refused = 0;
  let read = 0;
  for (let n = 0; n < 400; n++) {
    const bytes = Buffer.from(good);
    // The block id count is not changed, since a larger one is also valid.
    for (let change = 0; change <= random(3); change++) {
      const at = random(bytes.length);
      if (at < 8 || at >= 12) bytes.writeUInt8(random(256), at);
    }
    const path = folder.write('fuzz.mtr.gz', gzipSync(bytes));
    try {
      const { words, blockIds, operations } = await readTrace(path);
      read++;
      t.is(words.length, operations * 2);
      const live = new Set<number>();
      for (let i = 0; i < words.length; i += 2) {
        const id = (words[i] as number) >>> 8;
        const kind = (words[i] as number) & 7;
        t.true(id < blockIds && kind >= MALLOC && kind <= REALLOC);
        if (kind === FREE) t.true(live.delete(id));
        else if (kind !== REALLOC) t.false(live.has(id));
        if (kind !== FREE) live.add(id);
      }
    } catch (error) {
      refused++;
      t.is((error as { code?: string }).code, 'ERR_SHMALLOC_TRACE', String(error));
    }
  }
  t.true(refused > 0 && read > 0);
});

for (const [what, head, reason] of [
  ['that is no trace', Buffer.alloc(0), /MTR1.*replay takes allocation traces/],
  ['whose header says less', traceBytes([], 1), /more than the 0 operations of its header/],
  ['whose header says as much', forged(2 ** 28), /operation 0 is of unknown kind 0/],
  ['whose header says more than can be', forged(2 ** 31), /cannot hold them/],
] as const) {
  test.serial(
    `readTrace: a file of 2 MB that becomes 2 GB, ${what}, is refused before it does`,
    async (t) => {
      const zeros = gzipSync(Buffer.alloc(64 * 2 ** 20));
      const bomb = Buffer.concat([gzipSync(head), ...Array<Buffer>(32).fill(zeros)]);
      const path = new TraceFolder(t).write('bomb.mtr.gz', bomb);
      const before = process.resourceUsage().maxRSS;
      await t.throwsAsync(readTrace(path), { code: 'ERR_SHMALLOC_TRACE', message: reason });
      t.true((process.resourceUsage().maxRSS - before) / 1024 < 64, 'MiB more than before');
    },
  );
}

/** The header of a trace with this many operations. */
function forged(operations: number): Buffer {
  const header = traceBytes([], 1);
  header.writeUInt32LE(operations, 4);
  return header;
}

test('readTrace: the error for another file says which files it takes', async (t) => {
  const folder = new TraceFolder(t);
  for (const path of [
    folder.write('empty', Buffer.alloc(0)),
    folder.write('text', Buffer.from('malloc 100')),
    folder.write('other.gz', gzipSync(Buffer.from('something else'))),
    folder.path('.'),
  ]) {
    const message = /replay takes allocation traces \(\.mtr\.gz\)/;
    await t.throwsAsync(readTrace(path), { code: 'ERR_SHMALLOC_TRACE', message });
  }
});
