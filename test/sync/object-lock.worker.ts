/** Thread of the tests of object locks: follows one order for a lock. */

import { parentPort, workerData } from 'node:worker_threads';
import { attachTo, type CountAnswer, changeOnce, type ObjectOrder } from './object-lock.parts.js';

const { handle, word, act, rounds = Number.POSITIVE_INFINITY, words } = workerData as ObjectOrder;
const core = attachTo(handle);
const { objectLocks } = core;

if (act === 'hold') {
  objectLocks.acquire(word);
  Atomics.add(words, 0, 1);
  Atomics.wait(words, 1, 0);
} else if (act === 'wait') {
  Atomics.add(words, 0, 1);
  try {
    const outcome = objectLocks.acquire(word);
    objectLocks.release(word);
    parentPort?.postMessage(outcome);
  } catch (error) {
    parentPort?.postMessage((error as { code?: string }).code ?? String(error));
  }
} else {
  Atomics.add(words, 0, 1);
  const answer: CountAnswer = { takenOver: 0, wrong: [] };
  for (let n = 0; n < rounds && answer.wrong.length === 0; n++) changeOnce(core, word, n, answer);
  parentPort?.postMessage(answer);
}
core.detach();
