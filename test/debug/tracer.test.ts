/**
 * Proves what the tracer leaves for the trace: events in the slot's buffer only, as long as
 * they fit, then in its spool file; complete and in order wherever its thread is killed; and that a
 * file system that refuses costs the trace and nothing else.
 */

import {
  appendFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  rmdirSync,
  truncateSync,
} from 'node:fs';
import { Worker } from 'node:worker_threads';
import test, { type ExecutionContext } from 'ava';
import type { SlotIndex, WordIndex } from '../../src/base/index.js';
import type { Tracer } from '../../src/debug/tracer.js';
import * as DebugRecord from '../../src/layout/debug-record.js';
import * as Header from '../../src/layout/header.js';
import { atomics, type TraceEvent } from '../../src/layout/index.js';
import * as TraceBuffer from '../../src/layout/trace-buffer.js';
import { finishTrace } from '../../src/trace/index.js';
import { TraceFolder } from '../trace/make-trace.js';
import { CallTracer, makeTracedMemory, tellTrace } from '../trace/traced-heap.js';
import { ended } from '../workers.js';

const ID = '0123456789abcdef';

function makeTraced(t: ExecutionContext) {
  const path = new TraceFolder(t).path('app.mtr.gz');
  const memory = makeTracedMemory(path, 4, ID);
  const { i32, u32, geometry } = memory;
  const bufferOf = (slot: number) => TraceBuffer.at(geometry.traceBuffers, slot);
  return {
    path,
    memory,
    bufferOf,
    tracer: (slot: number, threadId = slot): Tracer =>
      new CallTracer(memory, slot as SlotIndex, threadId, path),
    spool: (slot: number) => TraceBuffer.spoolPath(path, ID, slot),
    /** The events in a slot's buffer. */
    events(slot: number): TraceEvent[] {
      const copy = new Uint32Array(TraceBuffer.EVENTS_MAX * TraceBuffer.EVENT_WORDS);
      const count = TraceBuffer.copy(i32, u32, bufferOf(slot), copy);
      return eventsIn(copy.buffer, count);
    },
    finish: (warn: (text: string) => void = (text) => t.fail(text)) =>
      finishTrace(memory, path, warn),
  };
}

function eventsIn(
  bytes: ArrayBuffer,
  count = bytes.byteLength / TraceBuffer.EVENT_BYTES,
): TraceEvent[] {
  const [u32, f64] = [new Uint32Array(bytes), new Float64Array(bytes)];
  return Array.from({ length: count }, (_, n) => TraceBuffer.eventAt(u32, f64, n));
}

const eventsOf = (file: string): TraceEvent[] =>
  eventsIn(new Uint8Array(readFileSync(file)).buffer);

/** Notes mallocs whose sizes count up, and no free. */
function allocate(tracer: Tracer, first: number, count: number): void {
  for (let n = first; n < first + count; n++)
    tracer.allocated(TraceBuffer.MALLOC, 4096 + n * 16, n);
}

/** Checks that the trace has exactly the mallocs of these sizes. */
async function assertSizes(t: ExecutionContext, path: string, count: number): Promise<void> {
  const expected = Array.from({ length: count }, (_, n) => `malloc 0 ${n}`);
  t.deepEqual((await tellTrace(path)).all, expected);
}

/** The warnings until the event loop has turned. */
async function warningsOf(t: ExecutionContext, work: () => void): Promise<NodeJS.ErrnoException[]> {
  const warnings: NodeJS.ErrnoException[] = [];
  const listen = (warning: Error) => warnings.push(warning);
  process.on('warning', listen);
  t.teardown(() => process.off('warning', listen));
  work();
  await new Promise(setImmediate);
  process.off('warning', listen);
  return warnings;
}

// ---- the buffer

