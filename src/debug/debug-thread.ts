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
  type SlotIndex,
} from '../base/index.js';
import { eachBlock } from '../blocks/index.js';
import type { EventQueue, ThreadHeap } from '../heap/index.js';
import * as BlockRecord from '../layout/block-record.js';
import * as EventRing from '../layout/event-ring.js';
import type { DebugSettings, HeapMemory } from '../layout/index.js';
import * as TraceBuffer from '../layout/trace-buffer.js';
import type { Recovered } from '../recovery/index.js';
import { isPoisoned } from '../sync/index.js';
import type { VerifyProblem, VerifyReport } from '../verify/index.js';
import { BlockChecks } from './block-checks.js';
import { createDebugCalls, type Noted } from './debug-calls.js';
import { type Allocation, DebugInspector } from './debug-inspector.js';
import { errorPolicy } from './error-policy.js';
import { createRefusals } from './explain-address.js';
import { createFindBlock, type FindBlock } from './find-block.js';
import { FreeingBy } from './freeing-by.js';
import { type HistoryEvent, type HistoryFilter, readHistory, timeNow } from './history.js';
import { createQuarantine, type Quarantine } from './quarantine.js';
import { createRecords, type Records } from './records.js';
import { createStacks, type TakeStack } from './stacks.js';
import { Tracer } from './tracer.js';
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
  const thread = new DebugThread(core, settings, threadId);
  const shared = createDebugCalls(core.shared, thread);
  for (const call of functionsOf(shared)) thread.calls.add(call);
  const ownedBlocks = new FreeingBy(core, shared);
  ownedBlocks.whenFull(() => thread.makeRoom());
  const inspector = new DebugInspector(thread);
  return {
    core: {
      ...core,
      shared,
      ownedBlocks,
      inspector,
      verify: (quiet) => thread.verify(quiet),
      recover: () => thread.recover(),
      detach: () => thread.detach(tell),
    },
    history(call, filter) {
      const { historyEvents } = settings;
      if (historyEvents > 0) return readHistory(core.memory, historyEvents, filter);
      throw optionOff(call, 'history');
    },
    whoAllocated: (address) => inspector.whoAllocated(address),
  };
}

/** A thread of an instrumented heap: what its calls need, and what they leave for later ones. */
export class DebugThread {
  readonly core: ThreadHeap;
  readonly memory: HeapMemory;
  readonly settings: DebugSettings;
  readonly slotIndex: SlotIndex;
  /** `threadId` of worker_threads. */
  readonly threadId: number;
  /** Held back until a call is over: a listener must not meet a block that is half made. */
  readonly events: EventQueue;
  readonly records: Records;
  readonly checks: BlockChecks;
  readonly quarantine: Quarantine;
  /** Finds the block around an address. */
  readonly findBlock: FindBlock;
  /** Treats the error of a bad free as the options say: throws, prints or drops it. */
  readonly complain: (error: Error) => void;
  /** The error for an address that is no live block of the program. */
  readonly bad: (asked: string, address: unknown) => Error;
  /** The call stack to keep with this call, or 0. */
  readonly takeStack: TakeStack;
  /** The program's calls of this attachment, whose frames are not in its stacks. */
  readonly calls = new Set<AnyFunction>();
  /** True while a call is under way, or after it was cut. */
  isOpen = false;
  readonly #tracer: Tracer | null;
  readonly #write: ((event: Noted) => void) | null;
  readonly #ticker: Ticker;
  /** Messages of damage that was reported to the program. */
  readonly #told = new OwnSet<string>();
  /** Errors that the next calls throw, or that detach prints. */
  readonly #deferred = new List<Error>();

  constructor(core: ThreadHeap, settings: DebugSettings, threadId: number) {
    const { memory, slotIndex } = core;
    const { historyEvents, quarantineBytes, tracePath } = settings;
    this.core = core;
    this.memory = memory;
    this.settings = settings;
    this.slotIndex = slotIndex;
    this.threadId = threadId;
    this.events = core.events;
    this.records = createRecords(memory, settings);
    this.checks = new BlockChecks(memory, settings, this.records);
    this.quarantine = createQuarantine(quarantineBytes, (block) => this.checks.find(block));
    this.findBlock = createFindBlock(core, this.records);
    this.complain = errorPolicy(settings);
    this.bad = createRefusals(core, this.records, this.findBlock);
    this.takeStack = createStacks(memory, settings, { threadId, calls: this.calls });
    this.#tracer = tracePath === '' ? null : new Tracer(memory, slotIndex, threadId, tracePath);
    this.#write = historyEvents > 0 ? historian(memory, settings, slotIndex, threadId) : null;
    this.#ticker = new Ticker(settings, threadId);
  }

  // ---- around each call

