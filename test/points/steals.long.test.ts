/**
 * Proves that no block is lost if another thread takes over a span in the middle of a call: in a
 * full heap spans change their owner at any moment, and with it the magazine that their blocks are
 * freed to.
 */

import test from 'ava';
import type { Address } from 'shmalloc';
import { attach, type Library, loadLibrary, makeHeap, withHook } from './simulation.js';

const BYTES = 64;
/** Number of blocks of that size in a page. */
const SPAN_BLOCKS = 8192 / BYTES;
/** Number of blocks that a new magazine cannot hold. */
const FREED_MAX = 140;

/**
 * Moves a block to another class, after `freed` frees of its class; meanwhile another thread needs
 * a block of that class after each flush and refill. Returns the faults, and how often it took over
 * a span.
 */
function moveBeside(lib: Library, freed: number) {
  const memory = makeHeap(lib, 4);
  const [one, other] = [attach(lib, memory, 0), attach(lib, memory, 1)];
  const live = new Set<Address>();
  const keep = (address: Address): Address => {
    if (address !== 0) live.add(address);
    return address;
  };
  const free = (address: Address): void => {
    live.delete(address);
    one.shared.free(address);
  };
  const small = Array.from({ length: 300 }, () => keep(one.shared.malloc(BYTES)));
  const wider = Array.from({ length: 100 }, () => keep(one.shared.malloc(BYTES * 4)));
  for (const bytes of [200_000, 70_000, 9000, 1000, 500, 100, 16]) {
    while (keep(one.shared.malloc(bytes)) !== 0);
  }
  while (keep(one.shared.malloc(BYTES)) !== 0);
  for (const address of wider.slice(0, 20)) free(address);
  // The newest blocks are in the span of the block that moves: a flush returns them.
  const [moving, ...rest] = small as [Address, ...Address[]];
  const order = [...rest.slice(SPAN_BLOCKS), ...rest.slice(0, SPAN_BLOCKS - 1)];
  for (const address of order.slice(order.length - freed)) free(address);
  const owners = () => memory.owners.join();
  const before = owners();
  live.delete(moving);
  let inside = false;
  const moved = withHook(
    (name) => {
      if (inside || name !== 'sentinel.new') return;
      inside = true;
      keep(other.shared.malloc(BYTES));
      inside = false;
    },
    () => one.shared.realloc(moving, BYTES * 4),
  );
  keep(moved === 0 ? moving : moved);
  const stolen = owners() !== before;
  const problems = one.verify(true).problems.map(({ message }) => message);
  for (const address of live) one.shared.free(address);
  one.detach();
  other.detach();
  const last = attach(lib, memory, 2);
  const { liveBlocks, problems: left } = last.verify(true);
  return { stolen, wrong: [...problems, ...left.map(({ message }) => message)], liveBlocks };
}

function moveAll(lib: Library) {
  const all = Array.from({ length: FREED_MAX }, (_, freed) => moveBeside(lib, freed));
  return {
    stolen: all.filter(({ stolen }) => stolen).length,
    wrong: all.flatMap(({ wrong }) => wrong),
    left: all.reduce((sum, { liveBlocks }) => sum + liveBlocks, 0),
  };
}

test('realloc_ts: a block is freed to the magazine that was checked, also if another thread takes over its span', async (t) => {
  const lib = await loadLibrary();
  const { stolen, wrong, left } = moveAll(lib);
  t.true(stolen > 0, 'no span was taken');
  t.deepEqual([...new Set(wrong)], []);
  t.is(left, 0);
  lib.copy.remove();
});

test('realloc_ts: mutant is found: looks for the magazine twice', async (t) => {
  const lib = await loadLibrary({
    file: 'heap/realloc.js',
    from: /const ownTop = u32\[tops \+ magazine\];/,
    to: 'magazine = magazineFor(heap, address, tags[address >>> SHIFT]); $&',
  });
  const { wrong } = moveAll(lib);
  t.not(wrong.length, 0);
  for (const one of new Set(wrong)) t.log(one);
  lib.copy.remove();
});
