/**
 * Makes the trace file of a heap from the events that its threads traced (debug/tracer.ts).
 *
 * Called by api/ in the thread that created the heap, when that thread detaches or ends. Other
 * threads may still run, or may have been killed at any moment; from here on they are not traced.
 *
 * I1  The trace is what all threads had done up to one moment: with an event it has all events
 *     before it. (The last sequence is read before the first buffer, and a thread traces an event
 *     before another thread can see its effect.)
 * I2  The trace can be replayed (trace-file.ts, I1), whatever was lost: an event that does not fit
 *     is dropped or completed, and counted.
 * I3  The trace is written once, whichever thread calls, and no other file stays behind.
 */

import { List, printable, rmSync, times, writeSync } from '../base/index.js';
import * as DebugRecord from '../layout/debug-record.js';
import * as Header from '../layout/header.js';
import type { HeaderFields, HeapMemory, TraceEvent } from '../layout/index.js';
import * as TraceBuffer from '../layout/trace-buffer.js';
import { BlockIds, NO_BLOCK } from './block-ids.js';
import { EventStream, inOrder } from './event-stream.js';
import { BLOCK_IDS_MAX, CALLOC, FREE, MALLOC, OPERATIONS_MAX, REALLOC } from './trace-format.js';
import { createTraceWriter, type TraceWriter } from './trace-writer.js';

/** The result of making a trace. */
export interface TraceSummary {
  /** Path of the file: the requested one, or one with a number if that name was in use. */
  readonly path: string;
  readonly operations: number;
  /** Maximum blocks live at once. */
  readonly blockIds: number;
  readonly threads: number;
  /** Events left out: frees of blocks that the trace does not know, and events beyond a limit. */
  readonly dropped: number;
  /**
   * Operations added for lost events: a free before an allocation, an allocation before a realloc.
   */
  readonly repaired: number;
  /** Events that threads could not trace, since they could not write their files. */
  readonly lost: number;
  /** True if the trace ends early, because it reached a limit. */
  readonly truncated: boolean;
}

/** The limits of the format. */
export interface TraceLimits {
  readonly blockIds: number;
  readonly operations: number;
}

const FORMAT_LIMITS: TraceLimits = { blockIds: BLOCK_IDS_MAX, operations: OPERATIONS_MAX };

/**
 * Ends tracing of a heap and writes its trace.
 * @param path the path in the heap's debug record
 * @param warn gets a text if the trace is incomplete or could not be written; does not throw
 * @returns null if the trace was written before, or could not be written
 *
 * Cost: about a second for a million events.
 */
export function finishTrace(
  memory: HeapMemory,
  path: string,
  warn: (message: string) => void = warnOnStderr,
  limits: TraceLimits = FORMAT_LIMITS,
): TraceSummary | null {
  const { i32, u32, geometry } = memory;
  const { traceBuffers, threads, header } = geometry;
  // Only a heap with a path has trace buffers.
  if (path === '' || !TraceBuffer.end(i32, traceBuffers, threads)) return null;
  const last = DebugRecord.loadSequence(i32, Header.debugRecord(header));
  const { id } = Header.read(u32, header) as HeaderFields;
  const slots = times(threads, (slot) => slot);
  const streams = new List<EventStream>();
  let writer: TraceWriter | undefined;
  try {
    for (const slot of slots) streams.push(new EventStream(memory, path, id, slot));
    writer = createTraceWriter(path);
    const lost = slots.reduce(
      (sum, slot) => sum + TraceBuffer.getLost(u32, TraceBuffer.at(traceBuffers, slot)),
      0,
    );
    const summary = new TraceMerge(writer, limits).run(inOrder(streams, last), lost);
    for (const message of warnings(summary, limits)) warn(message);
    return summary;
  } catch (error) {
    writer?.abandon();
    warn(`the trace ${path} could not be written: ${(error as Error).message}`);
    return null;
  } finally {
    for (const stream of streams) stream.close();
    removeSpools();
    TraceBuffer.setState(i32, traceBuffers, threads, TraceBuffer.WRITTEN);
    // A thread may have created its file before it saw the new state; a later one sees the state.
    removeSpools();
  }

  function removeSpools(): void {
    for (const slot of slots) removeQuietly(TraceBuffer.spoolPath(path, id, slot));
  }
}