  /**
   * Called before each call changes anything: throws a deferred error, makes room for the call's
   * events, and verifies the heap when that is due.
   */
  begin(): void {
    const error = this.#deferred.shift();
    if (error !== undefined) throw error;
    this.#tracer?.begin();
    if (this.#ticker.isDue()) this.#ticker.report(this.#survey(false), this.#told);
  }

  /** Adds a call to history and trace; for a free or a move, before the block is given up. */
  note(event: Noted): void {
    this.#write?.(event);
    if (this.#tracer !== null) trace(this.#tracer, event);
  }

  /** Keeps an error for a later call: this call throws another one, or has a block to return. */
  deferError(error: Error): void {
    this.#deferred.push(error);
  }

  // ---- after a cut call

  /**
   * Repairs what a cut call left. Each block that is this thread's own by its record is in its
   * quarantine after that, or is given back.
   */
  selfRepair(): void {
    const { core, slotIndex } = this;
    const { i32, tags, geometry } = this.memory;
    core.repairIfCut();
    const waits = (block: Address): boolean => {
      const state = BlockRecord.getState(i32, BlockRecord.at(geometry.blockRecords, block));
      const isFreed =
        BlockRecord.kindOf(state) === BlockRecord.FREED && BlockRecord.slotOf(state) === slotIndex;
      return tags[block >>> GRANULE_SHIFT] !== 0 && isFreed && BlockRecord.isStateOf(state, block);
    };
    core.reclaimInstrumented(this.quarantine.keepOnly(waits));
    this.isOpen = false;
  }

  #repairIfCut(): void {
    if (this.isOpen && !isPoisoned(this.memory)) this.selfRepair();
  }

  // ---- the quarantine as a whole

  /** Empties the quarantine; returns the number of its blocks. Its damage is deferred. */
  #drain(): number {
    // A cut in the middle counts as a cut call.
    this.isOpen = true;
    try {
      const { blocks, errors } = this.quarantine.drain(this.core.shared.free);
      for (let n = 0; n < errors.length; n++) this.#deferred.push(errors[n] as Error);
      return blocks;
    } finally {
      this.isOpen = false;
    }
  }

  /** For an object of the heap that finds the heap full; returns true if blocks were given back. */
  makeRoom(): boolean {
    const { marks } = this.core;
    // The frees go through the program's calls, but in the middle of a change of an object.
    marks.nested = true;
    try {
      return this.#drain() > 0;
    } finally {
      marks.nested = false;
    }
  }

  // ---- calls of the attachment

  /** Verifies the heap and all its blocks. */
  verify(quiet: boolean): VerifyReport {
    this.#repairIfCut();
    const report = this.#survey(quiet);
    const { problems } = report;
    for (let n = 0; n < problems.length; n++) {
      this.#told.add((problems[n] as VerifyProblem).message);
    }
    return report;
  }

  #survey(quiet: boolean): VerifyReport {
    const report = this.core.verify(quiet);
    verifyBlocks(this, eachBlock(this.core.inspector), report);
    return report;
  }

  recover(): Recovered {
    this.#repairIfCut();
    return this.core.recover();
  }

  /** Gives back the quarantine and the slot, and prints the errors that no later call will throw. */
  detach(tell: (text: string) => void): void {
    const { core, settings, threadId } = this;
    this.#repairIfCut();
    core.events.deferring(() => {
      // A poisoned heap keeps the quarantine. If this throws the thread stays attached: without its
      // slot no thread would own the blocks in its quarantine.
      if (!isPoisoned(this.memory)) this.#drain();
      core.detach();
      this.#tracer?.close();
      for (const { message } of this.#deferred.splice(0)) {
        if (settings.onError === 'ignore' || this.#told.has(message)) continue;
        tell(`shmalloc: thread ${threadId}, as it detached: ${message}\n`);
      }
    });
  }
}

/** Counts a thread's calls: says when a check is due, and throws the problems that it finds. */
class Ticker {
  readonly #threadId: number;
  readonly #each: number;
  #calls = 0;
  #next: number;

  constructor({ checkStart, checkEach }: DebugSettings, threadId: number) {
    this.#threadId = threadId;
    this.#each = checkEach;
    this.#next = checkStart || Number.POSITIVE_INFINITY;
  }

  /** Counts a call; returns true if the heap is to be verified before it. */
  isDue(): boolean {
    this.#calls++;
    if (this.#calls < this.#next) return false;
    this.#next = this.#each > 0 ? this.#calls + this.#each : Number.POSITIVE_INFINITY;
    return true;
  }

  /**
   * Throws the problems that were not reported before. Each is reported once: otherwise no call
   * would succeed any more, not even the free of the damaged block.
   */
  report(found: VerifyReport, told: Set<string>): void {
    const problems = found.problems.filter(({ message }) => !told.has(message));
    const [first] = problems;
    if (first === undefined) return;
    for (const { message } of problems) told.add(message);
    const error = new HeapError(
      'ERR_SHMALLOC_CHECK_FAILED',
      `the check after ${this.#calls - 1} calls of thread ${this.#threadId} found ` +
        `${problems.length} ${problems.length === 1 ? 'problem' : 'problems, the first'}: ` +
        `${first.message} (${first.invariant})`,
    );
    throw Object.assign(error, { problems });
  }
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
