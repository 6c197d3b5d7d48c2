/**
 * Proves deaths of an object lock's owner: a thread that acquires the lock, calls the heap and
 * releases the lock dies at every point of the real code, and so does a thread that takes the lock
 * over.
 *
 * One thread simulates all threads (test/points/simulation.ts). object-locks.test.ts has threads
 * that run at the same time.
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

/** The heap as it is now, with the object. */
function copyWith({ i32 }: HeapMemory, copy: HeapMemory, word: number): HeapMemory {
  copy.i32.set(i32.subarray(word, word + 3), word);
  return copy;
}

/** Runs a thread, and passes on the state that it leaves if it dies, at each point on the way. */
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

/**
 * Acquires the lock, changes the object in two steps with calls of the heap between, and releases
 * it.
 */
function change({ objectLocks, memory: { i32 }, shared, marks }: ThreadHeap, word: number): string {
  const outcome = objectLocks.acquire(word);
  i32[word + 1]++;
  // The calls are a part of the change, as in objects: else the lock counts as that of a cut call.
  marks.nested = true;
  shared.free(shared.malloc(SMALL));
  marks.nested = false;
  i32[word + 2] = i32[word + 1];
  objectLocks.release(word);
  return outcome;
}

/** The fault of the rescue from a death; null = none. */
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
    const word = lib.layout.Registry.loadOwner(i32, geometry.registry, slot);
    if (word === owner && owner !== 0) return `taken over, and slot ${slot} is the dead owner's`;
  }
  core.objectLocks.release(word);
  if (core.objectLocks.acquire(word) !== 'clean') return 'told twice';
  core.objectLocks.release(word);
  core.recover();
  const held = heldLocks(lib, memory);
  return held[0] ?? core.verify(true).problems[0]?.message ?? (i32[word] === 0 ? null : 'held');
}

/** All deaths of a thread that changes an object, and the object's place. */
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
  'objectLocks: a death at any kill point of a change: the lock is acquired, and the death reported',
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

test.serial(
  'objectLocks: a rescuer that dies at any kill point of a takeover is taken over',
  (t) => {
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
  },
);

test.serial('objectLocks: a dead owner keeps its lock until recovery has freed its slot', (t) => {
  const { deaths, word } = firstDeaths();
  const { memory, dead } = deaths.at(-1) as Death;
  setDead(dead);
  const core = attach(lib, memory, RESCUER);
  const { i32, geometry } = memory;
  const name = i32[word] as number;
  t.is(name & 0xffff, VICTIM);
  // The owner seems to live when recovery looks, as if /proc could not be read at that moment.
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
