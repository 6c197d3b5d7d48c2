/**
 * A thread's part of a heap with debug options: assembles the files of this folder.
 *
 * Made by api/ once per attachment of an instrumented heap. Owner thread only; it reads other
 * threads' data without locks.
 */

import {
  type Address,
  type AnyFunction,
  functionsOf,
  GRANULE_SHIFT,
  HeapError,
  List,
  OwnSet,
} from '../base/index.js';
import { eachBlock } from '../blocks/index.js';
import type { ThreadHeap } from '../heap/index.js';
import * as BlockRecord from '../layout/block-record.js';
import * as EventRing from '../layout/event-ring.js';
import type { DebugSettings, HeapMemory } from '../layout/index.js';
import * as TraceBuffer from '../layout/trace-buffer.js';
import { isPoisoned } from '../sync/index.js';
import type { VerifyReport } from '../verify/index.js';
import { createBlockChecks } from './block-checks.js';
import { createDebugCalls, type Noted } from './debug-calls.js';
import { type Allocation, createDebugInspector } from './debug-inspector.js';
import { errorPolicy } from './error-policy.js';
import { createRefusals } from './explain-address.js';
import { createFindBlock } from './find-block.js';
import { FreeingBy } from './freeing-by.js';
import { type HistoryEvent, type HistoryFilter, readHistory, timeNow } from './history.js';
import { createQuarantine } from './quarantine.js';
import { createRecords } from './records.js';
import { createStacks } from './stacks.js';
import { createTracer, type Tracer } from './tracer.js';
import { verifyBlocks } from './verify-blocks.js';

/** The debug side of an attachment. */
export interface Debug {
  /** The attachment, whose calls do what the debug options say. */
  readonly core: ThreadHeap;
  /** @throws HeapError ERR_SHMALLOC_OPTION_OFF if the heap keeps no history */
  history(call: string, filter?: HistoryFilter): HistoryEvent[];
  whoAllocated(address: number): Allocation | undefined;
}

/** @param tell writes errors that no caller can catch */
export function createDebug(
  core: ThreadHeap,
  settings: DebugSettings,
  threadId: number,
  tell: (text: string) => void,
): Debug {
  const { memory, slotIndex } = core;
  const records = createRecords(memory, settings);
  const findBlock = createFindBlock(core, records);
  const checks = createBlockChecks(memory, settings, records);
  const quarantine = createQuarantine(settings.quarantineBytes, checks.find);
  const { historyEvents, tracePath } = settings;
  const tracer = tracePath === '' ? null : createTracer(memory, slotIndex, threadId, tracePath);
  const write = historyEvents > 0 ? historian(memory, settings, slotIndex, threadId) : null;

  /** Messages of damage that was reported to the program. */
  const told = new OwnSet<string>();

  function survey(quiet: boolean): VerifyReport {
    const report = core.verify(quiet);
    verifyBlocks(memory, eachBlock(core.inspector), records, checks, report);
    return report;
  }

  function verify(quiet: boolean): VerifyReport {
    const report = survey(quiet);
    const { problems } = report;
    for (let n = 0; n < problems.length; n++)
      told.add((problems[n] as { message: string }).message);
    return report;
  }

  /** Errors that the next calls throw, or that detach prints. */
  const deferred = new List<Error>();
  const checkWhenDue = createTicker(settings, threadId, told, () => survey(false));

  function begin(): void {
    const error = deferred.shift();
    if (error !== undefined) throw error;
    tracer?.begin();
    checkWhenDue();
  }

  function note(event: Noted): void {
    write?.(event);
    if (tracer !== null) trace(tracer, event);
  }

  /** Empties the quarantine. A cut in the middle counts as a cut call. */
  function drain(): { blocks: number; errors: Error[] } {
    thread.isOpen = true;
    try {
      return quarantine.drain(core.shared.free);
    } finally {
      thread.isOpen = false;
    }
  }

  /** Each block that is this thread's own by its record is in its quarantine, or is given back. */
  function selfRepair(): void {
    core.repairIfCut();
    const { i32, tags, geometry } = memory;
    const waits = (block: Address): boolean => {
      const state = BlockRecord.getState(i32, BlockRecord.at(geometry.blockRecords, block));
      const isFreed =
        BlockRecord.kindOf(state) === BlockRecord.FREED && BlockRecord.slotOf(state) === slotIndex;
      return tags[block >>> GRANULE_SHIFT] !== 0 && isFreed && BlockRecord.isStateOf(state, block);
    };
    core.reclaimInstrumented(quarantine.keepOnly(waits));
    thread.isOpen = false;
  }

  function repairIfCut(): void {
    if (thread.isOpen && !isPoisoned(memory)) selfRepair();
  }

  /** The calls for the program, and those for the heap's objects. */
  const calls = new Set<AnyFunction>();

  const thread = {
    isOpen: false,
    selfRepair,
    memory,
    settings,
    slotIndex,
    threadId,
    events: core.events,
    records,
    checks,
    quarantine,
    begin,
    deferError: (error: Error) => void deferred.push(error),
    takeStack: createStacks(memory, settings, { threadId, calls }),
    note,
    complain: errorPolicy(settings),
    bad: createRefusals(core, records, findBlock),
  };
  const shared = createDebugCalls(core.shared, thread);
  for (const call of functionsOf(shared)) calls.add(call);
  const ownedBlocks = new FreeingBy(core, shared);
  ownedBlocks.whenFull(() => {
    // The frees go through the program's calls, but in the middle of a change of an object.
    core.marks.nested = true;
    try {
      const { blocks, errors } = drain();
      for (let n = 0; n < errors.length; n++) deferred.push(errors[n] as Error);
      return blocks > 0;
    } finally {
      core.marks.nested = false;
    }
  });
  const inspector = createDebugInspector(core, settings, records, findBlock, thread.bad);

  /** Gives back the blocks in the thread's quarantine. A poisoned heap keeps them. */
  function close(): void {
    if (isPoisoned(memory)) return;
    const { errors } = drain();
    for (let n = 0; n < errors.length; n++) deferred.push(errors[n] as Error);
  }

  return {
    core: {
      ...core,
      shared,
      ownedBlocks,
      inspector,
      verify(quiet) {
        repairIfCut();
        return verify(quiet);
      },
      recover() {
        repairIfCut();
        return core.recover();
      },
      detach() {
        repairIfCut();
        core.events.deferring(() => {
          // If this throws the thread stays attached: without its slot no thread would own the
          // blocks in its quarantine.
          close();
          core.detach();
          tracer?.close();
          // Deferred errors are printed here: no later call will throw them.
          for (const { message } of deferred.splice(0)) {
            if (settings.onError === 'ignore' || told.has(message)) continue;
            tell(`shmalloc: thread ${threadId}, as it detached: ${message}\n`);
          }
        });
      },
    },
    history(call, filter) {
      if (historyEvents > 0) return readHistory(memory, historyEvents, filter);
      throw optionOff(call, 'history');
    },
    whoAllocated: inspector.whoAllocated,
  };
}

