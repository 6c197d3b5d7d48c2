/**
 * The history of a heap: the last calls of each thread, merged by time.
 *
 * The thread of a slot writes the slot's ring (debug-calls.ts); any thread reads it here without a
 * lock: layout/event-ring.ts.
 */

import { type Address, hex, List, now, timeOrigin } from '../base/index.js';
import * as EventRing from '../layout/event-ring.js';
import type { HeapMemory, Operation } from '../layout/index.js';
import * as Slot from '../layout/slot.js';
import * as StackStore from '../layout/stack-store.js';

/** One call of a program. */
export interface HistoryEvent {
  /** Milliseconds since 1970, with a fraction. */
  time: number;
  /** `threadId` of worker_threads. */
  threadId: number;
  operation: Operation;
  /** Address of the block; for realloc, the new one. */
  address: Address;
  /** For realloc, the old address of the block. */
  from?: Address;
  /** Requested bytes; for a free, those of the block's allocation. */
  requestedBytes: number;
  usableBytes: number;
  /** Call stack, one line per frame, if one was recorded. */
  stack?: string;
}

/** Selects events. */
export interface HistoryFilter {
  /** Only events of the block at this address. */
  address?: number | undefined;
  /** Only events of the thread with this threadId. */
  thread?: number | undefined;
  /** Maximum number of events; the last ones. */
  last?: number | undefined;
}

/** The events that the rings still hold, oldest first. */
export function readHistory(
  memory: HeapMemory,
  events: number,
  filter: HistoryFilter = {},
): HistoryEvent[] {
  const { u32, geometry } = memory;
  const store = StackStore.storeOf(memory);
  const found = new List<HistoryEvent>();
  for (const slot of Slot.used(u32, geometry.slots, geometry.threads)) {
    const ring = EventRing.ringOf(memory, slot, events);
    const written = EventRing.getWritten(ring);
    for (let n = Math.max(0, written - events); n < written; n++) {
      const event = EventRing.read(ring, n);
      if (event === null) continue;
      if (filter.thread !== undefined && event.threadId !== filter.thread) continue;
      const { address } = filter;
      if (address !== undefined && event.address !== address && event.from !== address) continue;
      found.push({
        time: event.time,
        threadId: event.threadId,
        operation: event.operation,
        address: event.address as Address,
        ...(event.from !== 0 && { from: event.from as Address }),
        requestedBytes: event.requested,
        usableBytes: event.usable,
        ...(event.stack !== 0 && {
          stack: StackStore.read(store, event.stack),
        }),
      });
    }
  }
  found.sort((a, b) => a.time - b.time);
  return [
    ...(filter.last === undefined ? found : found.slice(Math.max(0, found.length - filter.last))),
  ];
}

/** Time of an event in milliseconds since 1970, by the same clock in all threads. */
export const timeNow = (): number => timeOrigin + now();

/**
 * Events as lines, with times relative to the first event, and the frames of their stacks below.
 */
export function renderHistory(events: readonly HistoryEvent[]): string[] {
  const start = events[0]?.time ?? 0;
  return events.flatMap((event) => {
    const time = `+${(event.time - start).toFixed(3)} ms`.padStart(14);
    const moved = event.from === undefined ? '' : `${hex(event.from)} -> `;
    const line =
      `${time}  thread ${String(event.threadId).padEnd(3)} ${event.operation.padEnd(12)} ` +
      `${moved}${hex(event.address)}  ${event.requestedBytes} bytes (${event.usableBytes} usable)`;
    const frames = event.stack?.split('\n').map((frame) => `${' '.repeat(16)}${frame}`) ?? [];
    return [line, ...frames];
  });
}