test('Tracer: each call is an event, in the order of all threads', (t) => {
  const { tracer, events } = makeTraced(t);
  const [a, b] = [tracer(0, 70), tracer(3, 71)];
  a.allocated(TraceBuffer.MALLOC, 4096, 100);
  b.allocated(TraceBuffer.CALLOC, 0xfffffff0, 2 ** 32 - 1);
  a.moved(4096, 8192, 200);
  b.freed(8192);
  const event = { threadId: 70, from: 0, bytes: 0 };
  t.deepEqual(events(0), [
    { ...event, sequence: 1, operation: TraceBuffer.MALLOC, address: 4096, bytes: 100 },
    {
      ...event,
      sequence: 3,
      operation: TraceBuffer.REALLOC,
      address: 8192,
      from: 4096,
      bytes: 200,
    },
  ]);
  const other = { ...event, threadId: 71 };
  t.deepEqual(events(3), [
    {
      ...other,
      sequence: 2,
      operation: TraceBuffer.CALLOC,
      address: 0xfffffff0,
      bytes: 2 ** 32 - 1,
    },
    { ...other, sequence: 4, operation: TraceBuffer.FREE, address: 8192 },
  ]);
  t.deepEqual(events(1), []);
});

test('Tracer: a full buffer needs no file; one more event does', async (t) => {
  const { tracer, spool, events, path, finish } = makeTraced(t);
  const one = tracer(1);
  allocate(one, 0, TraceBuffer.EVENTS_MAX);
  t.false(existsSync(spool(1)));
  allocate(one, TraceBuffer.EVENTS_MAX, 1);
  t.is(events(1).length, 1);
  const spooled = eventsOf(spool(1));
  t.deepEqual(
    spooled.map(({ sequence }) => sequence),
    Array.from({ length: TraceBuffer.EVENTS_MAX }, (_, n) => n + 1),
  );
  allocate(one, TraceBuffer.EVENTS_MAX + 1, 3 * TraceBuffer.EVENTS_MAX);
  t.is(eventsOf(spool(1)).length, 4 * TraceBuffer.EVENTS_MAX);
  finish();
  await assertSizes(t, path, 4 * TraceBuffer.EVENTS_MAX + 1);
});

test("Tracer: the next owner of a slot continues after the last one's events", async (t) => {
  const { tracer, path, finish } = makeTraced(t);
  // Every other owner is killed; the others detach.
  for (let n = 0; n < 10; n++) {
    const one = tracer(2, n);
    allocate(one, n * 700, 700);
    if (n % 2 === 0) one.close();
  }
  t.is(finish()?.threads, 10);
  await assertSizes(t, path, 7000);
});

test('Tracer.close: no event is noted after it', (t) => {
  const { tracer, events } = makeTraced(t);
  const one = tracer(0);
  allocate(one, 0, 5);
  one.close();
  one.close();
  allocate(one, 5, 5);
  t.is(events(0).length, 5);
});

// ---- killed

test('Tracer: no event is lost or doubled if its thread is killed between writing the file and emptying the buffer', async (t) => {
  const { tracer, memory, bufferOf, spool, path, finish } = makeTraced(t);
  allocate(tracer(0), 0, 2 * TraceBuffer.EVENTS_MAX);
  const full = memory.u8.subarray(TraceBuffer.eventsByte(bufferOf(0)));
  appendFileSync(spool(0), full.slice(0, TraceBuffer.EVENTS_MAX * TraceBuffer.EVENT_BYTES));
  allocate(tracer(0, 9), 2 * TraceBuffer.EVENTS_MAX, 10);
  t.is(eventsOf(spool(0)).length, 3 * TraceBuffer.EVENTS_MAX);
  finish();
  await assertSizes(t, path, 2 * TraceBuffer.EVENTS_MAX + 10);
});

test('Tracer: the same holds if no thread takes the slot afterwards', async (t) => {
  const { tracer, memory, bufferOf, spool, path, finish } = makeTraced(t);
  allocate(tracer(0), 0, TraceBuffer.EVENTS_MAX);
  const full = memory.u8.subarray(TraceBuffer.eventsByte(bufferOf(0)));
  appendFileSync(spool(0), full.slice(0, TraceBuffer.EVENTS_MAX * TraceBuffer.EVENT_BYTES));
  finish();
  await assertSizes(t, path, TraceBuffer.EVENTS_MAX);
});

