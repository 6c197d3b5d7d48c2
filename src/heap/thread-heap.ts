/**
 * The thread heap: one thread's attachment to one heap. It is what the functions of this folder take.
 *
 * Made by attach.ts. Owner thread only.
 *
 * I1  Attach claims a slot before it writes to it; detach empties the slot before it frees it.
 * I2  After detach no call of this attachment touches the slot: another thread may own it.
 */

import {
  type Address,
  LARGE,
  type SizeClass,
  type SlotIndex,
  type WordIndex,
} from '../base/index.js';
import {
  type BlockInspector,
  createBlockInspector,
  createDiagnose,
  inspect,
  type Place,
} from '../blocks/index.js';
import type { HeapMemory } from '../layout/index.js';
import * as LockTable from '../layout/lock-table.js';
import * as Slot from '../layout/slot.js';
import {
  Cache,
  copyRunsLocked,
  createSamples,
  type HeapAccess,
  POST_MORTEM,
  type Samples,
} from '../pages/index.js';
import { freeReserved, type Recovered, reclaimInstrumented } from '../recovery/index.js';
import { isPoisoned, numberedWord, ObjectLocks, reportDeath } from '../sync/index.js';
import { type VerifyReport, verifyHeap } from '../verify/index.js';
import { type Calls, createCalls } from './calls.js';
import { detach } from './detach.js';
import type { EventQueue } from './event-queue.js';
import { Fullness } from './fullness.js';
import { LargeBlocks } from './large.js';
import { type Marks, noMarks } from './marks.js';
import { OwnedBlocks } from './owned-blocks.js';
import { Section } from './section.js';
import { type ThreadIdentity, Tools } from './tools.js';

/** What changes in a thread's heap while it is attached. */
interface State {
  isAttached: boolean;
  /** Its detach has begun. */
  isLeaving: boolean;
  /** Its slot is empty. */
  isEmptied: boolean;
  /** Its first calls are made for the engine alone: see attach.ts. */
  isRehearsing: boolean;
  /** Of the block reserved last. */
  reservedClass: SizeClass;
}

export class ThreadHeap extends Tools {
  declare readonly slotIndex: SlotIndex;
  /** The slot's record. */
  readonly slot: WordIndex;
  /** Where in the slot the tops of magazines are, and the counts of allocations: by class. */
  readonly tops: number;
  readonly mallocs: number;
  /** Pages that were never touched read as zero. */
  readonly reserveIsZero: boolean;
  readonly state: State = {
    isAttached: true,
    isLeaving: false,
    isEmptied: false,
    isRehearsing: false,
    reservedClass: LARGE,
  };
  /** What this thread is in the middle of. */
  readonly marks: Marks = noMarks();
  readonly cache: Cache;
  readonly large: LargeBlocks;
  readonly section: Section;
  readonly samples: Samples;
  readonly fullness: Fullness;
  /** Locks that stand in objects. What is done under one is done in `events.deferring`: event-queue I1. */
  readonly objectLocks: ObjectLocks;
  /** How what threads share is looked at in a sound heap. */
  readonly access: HeapAccess;
  /** The allocator's calls: debug/ puts others in the place of `shared`. */
  readonly calls: Calls;
  /** The calls, for any number of threads. */
  readonly shared: Calls;
  /** How objects get and lose their blocks. */
  readonly ownedBlocks: OwnedBlocks;
  /** Who sees the blocks. */
  readonly inspector: BlockInspector;

  constructor(
    memory: HeapMemory,
    slotIndex: SlotIndex,
    by: ThreadIdentity & { readonly reserveIsZero: boolean },
    events: EventQueue,
  ) {
    super(memory, slotIndex, by, events);
    this.slot = Slot.at(memory.geometry.slots, slotIndex);
    this.tops = Slot.topsOf(this.slot);
    this.mallocs = Slot.mallocsOf(this.slot);
    this.reserveIsZero = by.reserveIsZero;
    this.cache = new Cache(this, this.slot);
    this.section = new Section(this);
    this.large = new LargeBlocks(this);
    this.samples = createSamples(memory, this.slot);
    this.fullness = new Fullness(memory, this.slot);
    this.objectLocks = new ObjectLocks(this, this.section);
    this.access = {
      acquire: (lock) => this.locks.acquire(lock),
      release: (lock) => this.locks.release(lock),
      broken: false,
    };
    this.calls = createCalls(this);
    this.shared = this.calls;
    this.ownedBlocks = new OwnedBlocks(this);
    this.inspector = createBlockInspector(memory, (work) => look(this, work));
  }

  // As fields, so that debug/ can spread the heap and put others in the place of some.

  /** The error for an address that is no live block. */
  readonly diagnose = (asked: string, address: unknown): Error =>
    look(this, (access) => createDiagnose(this.memory, access)(asked, address));
  /** Takes back what threads left behind that ended without detaching. */
  readonly recover = (): Recovered => this.events.deferring(() => this.section.recover(false));
  /** The thread with this number has ended: says so to all, and recovers it. */
  readonly recoverThread = (threadId: number): Recovered =>
    this.events.deferring(() => {
      reportDeath(this.memory, numberedWord(threadId));
      return this.section.recover(false);
    });
  readonly verify = (quiet: boolean): VerifyReport =>
    look(this, (access) => verifyHeap(this.memory, access, quiet));
  /** What lies at an address of the data region. */
  readonly inspect = (address: number): Place =>
    look(this, (access) => inspect(this.memory, access, address));
  /** All runs at one moment, by address: head page and run word, in turn. */
  readonly runs = (): Int32Array => look(this, (access) => copyRuns(this.memory, access));
  /** Has this thread not detached? */
  readonly isAttached = (): boolean => this.state.isAttached;
  /** Was its detach cut, so that it is to be called again? It runs none of the program's code. */
  readonly isLeaving = (): boolean => this.state.isLeaving;
  /** Gives this thread's caches and slot back. A second call does nothing. */
  readonly detach = (): void => detach(this);
  /** From now on `repairObjects` puts objects right after a call of this thread that was cut. */
  readonly whenCut = (repairObjects: () => void): void => this.section.whenCut(repairObjects);
  /** Repairs what a call left that was cut. While no object of this thread is being changed. */
  readonly repairIfCut = (): void => this.section.repairIfCut();
  /**
   * Of an instrumented heap: gives back what is in this thread's name in the blocks' records, and neither
   * in the program's hands nor `kept`. After a call that was cut.
   */
  readonly reclaimInstrumented = (kept: ReadonlySet<Address>): void =>
    this.section.read(() => {
      reclaimInstrumented(this, this.cache, this.slotIndex, kept);
      freeReserved(this, this.slotIndex);
    }, true);
}

/** Looks at what threads share; at what is left of it, where the heap is poisoned. */
function look<T>(
  { memory, section, events, access }: ThreadHeap,
  work: (access: HeapAccess) => T,
): T {
  section.checkAttached();
  if (isPoisoned(memory)) return work(POST_MORTEM);
  return events.deferring(() => section.read(() => work(access)));
}

function copyRuns(memory: HeapMemory, access: HeapAccess): Int32Array {
  access.acquire(LockTable.PAGE);
  const runs = copyRunsLocked(memory, access);
  access.release(LockTable.PAGE);
  return runs;
}
