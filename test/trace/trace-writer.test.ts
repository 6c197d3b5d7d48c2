/**
 * Proves that a file of createTraceWriter() is read back as it was written, at any length; that an
 * unfinished file is refused; and the name of a file.
 */

import { mkdirSync, readdirSync, readFileSync, utimesSync } from 'node:fs';
import { dirname } from 'node:path';
import { gunzipSync } from 'node:zlib';
import test from 'ava';
import {
  blockIdOf,
  CALLOC,
  createTraceWriter,
  FREE,
  kindOf,
  MALLOC,
  REALLOC,
  readTrace,
  threadOf,
} from '../../src/trace/index.js';
import { numbered } from '../../src/trace/trace-writer.js';
import { SAMPLE, TraceFolder, traceBytes } from './make-trace.js';

const KINDS = { malloc: MALLOC, free: FREE, calloc: CALLOC, realloc: REALLOC };

/** Writes a trace of mallocs whose block ids count up. */
function write(path: string, operations: number): string {
  const writer = createTraceWriter(path);
  for (let n = 0; n < operations; n++) writer.add(MALLOC, 0, n, 1);
  writer.finish(operations, 1);
  return writer.path;
}

test('createTraceWriter: writes the format', (t) => {
  const writer = createTraceWriter(new TraceFolder(t).path('sample.mtr.gz'));
  for (const [kind, id, bytes = 0] of SAMPLE) writer.add(KINDS[kind], 0, id, bytes);
  t.is(writer.operations(), SAMPLE.length);
  writer.finish(9, 1);
  t.deepEqual(gunzipSync(readFileSync(writer.path)), traceBytes(SAMPLE, 9));
});

test('createTraceWriter: fields do not overlap, and use all their bits', async (t) => {
  const writer = createTraceWriter(new TraceFolder(t).path('wide.mtr.gz'));
  const id = 2 ** 24 - 1;
  writer.add(MALLOC, 31, id, 2 ** 32 - 1);
  writer.add(REALLOC, 33, id, 7);
  writer.finish(2 ** 24, 34);
  const { words, threads } = await readTrace(writer.path);
  t.deepEqual([kindOf(words[0]), threadOf(words[0]), blockIdOf(words[0])], [MALLOC, 31, id]);
  t.deepEqual([kindOf(words[2]), threadOf(words[2]), blockIdOf(words[2])], [REALLOC, 1, id]);
  t.deepEqual([words[1], words[3]], [2 ** 32 - 1, 7]);
  t.is(threads, 34);
});

test('createTraceWriter: writes a trace of several pieces', async (t) => {
  const operations = 300_001;
  const trace = await readTrace(write(new TraceFolder(t).path('long.mtr.gz'), operations));
  t.is(trace.operations, operations);
  for (let n = 0; n < operations; n++) {
    if (blockIdOf(trace.words[2 * n]) !== n) t.fail(`operation ${n}`);
  }
});

test('createTraceWriter: an unfinished file is refused', async (t) => {
  const writer = createTraceWriter(new TraceFolder(t).path('half.mtr.gz'));
  for (let n = 0; n < 200_000; n++) writer.add(MALLOC, 0, n, 1);
  await t.throwsAsync(readTrace(writer.path), { code: 'ERR_SHMALLOC_TRACE' });
  writer.abandon();
  t.deepEqual(readdirSync(dirname(writer.path)), []);
});

test('createTraceWriter: keeps a file of this run, and replaces one of an earlier run', async (t) => {
  const path = new TraceFolder(t).path('app.mtr.gz');
  t.is(write(path, 1), path);
  const second = path.replace('app', 'app.2');
  t.is(write(path, 2), second);
  t.is(write(path, 3), path.replace('app', 'app.3'));
  t.is((await readTrace(path)).operations, 1);
  utimesSync(second, new Date('2020-01-01'), new Date('2020-01-01'));
  t.is(write(path, 4), second);
  t.is((await readTrace(second)).operations, 4);
});

test('createTraceWriter: keeps a folder of the same name', (t) => {
  const path = new TraceFolder(t).path('folder');
  mkdirSync(path);
  t.is(write(path, 1), `${path}.2`);
});

test('numbered: puts the number before the extension', (t) => {
  t.is(numbered('app.mtr.gz', 2), 'app.2.mtr.gz');
  t.is(numbered('/a.b/app.mtr.gz', 10), '/a.b/app.10.mtr.gz');
  t.is(numbered('../x/app.trace', 3), '../x/app.3.trace');
  t.is(numbered('app', 2), 'app.2');
  t.is(numbered('.mtr.gz', 2), '.2.mtr.gz');
});
