/** Proves that an object is whole after threads have died again and again while they changed it. */

import { setTimeout } from 'node:timers/promises';
import test from 'ava';
import { Random, seedOf } from '../helpers.js';
import { type CountAnswer, changeOnce } from './object-lock.parts.js';
import { assertWhole, kill, makeScene, NO_ANSWER, start } from './object-lock.scene.js';

test('objectLocks: survive threads that are terminated while they change an object, again and again', async (t) => {
  const random = new Random(seedOf(t));
  const scene = makeScene();
  const { heap, core, word } = scene;
  const KILLS = 16;
  const own: CountAnswer = { takenOver: 0, wrong: [] };
  const survivor = await start<CountAnswer>(scene, { act: 'count', rounds: 200_000 });
  for (let n = 0; n < KILLS; n++) {
    const victim = await start<CountAnswer>(scene, { act: 'count' });
    await setTimeout(random.below(12));
    await kill(victim);
    // The thread ends by itself if it finds a fault.
    own.wrong.push(...(await victim.answer.catch(() => NO_ANSWER)).wrong);
    // Main changes the object, too, so that it also finds deaths.
    for (let m = 0; m < 50; m++) changeOnce(core, word, m, own);
  }
  const { takenOver, wrong } = await survivor.answer;
  await survivor.end;
  t.deepEqual([...wrong, ...own.wrong], []);
  t.log(`${KILLS} deaths, ${takenOver + own.takenOver} of them with the lock`);
  t.true(takenOver + own.takenOver <= KILLS);
  t.is(heap.i32[word + 1], heap.i32[word + 2]);
  assertWhole(t, scene);
});
