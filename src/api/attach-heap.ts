/**
 * The parts of an attachment, and the memory of a new heap.
 *
 * Used by SharedHeap.create and attach. Runs none of the program's code.
 */

import { isMainThread, threadId } from 'node:worker_threads';
import { Vectors } from '../collections/index.js';
import { Contexts } from '../contexts/index.js';
import { applyErrorPolicy, createDebug } from '../debug/index.js';
import { attachThreadHeap, createHeap, type ThreadHeap } from '../heap/index.js';
import { readUsage } from '../inspect/index.js';
import * as DebugRecord from '../layout/debug-record.js';
import {
  computeGeometry,
  type HeaderFields,
  type HeapMemory,
  viewMemory,
} from '../layout/index.js';
import { type ResolvedOptions, writeToStderr } from '../options/index.js';
import { claimOf } from './attachments.js';
import { createListener } from './events.js';
import { type ExitHooks, reportAtEnd } from './exit-hooks.js';
import { Inspection } from './inspection.js';
import type { SharedHeap } from './shared-heap.js';

/** What a SharedHeap holds. */
export interface HeapParts {
  readonly core: ThreadHeap;
  readonly contexts: Contexts;
  readonly vectors: Vectors;
  readonly inspect: Inspection;
}

/**
 * Attaches this thread to the heap in a memory.
 * @throws HeapError ERR_SHMALLOC_NO_SLOT
 */
export function attachParts(memory: HeapMemory, fields: HeaderFields): HeapParts {
  const plain = attachThreadHeap(memory, fields.reserveIsZero, {
    threadId,
    // Only a main thread gives up: a worker that waits stalls nobody but itself.
    lockTimeoutMs: isMainThread ? fields.lockTimeoutMs : Number.POSITIVE_INFINITY,
    listener: createListener(fields.id),
    claim: claimOf(fields.id),
  });
  const debug = DebugRecord.isInstrumented(fields.debug)
    ? createDebug(plain, fields.debug, threadId, writeToStderr)
    : null;
  const core = debug?.core ?? applyErrorPolicy(plain, fields.debug);
  const attachment = { core, heapId: fields.id, threadId, scribble: fields.debug.scribble };
  const contexts = new Contexts(attachment);
  return {
    core,
    contexts,
    vectors: new Vectors(attachment, contexts),
    inspect: new Inspection(core, debug),
  };
}

/** Views of the heap that a header describes. */
export function viewHeap(buffer: SharedArrayBuffer, fields: HeaderFields): HeapMemory {
  return viewMemory(buffer, computeGeometry(fields));
}

/** Writes a new heap into a buffer. */
export function makeMemory(
  options: ResolvedOptions,
  buffer: SharedArrayBuffer,
  id: string,
): HeapMemory {
  const { base, bytes, threads, contexts, lockTimeoutMs, debug } = options;
  return createHeap({
    buffer,
    base,
    bytes,
    threads,
    contexts,
    id,
    pristine: options.buffer === undefined,
    lockTimeoutMs,
    debug,
    secret: [randomWord(), randomWord()],
  });
}

/** Prints the reports that debug options ask for when this attachment ends. */
export function reportHeapAtEnd(
  ending: ExitHooks,
  heap: SharedHeap,
  memory: HeapMemory,
  { debug }: ResolvedOptions,
): void {
  reportAtEnd(ending, debug, {
    memory,
    verify: () => heap.verify(),
    leaks: () => heap.inspect.leaks(),
    label: { heapId: heap.handle.id, threadId },
    usage: () => readUsage(memory),
    stats: () => heap.stats(),
  });
}

// Loaded when a heap is made: loading it costs half of a worker's whole start.
const randomBytes = (bytes: number): Buffer =>
  process.getBuiltinModule('node:crypto').randomBytes(bytes);

const randomWord = (): number => randomBytes(4).readUInt32LE();

export const randomId = (): string => randomBytes(8).toString('hex');
