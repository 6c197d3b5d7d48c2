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
  type WordIndex,
  writeSync,
} from '../base/index.js';
import * as DebugRecord from '../layout/debug-record.js';
import * as Header from '../layout/header.js';
import type { HeaderFields, HeapMemory } from '../layout/index.js';
import * as TraceBuffer from '../layout/trace-buffer.js';

/** Maximum sequence number: sequences have 32 bits, and each thread may still take one more. */
const SEQUENCE_MAX = 2 ** 32 - 2 ** 16;

export class Tracer {
  readonly #memory: HeapMemory;
  readonly #threadId: number;
  readonly #path: string;
  /** The slot's trace buffer. */
  readonly #buffer: WordIndex;
  /** The debug record, which counts events. */
  readonly #record: WordIndex;
  readonly #spool: Spool;
  #isClosed = false;
  #isFailed = false;
  /** True if no sequence numbers are left. */
  #isExhausted: boolean;

  /**
   * The tracer of a thread that owns the slot. Events of an owner that died stay where they are.
   * @param path the path of the trace, as in the heap's debug record
   */
  constructor(memory: HeapMemory, slotIndex: SlotIndex, threadId: number, path: string) {
    const { i32, u32, geometry } = memory;
    const { id } = Header.read(u32, geometry.header) as HeaderFields;
    this.#memory = memory;
    this.#threadId = threadId;
    this.#path = path;
    this.#buffer = TraceBuffer.at(geometry.traceBuffers, slotIndex);
    this.#record = Header.debugRecord(geometry.header);
    this.#spool = new Spool(TraceBuffer.spoolPath(path, id, slotIndex));
    this.#isExhausted = DebugRecord.loadSequence(i32, this.#record) >= SEQUENCE_MAX;
  }

  /**
   * Called before a call changes anything: makes room for its event, in the file if need be. The
   * note itself cannot fail then. @throws RangeError if the stack ends; nothing is lost
   */
  begin(): void {
    if (this.#isFailed || !this.#isRunning()) return;
    if (this.#isExhausted) this.#fail('it has as many events as can be counted');
    else if (this.#isFull()) this.#spill();
  }

  /**
   * A block was committed, and the program does not have it yet. An aligned one counts as malloc.
   */
  allocated(
    operation: typeof TraceBuffer.MALLOC | typeof TraceBuffer.CALLOC,
    address: number,
    bytes: number,
  ): void {
    this.#note(operation, address, 0, bytes);
  }

  /** A block is about to be given back. Not for address 0. */
  freed(address: number): void {
    this.#note(TraceBuffer.FREE, address, 0, 0);
  }

  /**
   * A block was reallocated, and is about to be given back if it moved. `from` = `to` if it stayed
   * in place; `from` 0 if it is new; `to` 0 if realloc freed it.
   */
  moved(from: number, to: number, bytes: number): void {
    this.#note(TraceBuffer.REALLOC, to, from, bytes);
  }

  /** The thread detaches. Its events stay in the slot's buffer, for the next owner of the slot. */
  close(): void {
    this.#isClosed = true;
    this.#spool.close();
  }

  #isRunning(): boolean {
    if (this.#isClosed) return false;
    return TraceBuffer.peekState(this.#memory.i32, this.#buffer) === TraceBuffer.RUNNING;
  }

  #isFull(): boolean {
    return TraceBuffer.getCount(this.#memory.i32, this.#buffer) === TraceBuffer.EVENTS_MAX;
  }

  #note(operation: number, address: number, from: number, bytes: number): void {
    const { i32, u32 } = this.#memory;
    const buffer = this.#buffer;
    if (!this.#isRunning()) return;
    if (this.#isFailed || this.#isFull()) {
      TraceBuffer.addLost(u32, buffer);
      return;
    }
    const threadId = this.#threadId;
    const sequence = DebugRecord.nextSequence(i32, this.#record);
    const event = { sequence, operation, threadId, address, from, bytes };
    TraceBuffer.append(this.#memory, buffer, event);
    this.#isExhausted = sequence >= SEQUENCE_MAX;
  }

  /** Makes room in the buffer, or ends the trace. */
  #spill(): void {
    const { i32, buffer } = this.#memory;
    const spool = this.#spool;
    const start = TraceBuffer.eventsByte(this.#buffer);
    const full = new Uint8Array(buffer, start, TraceBuffer.EVENTS_MAX * TraceBuffer.EVENT_BYTES);
    probeStack(COLD_FRAMES);
    try {
      spool.write(full);
    } catch (error) {
      if (isStackOverflow(error)) throw error;
      this.#fail((error as Error).message);
      return;
    }
    TraceBuffer.empty(i32, this.#buffer);
    // Directly after that store: V8 cuts nothing in between, and a cut before it writes the same
    // again.
    spool.end += full.length;
    // The trace was finished in the meantime, by a thread that has not seen this file.
    if (TraceBuffer.loadState(i32, this.#buffer) === TraceBuffer.WRITTEN) spool.remove();
  }

  #fail(why: string): void {
    this.#isFailed = true;
    const what = `thread ${this.#threadId} is not traced any more, to ${this.#path}: ${why}`;
    process.emitWarning(what, { code: 'SHMALLOC_TRACE' });
  }
}

/** In place of a file descriptor. */
const CLOSED = -1;

/** A slot's spool file: opened at its first use, then kept open. */
class Spool {
  readonly #path: string;
  #file = CLOSED;
  /** Bytes of whole events in the file. */
  end = 0;

  constructor(path: string) {
    this.#path = path;
  }

  /** Writes at the end, without moving it. @throws the errors of the file system */
  write(events: Uint8Array): void {
    if (this.#file === CLOSED) {
      this.#file = openSync(this.#path, fileConstants.O_WRONLY | fileConstants.O_CREAT);
      // Half an event at the end is from a write of a former owner that failed: the buffer has it
      // too.
      const { size } = fstatSync(this.#file);
      this.end = size - (size % TraceBuffer.EVENT_BYTES);
    }
    let done = 0;
    while (done < events.length) {
      done += writeSync(this.#file, events, done, events.length - done, this.end + done);
    }
  }

  close(): void {
    if (this.#file === CLOSED) return;
    try {
      closeSync(this.#file);
    } catch {
      // All events are written: nothing is left to lose.
    }
    this.#file = CLOSED;
  }

  remove(): void {
    this.close();
    try {
      rmSync(this.#path, { force: true });
    } catch {
      // A file that stays does no harm.
    }
  }
}
