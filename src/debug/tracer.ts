/**
 * The tracer: records the calls of one thread for a trace that can be replayed.
 *
 * Called by the instrumented calls. Owner thread only. The buffer is in shared memory
 * (layout/trace-buffer.ts); full buffers go to a spool file of the slot; trace/merge-trace.ts makes
 * a trace of all of them.
 *
 * I1  Events are in the order in which blocks really changed hands: an allocation is noted after
 *     its block was committed, a free or a move before the old block is given back. The callers
 *     ensure this.
 * I2  An event that a thread has noted stays noted, at whatever moment the thread is killed.
 * I3  A note in the middle of a call neither fails nor waits: room is made before the call.
 * I4  A thread that cannot write its file goes on without a trace, and warns once.
 */

import {
  COLD_FRAMES,
  closeSync,
  fileConstants,
  fstatSync,
  isStackOverflow,
  openSync,
  probeStack,
  rmSync,
  type SlotIndex,
  writeSync,
} from '../base/index.js';
import * as DebugRecord from '../layout/debug-record.js';
import * as Header from '../layout/header.js';
import type { HeaderFields, HeapMemory } from '../layout/index.js';
import * as TraceBuffer from '../layout/trace-buffer.js';

/** Maximum sequence number: sequences have 32 bits, and each thread may still take one more. */
const SEQUENCE_MAX = 2 ** 32 - 2 ** 16;

export interface Tracer {
  /**
   * Called before a call changes anything: makes room for its event, in the file if need be. The
   * note itself cannot fail then. @throws RangeError if the stack ends; nothing is lost
   */
  begin(): void;
  /**
   * A block was committed, and the program does not have it yet. An aligned one counts as malloc.
   */
  allocated(
    operation: typeof TraceBuffer.MALLOC | typeof TraceBuffer.CALLOC,
    address: number,
    bytes: number,
  ): void;
  /** A block is about to be given back. Not for address 0. */
  freed(address: number): void;
  /**
   * A block was reallocated, and is about to be given back if it moved. `from` = `to` if it stayed
   * in place; `from` 0 if it is new; `to` 0 if realloc freed it.
   */
  moved(from: number, to: number, bytes: number): void;
  /** The thread detaches. Its events stay in the slot's buffer, for the next owner of the slot. */
  close(): void;
}

/**
 * The tracer of a thread that owns the slot. Events of an owner that died stay where they are.
 * @param path the path of the trace, as in the heap's debug record
 */
export function createTracer(
  memory: HeapMemory,
  slotIndex: SlotIndex,
  threadId: number,
  path: string,
): Tracer {
  const { i32, u32, geometry } = memory;
  const buffer = TraceBuffer.at(geometry.traceBuffers, slotIndex);
  const record = Header.debugRecord(geometry.header);
  const { id } = Header.read(u32, geometry.header) as HeaderFields;
  const spool = createSpool(TraceBuffer.spoolPath(path, id, slotIndex));
  const full = new Uint8Array(
    memory.buffer,
    TraceBuffer.eventsByte(buffer),
    TraceBuffer.EVENTS_MAX * TraceBuffer.EVENT_BYTES,
  );
  let closed = false;
  let failed = false;
  /** True if no sequence numbers are left. */
  let exhausted = DebugRecord.loadSequence(i32, record) >= SEQUENCE_MAX;

  function note(operation: number, address: number, from: number, bytes: number): void {
    if (closed || TraceBuffer.peekState(i32, buffer) !== TraceBuffer.RUNNING) return;
    if (failed || TraceBuffer.getCount(i32, buffer) === TraceBuffer.EVENTS_MAX) {
      TraceBuffer.addLost(u32, buffer);
      return;
    }
    const sequence = DebugRecord.nextSequence(i32, record);
    TraceBuffer.append(memory, buffer, {
      sequence,
      operation,
      threadId,
      address,
      from,
      bytes,
    });
    exhausted = sequence >= SEQUENCE_MAX;
  }

  function begin(): void {
    if (closed || failed || TraceBuffer.peekState(i32, buffer) !== TraceBuffer.RUNNING) return;
    if (exhausted) fail('it has as many events as can be counted');
    else if (TraceBuffer.getCount(i32, buffer) === TraceBuffer.EVENTS_MAX) spill();
  }

  /** Makes room in the buffer, or ends the trace. */
  function spill(): void {
    probeStack(COLD_FRAMES);
    try {
      spool.write(full);
    } catch (error) {
      if (isStackOverflow(error)) throw error;
      fail((error as Error).message);
      return;
    }
    TraceBuffer.empty(i32, buffer);
    // Directly after that store: V8 cuts nothing in between, and a cut before it writes the same
    // again.
    spool.end += full.length;
    // The trace was finished in the meantime, by a thread that has not seen this file.
    if (TraceBuffer.loadState(i32, buffer) === TraceBuffer.WRITTEN) spool.remove();
  }

  function fail(why: string): void {
    failed = true;
    process.emitWarning(`thread ${threadId} is not traced any more, to ${path}: ${why}`, {
      code: 'SHMALLOC_TRACE',
    });
  }

  return {
    begin,
    allocated: (operation, address, bytes) => note(operation, address, 0, bytes),
    freed: (address) => note(TraceBuffer.FREE, address, 0, 0),
    moved: (from, to, bytes) => note(TraceBuffer.REALLOC, to, from, bytes),
    close() {
      closed = true;
      spool.close();
    },
  };
}

/** A slot's spool file: opened at its first use, then kept open. */
function createSpool(path: string) {
  const CLOSED = -1;
  let file = CLOSED;

  /** Writes at the end, without moving it. @throws the errors of the file system */
  function write(events: Uint8Array): void {
    if (file === CLOSED) {
      file = openSync(path, fileConstants.O_WRONLY | fileConstants.O_CREAT);
      // Half an event at the end is from a write of a former owner that failed: the buffer has it
      // too.
      const { size } = fstatSync(file);
      spool.end = size - (size % TraceBuffer.EVENT_BYTES);
    }
    let done = 0;
    while (done < events.length) {
      done += writeSync(file, events, done, events.length - done, spool.end + done);
    }
  }

  function close(): void {
    if (file === CLOSED) return;
    try {
      closeSync(file);
    } catch {
      // All events are written: nothing is left to lose.
    }
    file = CLOSED;
  }

  function remove(): void {
    close();
    try {
      rmSync(path, { force: true });
    } catch {
      // A file that stays does no harm.
    }
  }

  const spool = { end: 0, write, close, remove };
  return spool;
}
