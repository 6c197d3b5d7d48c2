/**
 * The stage of the misuse tests: each case is played for blocks of three sizes, with both sets of
 * calls.
 */

import test, { type ExecutionContext } from 'ava';
import { type Address, InvalidAddressError, type InvalidAddressReason, SharedHeap } from 'shmalloc';
import { assertIdentity } from '../helpers.js';
import { CALL_SETS, type Calls, snapshot } from './call-sets.js';

export const KIB = 1024;
const SIZES: Record<string, number> = { '8 B': 8, '4 KiB': 4 * KIB, '256 KiB': 256 * KIB };

export interface Stage extends Calls {
  readonly t: ExecutionContext;
  readonly heap: SharedHeap;
  readonly size: number;
  /** Refused, with a code and this reason, by free, realloc and whatever looks; nothing changed. */
  refuses(address: unknown, reason: InvalidAddressReason): void;
}

function makeStage(t: ExecutionContext, callsOf: (heap: SharedHeap) => Calls, size: number): Stage {
  const heap = SharedHeap.create({ size: '16MiB', threads: 2 });
  const calls = callsOf(heap);
  return {
    ...calls,
    t,
    heap,
    size,
    refuses(given, reason) {
      const address = given as Address;
      const before = snapshot(heap);
      const attempts: Record<string, () => unknown> = {
        free: () => calls.free(address),
        'realloc to less': () => calls.realloc(address, 8),
        'realloc to more': () => calls.realloc(address, 300 * KIB),
        usableSize: () => heap.usableSize(address),
        view: () => heap.view(Uint8Array, address, 1),
      };
      for (const [what, attempt] of Object.entries(attempts)) {
        const error = t.throws(attempt, { instanceOf: InvalidAddressError }, what);
        t.is(error?.code, 'ERR_SHMALLOC_INVALID_ADDRESS');
        t.is(error?.reason, reason, `${what}: ${error?.message}`);
        t.is(error?.address, given);
      }
      assertSound(t, heap);
      t.deepEqual(snapshot(heap), before);
    },
  };
}

export function assertSound(t: ExecutionContext, heap: SharedHeap): void {
  t.deepEqual(heap.verify({ quiet: true }).problems, []);
  assertIdentity(t, heap);
}

export type Case = (stage: Stage) => void;

/** Makes the tests of these cases: title to case. */
export function testCases(cases: Record<string, Case>): void {
  for (const [title, play] of Object.entries(cases)) {
    for (const [face, callsOf] of Object.entries(CALL_SETS)) {
      for (const [bytes, size] of Object.entries(SIZES)) {
        test(`${title} (${bytes}, ${face})`, (t) => {
          const stage = makeStage(t, callsOf, size);
          play(stage);
          assertSound(t, stage.heap);
          stage.heap.detach();
        });
      }
    }
  }
}