/** Turns events into operations. */
class TraceMerge {
  readonly #writer: TraceWriter;
  readonly #limits: TraceLimits;
  readonly #blocks = new BlockIds();
  readonly #threads = new Map<number, number>();
  #repaired = 0;

  constructor(writer: TraceWriter, limits: TraceLimits) {
    this.#writer = writer;
    this.#limits = limits;
  }

  /** Writes the whole trace. @param lost events that threads could not trace */
  run(events: Iterable<TraceEvent>, lost: number): TraceSummary {
    const writer = this.#writer;
    let dropped = 0;
    let truncated = false;
    for (const event of events) {
      // An event makes at most two operations. After a limit nothing more is written: a trace with a
      // hole would describe a program that never ran.
      truncated ||= writer.operations() > this.#limits.operations - 2 || !this.#fits(event);
      if (truncated || !this.#place(event)) dropped++;
    }
    const blockIds = this.#blocks.count;
    const threads = this.#threads.size;
    writer.finish(blockIds, threads);
    const { path } = writer;
    const operations = writer.operations();
    const repaired = this.#repaired;
    return { path, operations, blockIds, threads, dropped, repaired, lost, truncated };
  }

  /** True if the event needs no new block id, or an id is left. */
  #fits({ operation, address, from }: TraceEvent): boolean {
    const blocks = this.#blocks;
    if (operation === FREE || address === 0 || blocks.hasRoom(this.#limits.blockIds)) return true;
    if (blocks.of(address) !== NO_BLOCK) return true;
    return operation === REALLOC && blocks.of(from) !== NO_BLOCK;
  }

  /** Writes an event; returns false if it does not fit into the trace. */
  #place(event: TraceEvent): boolean {
    const { operation, address, from, bytes } = event;
    if (operation === FREE) return this.#free(event, address);
    if (operation === REALLOC && address === 0) return this.#free(event, from);
    const allocates = operation === MALLOC || operation === CALLOC || operation === REALLOC;
    if (!allocates || address === 0) return false;
    const isInPlace = operation === REALLOC && from === address;
    // The free of the earlier block at this address was lost.
    if (!isInPlace && this.#free(event, address)) this.#repaired++;
    this.#writer.add(operation, this.#numberOf(event.threadId), this.#idFor(event), bytes);
    return true;
  }

  #idFor({ operation, address, from }: TraceEvent): number {
    const blocks = this.#blocks;
    if (operation !== REALLOC || from === 0) return blocks.take(address);
    if (blocks.of(from) === NO_BLOCK) {
      // A realloc of a block that the trace does not know is written as an allocation.
      this.#repaired++;
      return blocks.take(address);
    }
    if (from !== address) blocks.move(from, address);
    return blocks.of(address);
  }

  #free({ threadId }: TraceEvent, address: number): boolean {
    const id = this.#blocks.of(address);
    if (id === NO_BLOCK) return false;
    this.#writer.add(FREE, this.#numberOf(threadId), id, 0);
    this.#blocks.release(address);
    return true;
  }

  /** The number of a thread in the trace, in order of first appearance. */
  #numberOf(threadId: number): number {
    const known = this.#threads.get(threadId);
    if (known !== undefined) return known;
    this.#threads.set(threadId, this.#threads.size);
    return this.#threads.size - 1;
  }
}

/** Texts about what a trace lacks. */
function warnings(summary: TraceSummary, limits: TraceLimits): string[] {
  const { path, dropped, repaired, lost, truncated } = summary;
  const found = new List<string>();
  if (truncated) {
    found.push(
      `the trace ${path} ends early: it can hold ${limits.blockIds} live blocks and ` +
        `${limits.operations} operations; ${dropped} events are not in it`,
    );
  } else if (dropped + repaired > 0) {
    found.push(
      `the trace ${path} differs from what the program did: ${dropped} frees of unknown blocks ` +
        `were left out, ${repaired} operations were completed`,
    );
  }
  if (lost > 0) found.push(`the trace ${path} lacks ${lost} events that could not be written`);
  return found;
}

function removeQuietly(path: string): void {
  try {
    rmSync(path, { force: true });
  } catch {
    // A file that stays has this heap's id in its name: no other trace reads it.
  }
}

/** Writes at once, since a process that ends emits no more warnings. */
function warnOnStderr(message: string): void {
  try {
    writeSync(2, `shmalloc: ${printable(message)}\n`);
  } catch {
    // stderr is closed.
  }
}
