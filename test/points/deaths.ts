/**
 * Deaths: every heap that a scenario leaves when its thread dies at one of its points, and the
 * checks after a rescue.
 */

import type { Address } from 'shmalloc';
import type { SlotIndex } from '../../src/base/index.js';
import { endReleased, objectFaults, usedContexts } from './objects.js';
import { type Blocks, PAGES, Program, type Scenario, SMALL, TINY } from './program.js';
import {
  attach,
  copyHeap,
  die,
  everybodyLives,
  type HeapMemory,
  heldLocks,
  type Library,
  liveBlocks,
  makeHeap,
  ownBlocks,
  type ThreadHeap,
  withHook,
} from './simulation.js';

/** Contexts of a heap whose scenario has objects. */
const CONTEXTS = 40;
const MAIN = 1;
export const VICTIM = 2;
const CORPSE = 7;
/** First id of a rescuer; ids count up, so that no dead thread's id is used again. */
const RESCUER = 10;
const LAST = 99;

/** A heap as its thread left it, and the blocks that programs held in it then. */
export interface Death {
  readonly memory: HeapMemory;
  readonly point: string;
  /** Number of the point in the act, from 0. */
  readonly n: number;
  readonly books: ReadonlySet<Address>;
  /** Blocks in the middle of a free or a realloc: live or free after their thread's death. */
  readonly doubtful: readonly Address[];
  /** The rescuer's first work. */
  readonly survivor: ((program: Program) => void) | undefined;
  /** The ids of all dead threads. */
  readonly dead: readonly number[];
}

/** A scenario's act, ready to run by a victim with its own name, in its own heap. */
export interface Stage {
  readonly memory: HeapMemory;
  readonly victim: Program;
  readonly blocks: Blocks;
  readonly dead: readonly number[];
}

export function setStage(lib: Library, scenario: Scenario, threads = 4): Stage {
  everybodyLives();
  const memory = makeHeap(lib, threads, scenario.debug, scenario.objects ? CONTEXTS : 0);
  const books = new Set<Address>();
  const blocks: Blocks = {
    a: 0 as Address,
    b: 0 as Address,
    list: [],
    contexts: [],
    handles: [],
    vectors: [],
  };
  scenario.setup?.(new Program(lib, attach(lib, memory, MAIN), books), blocks);
  const dead = scenario.corpse === undefined ? [] : [CORPSE];
  const staged =
    scenario.corpse === undefined ? memory : layOut(lib, scenario, memory, books, blocks);
  const victim = new Program(lib, attach(lib, staged, VICTIM), books);
  scenario.prepare?.(victim, blocks);
  return { memory: staged, victim, blocks, dead };
}

/** Makes the heap with a thread that has died at the corpse's point. */
function layOut(
  lib: Library,
  { corpse }: Scenario,
  memory: HeapMemory,
  books: Set<Address>,
  blocks: Blocks,
) {
  if (corpse === undefined) throw new Error('no corpse');
  const program = new Program(lib, attach(lib, memory, CORPSE), new Set(books));
  let left: HeapMemory | undefined;
  let passages = 0;
  withHook(
    (name) => {
      if (name !== corpse.point || ++passages !== (corpse.passage ?? 1)) return;
      left = copyHeap(lib, memory);
      for (const address of program.books) books.add(address);
      // The block that was being freed may be gone: no program's books have it any more.
      const { address } = program.inFlight ?? {};
      if (address !== undefined) books.delete(address);
    },
    () => corpse.act(program, blocks),
  );
  if (left === undefined) throw new Error(`the corpse never came to ${corpse.point}`);
  die(CORPSE);
  return left;
}

/** Runs a scenario to its end, and passes on the death at each of its points. */
export function eachDeath(
  lib: Library,
  scenario: Scenario,
  show: (death: Death) => void,
  threads = 4,
): void {
  const { memory, victim, blocks, dead } = setStage(lib, scenario, threads);
  const { survivor } = scenario;
  eachCut({ memory, id: VICTIM, dead, survivor, state: () => victim }, show, () => {
    scenario.act(victim, blocks);
  });
}

/**
 * The rescuers' first work: they recover at once, or work and take over locks as they need them.
 */
export type Rescue = 'recover' | 'work';

/** Rescues with a new thread, in a copy of the heap that a death left. */
export function rescue(lib: Library, death: Death, how: Rescue): Program {
  const memory = copyHeap(lib, death.memory);
  const program = new Program(lib, attach(lib, memory, rescuerOf(death)), new Set(death.books));
  carryOut(program, how, death);
  return program;
}