test('Tracer: a write that ended anywhere is overwritten', async (t) => {
  for (const left of [1, 31, 32, 33, 1000 * 32 + 5]) {
    const { tracer, memory, bufferOf, spool, path, finish } = makeTraced(t);
    allocate(tracer(0), 0, TraceBuffer.EVENTS_MAX);
    const full = memory.u8.subarray(TraceBuffer.eventsByte(bufferOf(0)));
    appendFileSync(spool(0), full.slice(0, left));
    allocate(tracer(0), TraceBuffer.EVENTS_MAX, 2 * TraceBuffer.EVENTS_MAX);
    finish();
    await assertSizes(t, path, 3 * TraceBuffer.EVENTS_MAX);
  }
});

test('Tracer: a thread killed between taking a number and noting it leaves a hole', async (t) => {
  const { tracer, memory, path, finish } = makeTraced(t);
  allocate(tracer(0), 0, 3);
  DebugRecord.nextSequence(memory.i32, Header.debugRecord(memory.geometry.header));
  allocate(tracer(0), 3, 3);
  t.like(finish(), { operations: 6, dropped: 0 });
  await assertSizes(t, path, 6);
});

// ---- the end of the trace

test('Tracer: after the end of the trace no event is noted and no file is made', (t) => {
  const { tracer, memory, spool, events } = makeTraced(t);
  const { i32, geometry } = memory;
  const one = tracer(0);
  allocate(one, 0, TraceBuffer.EVENTS_MAX);
  t.true(TraceBuffer.end(i32, geometry.traceBuffers, geometry.threads));
  t.false(TraceBuffer.end(i32, geometry.traceBuffers, geometry.threads));
  allocate(one, TraceBuffer.EVENTS_MAX, 1);
  allocate(tracer(1), TraceBuffer.EVENTS_MAX, 1);
  t.false(existsSync(spool(0)));
  t.is(events(0).length, TraceBuffer.EVENTS_MAX);
  t.is(events(1).length, 0);
  t.is(DebugRecord.loadSequence(i32, Header.debugRecord(geometry.header)), TraceBuffer.EVENTS_MAX);
});

test('Tracer: a file made while the trace was being finished is removed', (t) => {
  const { tracer, memory, spool } = makeTraced(t);
  const { i32, geometry } = memory;
  const one = tracer(0);
  allocate(one, 0, TraceBuffer.EVENTS_MAX);
  // The trace is finished between the tracer's two readings of its state: when it empties the
  // buffer.
  const { add } = atomics;
  let made = false;
  Object.assign(atomics, {
    add(words: Int32Array, at: number, by: number): number {
      made ||= existsSync(spool(0));
      TraceBuffer.setState(i32, geometry.traceBuffers, geometry.threads, TraceBuffer.WRITTEN);
      return add(words, at, by);
    },
  });
  try {
    allocate(one, TraceBuffer.EVENTS_MAX, 1);
  } finally {
    Object.assign(atomics, { add });
  }
  t.true(made);
  t.false(existsSync(spool(0)));
});

test('copyTrace: copies whole events only, whether the buffer was emptied or not', (t) => {
  const { tracer, memory, bufferOf, events } = makeTraced(t);
  allocate(tracer(0), 0, 7);
  t.deepEqual(
    events(0).map(({ bytes }) => bytes),
    [0, 1, 2, 3, 4, 5, 6],
  );
  TraceBuffer.empty(memory.i32, bufferOf(0));
  t.deepEqual(events(0), []);
  const event = {
    sequence: 99,
    operation: TraceBuffer.FREE,
    threadId: 1,
    address: 16,
    from: 0,
    bytes: 0,
  };
  TraceBuffer.append(memory, bufferOf(0), event);
  t.deepEqual(events(0), [event]);
});

