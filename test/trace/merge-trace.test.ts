/**
 * Proves that a heap's trace is what its threads did: every call once and in order; that it can be replayed
 * when events are missing, and reports them; and that no file but the trace stays behind.
 * merge-trace.long.test.ts has threads that are killed, or still run.
 */

import { mkdirSync, readdirSync } from 'node:fs';
import { dirname } from 'node:path';
import test from 'ava';
import fc from 'fast-check';
import type { SlotIndex } from '../../src/base/index.js';
import * as DebugRecord from '../../src/layout/debug-record.js';
import * as Header from '../../src/layout/header.js';
import * as TraceBuffer from '../../src/layout/trace-buffer.js';
import {
  CALLOC,
  FREE,
  finishTrace,
  MALLOC,
  REALLOC,
  readTrace,
  type TraceSummary,
} from '../../src/trace/index.js';
import { seedOf } from '../helpers.js';
import { ended } from '../workers.js';
import { TraceFolder } from './make-trace.js';
import { assertLogs, replays, Traced } from './traced.js';
import { CallLog, CallTracer, makeTracedMemory, TracedThread, tellTrace } from './traced-heap.js';

// ---- One thread

test('finishTrace: an unused heap has an empty trace', async (t) => {
  const traced = new Traced(t);
  const summary = traced.finish();
  t.like(summary, { path: traced.path, operations: 0, blockIds: 0, threads: 0, truncated: false });
  t.is((await readTrace(traced.path)).operations, 0);
  await replays(t, traced.path);
  t.deepEqual(traced.warnings, []);
});

test('finishTrace: has every kind of call, and as many block ids as blocks were live', async (t) => {
  const traced = new Traced(t);
  const { thread, log } = traced.thread(0);
  const a = thread.malloc(100);
  const b = thread.calloc(5000);
  const c = thread.realloc(a, 300);
  thread.free(b);
  const d = thread.malloc(17);
  thread.free(thread.realloc(d, 20));
  thread.free(c);
  t.like(traced.finish(), { operations: 8, blockIds: 2, threads: 1, dropped: 0, repaired: 0 });
  t.deepEqual((await tellTrace(traced.path)).all, log.lines());
  t.deepEqual(traced.files(), ['app.mtr.gz']);
});

test('finishTrace: realloc of 0 allocates, realloc to 0 bytes frees', async (t) => {
  const traced = new Traced(t);
  const tracer = new CallTracer(traced.memory, 0 as SlotIndex, 0, traced.path);
  tracer.moved(0, 4096, 10);
  tracer.moved(4096, 8192, 20);
  tracer.moved(8192, 0, 0);
  tracer.allocated(MALLOC, 8192, 30);
  t.like(traced.finish(), { operations: 4, blockIds: 1, dropped: 0, repaired: 0 });
  t.deepEqual((await tellTrace(traced.path)).all, [
    'realloc 0 10',
    'realloc 10 20',
    'free 20 0',
    'malloc 0 30',
  ]);
});

test('finishTrace: has a long program whose slot several threads use, one after the other', async (t) => {
  const traced = new Traced(t, 1);
  const logs = [1, 2, 3].map((threadId) => {
    const { thread, log } = traced.thread(threadId, 5000);
    thread.runAtRandom(seedOf(t) + threadId, traced.mail);
    thread.detach();
    return log.lines();
  });
  t.is(traced.files().length, 1, 'a spool');
  t.like(traced.finish(), { operations: 15_000, threads: 3, dropped: 0, repaired: 0, lost: 0 });
  t.deepEqual((await tellTrace(traced.path)).all, logs.flat());
  t.deepEqual(traced.files(), ['app.mtr.gz']);
  await replays(t, traced.path);
});

test('finishTrace: runs once only, and nothing is traced after it', async (t) => {
  const traced = new Traced(t);
  const { thread } = traced.thread(0);
  thread.malloc(10);
  t.is(traced.finish()?.operations, 1);
  for (let n = 0; n < 3 * TraceBuffer.EVENTS_MAX; n++) thread.free(thread.malloc(20));
  t.is(traced.finish(), null);
  t.is((await readTrace(traced.path)).operations, 1);
  t.deepEqual(traced.files(), ['app.mtr.gz']);
});

// ---- Several threads