/** Passes on the deaths of a rescuer, at each point of its rescue, its attachment included. */
export function eachRescuerDeath(
  lib: Library,
  death: Death,
  how: Rescue,
  show: (death: Death) => void,
): void {
  const memory = copyHeap(lib, death.memory);
  const id = rescuerOf(death);
  const before = { books: new Set(death.books), inFlight: null };
  let program: Program | undefined;
  eachCut(
    { memory, id, dead: death.dead, survivor: death.survivor, state: () => program ?? before },
    (second) => show({ ...second, doubtful: [...death.doubtful, ...second.doubtful] }),
    () => {
      program = new Program(lib, attach(lib, memory, id), before.books);
      carryOut(program, how, death);
    },
  );
}

const rescuerOf = (death: Death): number => RESCUER + death.dead.length;

function carryOut(program: Program, how: Rescue, { survivor }: Death): void {
  survivor?.(program);
  if (how === 'work') {
    program.malloc(PAGES(10));
    program.malloc(SMALL);
    program.free(program.malloc(TINY));
    program.free(program.malloc(PAGES(18)));
  }
  program.core.recover();
}

interface Cut {
  readonly memory: HeapMemory;
  readonly id: number;
  readonly dead: readonly number[];
  readonly survivor: Death['survivor'];
  state(): Pick<Program, 'books' | 'inFlight'>;
}

/** Runs `act`, and calls back at each of its points, with its thread dead there. */
function eachCut(
  { memory, id, dead, survivor, state }: Cut,
  show: (death: Death) => void,
  act: () => void,
): void {
  withHook((point, n) => {
    const hook = globalThis.shmallocPoint;
    globalThis.shmallocPoint = () => {};
    die(id);
    const { books, inFlight } = state();
    const doubtful = inFlight?.address === undefined ? [] : [inFlight.address];
    show({ memory, point, n, books: new Set(books), doubtful, survivor, dead: [...dead, id] });
    everybodyLives();
    dead.forEach(die);
    globalThis.shmallocPoint = hook;
  }, act);
}

/** The faults of a heap after a rescue; empty = none. */
export function faultsOf(lib: Library, death: Death, { core, books }: Program): string[] {
  const { problems } = core.verify(true);
  const faults = problems.map(({ invariant, message }) => `${invariant}: ${message}`);
  for (const lock of heldLocks(lib, core.memory)) faults.push(`left behind: ${lock}`);
  for (const slot of slotsOf(lib, core, death.dead)) faults.push(`left behind: slot ${slot}`);
  faults.push(...leftBehind(lib, core.memory));
  faults.push(...objectFaults(lib, core));
  const live = liveBlocks(core);
  for (const address of live) if (!books.has(address)) faults.push(`lost: ${address}`);
  for (const address of books) {
    if (!live.has(address) && !death.doubtful.includes(address)) faults.push(`gone: ${address}`);
  }
  return faults;
}

/** Blocks in a slot that has no owner, or a dead one. */
export function leftBehind(lib: Library, memory: HeapMemory): string[] {
  const { i32, geometry } = memory;
  return [...ownBlocks(lib, memory)]
    .filter(([slot]) => {
      const owner = lib.layout.Registry.loadOwner(i32, geometry.registry, slot as SlotIndex);
      return owner === 0 || globalThis.shmallocDead.has(owner);
    })
    .map(([slot, blocks]) => `left behind: ${blocks} of slot ${slot}, freed or not handed out`);
}

/** Slots that one of these threads still owns. */
function slotsOf({ layout }: Library, { memory }: ThreadHeap, ids: readonly number[]): SlotIndex[] {
  const { i32, geometry } = memory;
  const all = Array.from({ length: geometry.threads }, (_, slot) => slot as SlotIndex);
  return all.filter((slot) => {
    const owner = layout.Registry.loadOwner(i32, geometry.registry, slot);
    return ids.some((id) => owner === ((1 << 30) | id));
  });
}

/** Frees all live blocks, whichever thread allocated them; returns what is left in the heap. */
export function faultsOfEmptying(lib: Library, { core }: Program): string[] {
  endReleased(lib, core);
  for (const address of liveBlocks(core)) core.shared.free(address);
  // The living threads are declared dead, too, so that recovery empties their caches.
  die(MAIN);
  core.recover();
  core.detach();
  const last = attach(lib, core.memory, LAST);
  const { problems, liveBlocks: live, cachedBlocks, spans } = last.verify(true);
  const faults = objectFaults(lib, last);
  for (const index of usedContexts(lib, core.memory)) faults.push(`emptied: context ${index}`);
  faults.push(...problems.map(({ invariant, message }) => `emptied: ${invariant}: ${message}`));
  if (live + cachedBlocks + spans > 0) {
    faults.push(`emptied: ${live} live, ${cachedBlocks} cached, ${spans} spans`);
  }
  return faults;
}