test.serial('copyTrace: copies whole events, in order, while the owner writes', async (t) => {
  const buffer = new SharedArrayBuffer(TraceBuffer.BYTES + 64);
  const [i32, u32] = [new Int32Array(buffer), new Uint32Array(buffer)];
  const worker = new Worker(new URL('./emptying.worker.js', import.meta.url), {
    workerData: buffer,
  });
  while (Atomics.load(i32, 0) === 0) await new Promise(setImmediate);
  const copy = new Uint32Array(TraceBuffer.EVENTS_MAX * TraceBuffer.EVENT_WORDS);
  const firsts = new Set<number>();
  const wrong: TraceEvent[] = [];
  for (const stop = performance.now() + 1000; performance.now() < stop; ) {
    const count = TraceBuffer.copy(i32, u32, 0 as WordIndex, copy);
    const events = eventsIn(copy.buffer, count);
    events.forEach((event, n) => {
      const { sequence, operation, threadId, address, from, bytes } = event;
      const whole = [operation, threadId, address, from, bytes].every((one) => one === sequence);
      if (!whole || sequence !== events[0].sequence + n) wrong.push(event);
    });
    if (count > 0) firsts.add(events[0].sequence);
  }
  Atomics.store(i32, i32.length - 1, 1);
  await ended(worker);
  t.deepEqual(wrong.slice(0, 5), []);
  t.true(firsts.size > 10, `${firsts.size} fills of the buffer seen`);
});

// ---- a file system that refuses

test.serial(
  'Tracer: a file that cannot be written causes one warning, and later events are lost',
  async (t) => {
    const { tracer, memory, bufferOf, spool, path, finish } = makeTraced(t);
    mkdirSync(spool(0));
    const one = tracer(0);
    const warnings = await warningsOf(t, () => allocate(one, 0, TraceBuffer.EVENTS_MAX + 50));
    t.is(warnings.length, 1);
    t.is(warnings[0].code, 'SHMALLOC_TRACE');
    t.regex(warnings[0].message, /thread 0 is not traced any more.*EISDIR/);
    t.is(TraceBuffer.getCount(memory.i32, bufferOf(0)), TraceBuffer.EVENTS_MAX);
    t.is(TraceBuffer.getLost(memory.u32, bufferOf(0)), 50);
    rmdirSync(spool(0));
    const errorPolicy: string[] = [];
    t.like(
      finish((text) => errorPolicy.push(text)),
      { operations: TraceBuffer.EVENTS_MAX, lost: 50 },
    );
    t.regex(errorPolicy.join(), /lacks 50 events/);
    await assertSizes(t, path, TraceBuffer.EVENTS_MAX);
  },
);

test.serial('Tracer: the next owner of the slot tries again', async (t) => {
  const { tracer, spool, path, finish } = makeTraced(t);
  mkdirSync(spool(0));
  const warnings = await warningsOf(t, () => allocate(tracer(0), 0, TraceBuffer.EVENTS_MAX + 1));
  t.is(warnings.length, 1);
  rmdirSync(spool(0));
  allocate(tracer(0, 1), TraceBuffer.EVENTS_MAX, 500);
  finish(() => {});
  await assertSizes(t, path, TraceBuffer.EVENTS_MAX + 500);
});

test('finishTrace: a truncated spool is a hole, not an error', async (t) => {
  const { tracer, spool, path, finish } = makeTraced(t);
  allocate(tracer(0), 0, 2 * TraceBuffer.EVENTS_MAX + 1);
  truncateSync(spool(0), TraceBuffer.EVENTS_MAX * TraceBuffer.EVENT_BYTES + 7);
  t.like(finish(), { operations: TraceBuffer.EVENTS_MAX + 1, dropped: 0 });
  t.is((await tellTrace(path)).all.length, TraceBuffer.EVENTS_MAX + 1);
});