test.serial('finishTrace: has the calls of threads that trade blocks', async (t) => {
  const traced = new Traced(t);
  const workers = [1, 2, 3].map((n) => traced.worker(seedOf(t) + n, 20_000));
  await Promise.all(workers.map(({ worker }) => ended(worker)));
  t.like(traced.finish(), { operations: 60_000, threads: 3, dropped: 0, repaired: 0, lost: 0 });
  await assertLogs(
    t,
    traced.path,
    workers.map(({ log }) => log.lines()),
  );
  t.deepEqual(traced.warnings, []);
  t.deepEqual(traced.files(), ['app.mtr.gz']);
  await replays(t, traced.path);
});

// ---- Against a model

interface Step {
  readonly thread: number;
  readonly what: 'malloc' | 'calloc' | 'realloc' | 'move' | 'free' | 'replace';
  readonly pick: number;
  readonly bytes: number;
}

const steps = fc.array(
  fc.record<Step>({
    thread: fc.nat(3),
    what: fc.constantFrom('malloc', 'malloc', 'calloc', 'realloc', 'move', 'free', 'replace'),
    pick: fc.nat(1000),
    bytes: fc.nat(100_000),
  }),
  { maxLength: 400 },
);

/** Runs a program of four tracers on invented addresses; a freed address is used again at once. */
function runModel(traced: Traced, program: readonly Step[], repeat: number): string[] {
  let threadId = 0;
  const make = (slot: number) =>
    new CallTracer(traced.memory, slot as SlotIndex, threadId++, traced.path);
  const tracers = [0, 1, 2, 3].map(make);
  const live: { address: number; bytes: number }[] = [];
  const free: number[] = [];
  const told: string[] = [];
  const place = () => free.pop() ?? 4096 + 16 * (live.length + free.length);
  for (let n = 0; n < program.length * repeat; n++) {
    const { thread, what, pick, bytes } = program[n % program.length];
    const tracer = tracers[thread];
    const block = live[pick % live.length];
    if (what === 'replace') {
      // The thread is killed: it closes nothing.
      tracers[thread] = make(thread);
    } else if (block === undefined || what === 'malloc' || what === 'calloc') {
      const kind = what === 'calloc' ? CALLOC : MALLOC;
      const made = { address: place(), bytes };
      tracer.allocated(kind, made.address, bytes);
      live.push(made);
      told.push(`${kind === CALLOC ? 'calloc' : 'malloc'} 0 ${bytes}`);
    } else if (what === 'free') {
      tracer.freed(block.address);
      live.splice(live.indexOf(block), 1);
      free.push(block.address);
      told.push(`free ${block.bytes} 0`);
    } else {
      const from = block.address;
      if (what === 'move') block.address = place();
      tracer.moved(from, block.address, bytes);
      if (what === 'move') free.push(from);
      told.push(`realloc ${block.bytes} ${bytes}`);
      block.bytes = bytes;
    }
  }
  return told;
}

test('finishTrace: has exactly the operations of any program', async (t) => {
  let last = '';
  await fc.assert(
    fc.asyncProperty(steps, fc.constantFrom(1, 1, 30), async (program, repeat) => {
      const traced = new Traced(t, 4);
      const told = runModel(traced, program, repeat);
      const summary = traced.finish();
      t.like(summary, { operations: told.length, dropped: 0, repaired: 0, lost: 0 });
      t.deepEqual((await tellTrace(traced.path)).all, told);
      t.deepEqual(traced.files(), ['app.mtr.gz']);
      last = traced.path;
    }),
    { numRuns: 60, seed: seedOf(t) },
  );
  return replays(t, last);
});

// ---- Traces with holes

test('finishTrace: the trace can be replayed whatever the buffers hold', async (t) => {
  const event = fc.record({
    slot: fc.nat(3),
    operation: fc.constantFrom(MALLOC, MALLOC, FREE, CALLOC, REALLOC, REALLOC, 0, 5, 77),
    address: fc.nat(12).map((n) => n * 16),
    from: fc.nat(12).map((n) => n * 16),
    threadId: fc.nat(50),
    bytes: fc.nat(50_000),
    skip: fc.boolean(),
  });
  const limits = fc.record({ blockIds: fc.nat(12), operations: fc.nat(150) });
  await fc.assert(
    fc.asyncProperty(fc.array(event, { maxLength: 200 }), limits, async (events, most) => {
      const traced = new Traced(t, 4);
      const { i32, geometry } = traced.memory;
      for (const { slot, skip, ...rest } of events) {
        const buffer = TraceBuffer.at(geometry.traceBuffers, slot);
        const sequence = DebugRecord.nextSequence(i32, Header.debugRecord(geometry.header));
        if (!skip) TraceBuffer.append(traced.memory, buffer, { sequence, ...rest });
      }
      const noted = events.filter(({ skip }) => !skip).length;
      const summary = traced.finish(most) as TraceSummary;
      const trace = await readTrace(traced.path);
      t.is(trace.operations, summary.operations);
      t.is(trace.blockIds, summary.blockIds);
      t.is(trace.threads, summary.threads);
      t.true(trace.blockIds <= most.blockIds && trace.operations <= most.operations);
      t.true(summary.operations >= noted - summary.dropped);
      t.true(summary.operations <= noted - summary.dropped + summary.repaired);
      const faulty = summary.dropped + summary.repaired > 0;
      t.is(traced.warnings.length, faulty ? 1 : 0, traced.warnings.join());
    }),
    { numRuns: 200, seed: seedOf(t) },
  );
});

