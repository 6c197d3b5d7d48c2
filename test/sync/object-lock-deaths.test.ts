/**
 * Deaths with an object's lock: a thread that takes it, calls the heap and gives it back dies at
 * every point of the real code, and so does whoever takes the lock over from it.
 *
 * All threads are simulated on one (test/points/simulation.ts). What that cannot show, threads that
 * run at the same time, is in object-locks.test.ts.
 */

import test from 'ava';
import type { SlotIndex } from '../../src/base/index.js';
import { SMALL } from '../points/program.js';
import {
  attach,
  copyHeap,
  die,
  everybodyLives,
  type HeapMemory,
  heldLocks,
  type Library,
  loadLibrary,
  makeHeap,
  type ThreadHeap,
  withHook,
} from '../points/simulation.js';

const VICTIM = 2;
const RESCUER = 10;
const SECOND = 11;
const WAITERS = 0x80000000 | 0;

let lib: Library;
test.before(async () => {
  lib = await loadLibrary();
});
test.after.always(() => lib?.copy.remove());

interface Death {
  readonly memory: HeapMemory;
  readonly point: string;
  readonly dead: readonly number[];
}

/** The heap as it is now, with the object in it. */
function copyWith({ i32 }: HeapMemory, copy: HeapMemory, word: number): HeapMemory {
  copy.i32.set(i32.subarray(word, word + 3), word);
  return copy;
}

/** What a thread leaves behind if it dies in what it does: at each point, shown as it gets there. */
function eachDeath(
  memory: HeapMemory,
  word: number,
  dead: readonly number[],
  show: (death: Death) => void,
  act: () => void,
): void {
  withHook((point) => {
    const hook = globalThis.shmallocPoint;
    globalThis.shmallocPoint = () => {};
    show({ memory: copyWith(memory, copyHeap(lib, memory), word), point, dead });
    setDead(dead.slice(0, -1));
    globalThis.shmallocPoint = hook;
  }, act);
}

function setDead(dead: readonly number[]): void {
  everybodyLives();
  dead.forEach(die);
}

/** Takes the lock, changes the object in two steps with calls of the heap between, gives it back. */
function change({ objectLocks, memory: { i32 }, shared, marks }: ThreadHeap, word: number): string {
  const outcome = objectLocks.acquire(word);
  i32[word + 1]++;
  // A part of the change, as objects say it: else the lock is taken for that of a cut call.
  marks.nested = true;
  shared.free(shared.malloc(SMALL));
  marks.nested = false;
  i32[word + 2] = i32[word + 1];
  objectLocks.release(word);
  return outcome;
}

/** What is wrong with the rescue from a death; null when nothing is. */
function faultOf({ memory, dead }: Death, word: number, id: number): string | null {
  setDead(dead);
  const { i32, geometry } = memory;
  const owner = i32[word] & ~WAITERS;
  const [first, second] = [i32[word + 1], i32[word + 2]];
  const core = attach(lib, memory, id);
  const outcome = core.objectLocks.acquire(word);
  if (outcome !== (owner === 0 ? 'clean' : 'taken over')) return `${outcome}, owner ${owner}`;
  if (outcome === 'clean' && first !== second) return `clean, with ${first} and ${second}`;
  for (let slot = 0 as SlotIndex; slot < geometry.threads; slot++) {
    const word = lib.layout.loadOwner(i32, geometry.registry, slot);
    if (word === owner && owner !== 0) return `taken over, and slot ${slot} is the dead owner's`;
  }
  core.objectLocks.release(word);
  if (core.objectLocks.acquire(word) !== 'clean') return 'told twice';
  core.objectLocks.release(word);
  core.recover();
  const held = heldLocks(lib, memory);
  return held[0] ?? core.verify(true).problems[0]?.message ?? (i32[word] === 0 ? null : 'held');
}

/** All deaths of a thread that changes an object, and where the object is. */
function firstDeaths(): { deaths: Death[]; word: number } {
  everybodyLives();
  const memory = makeHeap(lib);
  const word = attach(lib, memory, 1).shared.calloc(1, 64) >>> 2;
  const victim = attach(lib, memory, VICTIM);
  const deaths: Death[] = [];
  const keep = (death: Death) => deaths.push(death);
  eachDeath(memory, word, [VICTIM], keep, () => change(victim, word));
  return { deaths, word };
}

test.serial(
  'a thread that dies at any kill point of a change: the lock is had, and the death told',
  (t) => {
    const { deaths, word } = firstDeaths();
    const faults = deaths.flatMap((death) => {
      const fault = faultOf(death, word, RESCUER);
      return fault === null ? [] : [`${death.point}: ${fault}`];
    });
    t.deepEqual(faults, []);
    const points = new Set(deaths.map(({ point }) => point));
    for (const point of ['lock.take', 'lock.release', 'refill.transit']) t.true(points.has(point));
    t.log(`${deaths.length} deaths`);
  },
);

test.serial('who takes over and dies at any kill point of that is taken over in turn', (t) => {
  const { deaths, word } = firstDeaths();
  const seen = new Set<string>();
  const faults: string[] = [];
  let count = 0;
  for (const { memory, point, dead } of deaths) {
    setDead(dead);
    const rescuer = attach(lib, memory, RESCUER);
    const judge = (second: Death): void => {
      count++;
      seen.add(second.point);
      const fault = faultOf(second, word, SECOND);
      if (fault !== null) faults.push(`${point}, ${second.point}: ${fault}`);
    };
    eachDeath(memory, word, [...dead, RESCUER], judge, () => change(rescuer, word));
  }
  t.deepEqual(faults.slice(0, 5), []);
  for (const point of ['lock.mark', 'lock.takeover', 'lock.notify', 'recover.slot']) {
    t.true(seen.has(point), point);
  }
  t.log(`${count} deaths of rescuers`);
});

test.serial('a dead owner keeps its lock until recovery has freed its slot', (t) => {
  const { deaths, word } = firstDeaths();
  const { memory, dead } = deaths.at(-1) as Death;
  setDead(dead);
  const core = attach(lib, memory, RESCUER);
  const { i32, geometry } = memory;
  const name = i32[word] as number;
  t.is(name & 0xffff, VICTIM);
  // It seems to live when recovery looks, as if /proc could not be read just then.
  let looks = 0;
  const outcome = withHook(
    (point) => {
      if (point === 'recover.look' && looks++ < 20) everybodyLives();
      else setDead(dead);
      if (point !== 'lock.takeover') return;
      const slots = i32.subarray(geometry.registry, geometry.registry + geometry.threads);
      t.false(slots.includes(name), 'the slot is free when the lock is taken');
    },
    () => core.objectLocks.acquire(word),
  );
  t.is(outcome, 'taken over');
  t.true(looks > 20);
  core.objectLocks.release(word);
  t.deepEqual(core.verify(true).problems, []);
});
