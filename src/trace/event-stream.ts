/**
 * Event streams: the events that a heap's threads traced, from their spool files and buffers, in
 * one order.
 *
 * Used by merge-trace.ts, by one thread. Tracing has ended; the threads may still run.
 *
 * I1  A stream gives the events of a slot in strictly ascending sequence; an event that is in both
 *     file and buffer (layout/trace-buffer.ts, I2) comes once.
 * I2  The buffer is copied before the file is read. If the owner moves the buffer's events to the
 *     file in between, both copies have them; none is missing.
 */

import { closeSync, openSync, readSync } from '../base/index.js';
import type { HeapMemory, TraceEvent } from '../layout/index.js';
import * as TraceBuffer from '../layout/trace-buffer.js';

/** Events per read of a file. */
const PIECE_EVENTS = 2 * TraceBuffer.EVENTS_MAX;

/** A number of events, and the two views of their words. */
interface Piece {
  readonly bytes: Uint8Array;
  readonly u32: Uint32Array;
  readonly f64: Float64Array;
}

export class EventStream {
  /** The next event; undefined at the end. */
  head: TraceEvent | undefined;
  readonly #buffered: Piece;
  readonly #bufferedCount: number;
  /** The open file; -1 = none, or read to its end. */
  #file: number;
  #at = 0;
  #piece: Piece;
  #count = 0;
  #next = 0;
  #last = 0;

  /**
   * The events of a slot.
   * @throws errors of the file system
   */
  constructor({ i32, u32, geometry }: HeapMemory, path: string, heapId: string, slot: number) {
    this.#buffered = makePiece(TraceBuffer.EVENTS_MAX);
    const buffer = TraceBuffer.at(geometry.traceBuffers, slot);
    this.#bufferedCount = TraceBuffer.copy(i32, u32, buffer, this.#buffered.u32);
    this.#file = openIfThere(TraceBuffer.spoolPath(path, heapId, slot));
    this.#piece = this.#file < 0 ? this.#buffered : makePiece(PIECE_EVENTS);
    if (this.#file < 0) this.#count = this.#bufferedCount;
    this.advance();
  }

  /** Moves to the next event. @throws errors of the file system */
  advance(): void {
    for (;;) {
      if (this.#next === this.#count && !this.#refill()) {
        this.head = undefined;
        return;
      }
      const event = TraceBuffer.eventAt(this.#piece.u32, this.#piece.f64, this.#next++);
      if (event.sequence <= this.#last) continue;
      this.#last = event.sequence;
      this.head = event;
      return;
    }
  }

  close(): void {
    if (this.#file >= 0) closeSync(this.#file);
    this.#file = -1;
  }

  /**
   * Loads the next piece, first of the file, then of the buffer; returns false after the last one.
   */
  #refill(): boolean {
    this.#next = 0;
    this.#count = 0;
    if (this.#file < 0) return false;
    this.#count = this.#readPiece();
    if (this.#count > 0) return true;
    this.close();
    this.#piece = this.#buffered;
    this.#count = this.#bufferedCount;
    return this.#count > 0;
  }

  /**
   * Reads whole events; returns their number. A part of an event at the file's end does not count.
   */
  #readPiece(): number {
    const { bytes } = this.#piece;
    let filled = 0;
    while (filled < bytes.length) {
      const got = readSync(this.#file, bytes, filled, bytes.length - filled, this.#at + filled);
      if (got === 0) break;
      filled += got;
    }
    const count = Math.floor(filled / TraceBuffer.EVENT_BYTES);
    this.#at += count * TraceBuffer.EVENT_BYTES;
    return count;
  }
}

function makePiece(events: number): Piece {
  const buffer = new ArrayBuffer(events * TraceBuffer.EVENT_BYTES);
  return {
    bytes: new Uint8Array(buffer),
    u32: new Uint32Array(buffer),
    f64: new Float64Array(buffer),
  };
}

function openIfThere(path: string): number {
  try {
    return openSync(path, 'r');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return -1;
    throw error;
  }
}

/** All events up to the sequence `last`, in order. */
export function* inOrder(all: readonly EventStream[], last: number): Generator<TraceEvent> {
  const streams = all.filter(({ head }) => head !== undefined);
  while (streams.length > 0) {
    const { first, limit } = lowest(streams);
    // A thread traces several events in a row, so this stream is read until another one is due.
    const stream = streams[first];
    while (stream.head !== undefined && stream.head.sequence < limit) {
      if (stream.head.sequence > last) return;
      yield stream.head;
      stream.advance();
    }
    if (stream.head === undefined) streams.splice(first, 1);
  }
}

/** The stream with the lowest next event, and the lowest next event of the other streams. */
function lowest(streams: readonly EventStream[]): { first: number; limit: number } {
  let first = 0;
  let lowestOf = Number.POSITIVE_INFINITY;
  let limit = Number.POSITIVE_INFINITY;
  streams.forEach(({ head }, n) => {
    const sequence = head?.sequence ?? Number.POSITIVE_INFINITY;
    if (sequence < lowestOf) {
      limit = lowestOf;
      lowestOf = sequence;
      first = n;
    } else if (sequence < limit) {
      limit = sequence;
    }
  });
  return { first, limit };
}