test('finishTrace: drops frees of unknown blocks, and adds frees that were lost', async (t) => {
  const traced = new Traced(t);
  const tracer = new CallTracer(traced.memory, 0 as SlotIndex, 0, traced.path);
  tracer.freed(4096);
  tracer.allocated(MALLOC, 4096, 1);
  tracer.allocated(CALLOC, 4096, 2);
  tracer.moved(8192, 12288, 3);
  tracer.moved(12288, 4096, 4);
  t.like(traced.finish(), { operations: 6, blockIds: 2, dropped: 1, repaired: 3 });
  t.deepEqual((await tellTrace(traced.path)).all, [
    'malloc 0 1',
    'free 1 0',
    'calloc 0 2',
    'realloc 0 3',
    'free 2 0',
    'realloc 3 4',
  ]);
  t.is(traced.warnings.length, 1);
  t.regex(traced.warnings[0], /1 frees of unknown blocks .* 3 operations were completed/);
});

test('finishTrace: ends a trace at a limit of the format, and reports it', async (t) => {
  for (const limits of [
    { blockIds: 3, operations: 100 },
    { blockIds: 100, operations: 4 },
  ]) {
    const traced = new Traced(t);
    const { thread } = traced.thread(0);
    for (let n = 0; n < 20; n++) thread.malloc(n);
    t.like(traced.finish(limits), { operations: 3, blockIds: 3, dropped: 17, truncated: true });
    t.is((await readTrace(traced.path)).operations, 3);
    t.is(traced.warnings.length, 1);
    t.regex(traced.warnings[0], /ends early/);
  }
});

test('finishTrace: reports that the file cannot be written, and leaves none', (t) => {
  const traced = new Traced(t);
  const { thread } = traced.thread(0);
  for (let n = 0; n < 2 * TraceBuffer.EVENTS_MAX; n++) thread.malloc(1);
  const { geometry, i32 } = traced.memory;
  t.is(TraceBuffer.getCount(i32, TraceBuffer.at(geometry.traceBuffers, 0)), TraceBuffer.EVENTS_MAX);
  const there = `${dirname(traced.path)}/no/such/folder.mtr.gz`;
  t.is(
    finishTrace(traced.memory, there, (text) => traced.warnings.push(text)),
    null,
  );
  t.is(traced.warnings.length, 1);
  t.regex(traced.warnings[0], /folder\.mtr\.gz could not be written: ENOENT/);
});

test('finishTrace: heaps with the same path get different files', (t) => {
  const path = new TraceFolder(t).path('same.mtr.gz');
  const summaries = ['aaaaaaaaaaaaaaaa', 'bbbbbbbbbbbbbbbb'].map((id, n) => {
    const memory = makeTracedMemory(path, 2, id);
    const thread = new TracedThread(memory, 0, path, new CallLog(10_000));
    for (let i = 0; i < 3000 + n; i++) thread.malloc(1);
    return { memory, n };
  });
  for (const { memory, n } of summaries) {
    const summary = finishTrace(memory, path);
    t.is(summary?.operations, 3000 + n);
    t.is(summary?.path, n === 0 ? path : path.replace('same', 'same.2'));
  }
  t.deepEqual(readdirSync(dirname(path)).sort(), ['same.2.mtr.gz', 'same.mtr.gz']);
});

test('finishTrace: a spool file that cannot be read costs the trace, not the program', (t) => {
  const traced = new Traced(t);
  const { thread } = traced.thread(0);
  thread.malloc(1);
  mkdirSync(`${traced.path}.00c0ffee00c0ffee.slot1.spool`);
  t.is(traced.finish(), null);
  t.regex(traced.warnings[0], /could not be written: EISDIR/);
});
