/**
 * Witnesses of holes in placement. See witnesses.ts.
 */

import type { Call } from './script.js';
import type { Witness } from './witnesses.js';
import { SHAPE } from './world.js';

const OBJECTS = { ...SHAPE, pages: 12, slots: 6, contexts: 2, chunks: 2 };
const CONTEXT: Call = { call: 'context', as: 'c' };
const malloc = (as: string, c = 1): Call => ({ call: 'malloc', c, as });

/**
 * A thread cannot give back the pages that were a vector's storage. Another thread gives that
 * vector other storage, and its program gets the pages that the first had placed there. Then the
 * first thread dies.
 */
export const STANDING_INTENT: Witness = {
  name: 'an intent that stands, and a word that goes on',
  shape: OBJECTS,
  scripts: {
    owner: [{ call: 'vector', as: 'v', pages: 1 }],
    grower: [{ call: 'grow', of: 'v', pages: 2 }, malloc('a'), malloc('b')],
    other: [
      { call: 'grow', of: 'v', c: 1 },
      { call: 'large', pages: 2, as: 'd' },
      { call: 'grow', of: 'v', c: 2 },
    ],
  },
  moves: [
    { thread: 'owner' },
    { thread: 'grower', until: 'place.publish' },
    { thread: 'grower', until: 'lock.take', fate: 'error' },
    { thread: 'grower', until: 'pop.tag' },
    { thread: 'other', until: 'large.commit' },
    { thread: 'other', until: 'word.unlock' },
    { thread: 'grower', until: 'pop.tag', fate: 'killed' },
  ],
};

/**
 * A block's record says that a dead thread freed it, while a living thread is placing it in a word.
 */
export const FREED_BY_THE_DEAD: Witness = {
  name: 'a record of a block that is an object by now',
  shape: { ...OBJECTS, quarantine: 0 },
  scripts: {
    dead: [malloc('a'), { call: 'free', block: 'a' }, malloc('b', 2)],
    rescuer: [{ call: 'recover' }],
    owner: [CONTEXT, { call: 'chunk', of: 'c', c: 1 }],
  },
  moves: [
    { thread: 'dead', until: 'push.untag' },
    { thread: 'dead', until: 'lock.take', fate: 'killed' },
    { thread: 'rescuer', until: 'transit.close' },
    { thread: 'rescuer', until: 'release.spans' },
    { thread: 'rescuer', until: 'lock.notify' },
    { thread: 'owner', until: 'pop.top' },
    { thread: 'owner', until: 'place.own' },
    { thread: 'rescuer' },
  ],
};

export const OBJECT_WITNESSES: readonly Witness[] = [STANDING_INTENT, FREED_BY_THE_DEAD];