/** Verifies the heap when a check is due, and throws problems that were not reported before. */
function createTicker(
  { checkStart, checkEach }: DebugSettings,
  threadId: number,
  told: Set<string>,
  verify: () => VerifyReport,
): () => void {
  let calls = 0;
  let next = checkStart || Number.POSITIVE_INFINITY;
  return () => {
    calls++;
    if (calls < next) return;
    next = checkEach > 0 ? calls + checkEach : Number.POSITIVE_INFINITY;
    // Each problem is reported once: otherwise no call would succeed any more, not even the free of
    // the damaged block.
    const problems = verify().problems.filter(({ message }) => !told.has(message));
    const [first] = problems;
    if (first === undefined) return;
    for (const { message } of problems) told.add(message);
    const error = new HeapError(
      'ERR_SHMALLOC_CHECK_FAILED',
      `the check after ${calls - 1} calls of thread ${threadId} found ${problems.length} ` +
        `${problems.length === 1 ? 'problem' : 'problems, the first'}: ` +
        `${first.message} (${first.invariant})`,
    );
    throw Object.assign(error, { problems });
  };
}

/** The error of a call that needs a certain option of the heap. */
export function optionOff(call: string, option: 'history' | 'stacks'): HeapError {
  return new HeapError(
    'ERR_SHMALLOC_OPTION_OFF',
    `${call}: this heap has no ${option}: make it with debug: { ${option}: ... }, or set ` +
      `SHMALLOC_${option.toUpperCase()}`,
  );
}

/** Writes events into the ring of the thread's slot. */
function historian(
  memory: HeapMemory,
  { historyEvents }: DebugSettings,
  slotIndex: number,
  threadId: number,
): (event: Noted) => void {
  const ring = EventRing.ringOf(memory, slotIndex, historyEvents);
  return (event) => EventRing.append(ring, event, threadId, timeNow());
}

/** Adds a call to the trace. */
function trace(tracer: Tracer, { operation, address, from, requested }: Noted): void {
  if (operation === 'free') tracer.freed(address);
  else if (operation === 'realloc') tracer.moved(from, address, requested);
  else
    tracer.allocated(
      operation === 'calloc' ? TraceBuffer.CALLOC : TraceBuffer.MALLOC,
      address,
      requested,
    );
}
