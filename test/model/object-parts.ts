/**
 * Parts of interleavings with contexts and vectors. See interleave-parts.ts.
 */

import type { Part } from './interleave-parts.js';
import type { Call, Script } from './script.js';
import type { Shape } from './world.js';

export const OBJECTS: Shape = {
  pages: 14,
  slots: 6,
  limitStart: 1,
  limitMax: 2,
  contexts: 4,
  chunks: 4,
};

const CONTEXT: Call = { call: 'context', as: 'c' };
const CHILD: Call = { call: 'context', as: 'd', parent: 'c' };
const chunk = (as: string, size: { c?: number; pages?: number }): Call => ({
  call: 'chunk',
  of: 'c',
  as,
  ...size,
});
const release = (of: string): Call => ({ call: 'release', of });
const adopt = (as: string): Call => ({ call: 'adopt', record: 1, as });
const end = (of: string): Call => ({ call: 'end', of });
const MALLOC: Call = { call: 'malloc', c: 1 };

// ---- Adoption

/** A released tree of two contexts, in records 1 and 2, to be adopted. */
const RELEASED_TREE: Script = [CONTEXT, CHILD, chunk('x', { c: 1 }), release('c')];
/** A tree released by a thread that dies while its slot is still in both states. */
const DEAD_RELEASER = { script: [...RELEASED_TREE, MALLOC], killedAt: 'pop.tag' } as const;

export const ADOPTION: readonly Part[] = [
  { name: 'adopt', main: RELEASED_TREE, run: [adopt('a')] },
  {
    name: 'adopt, end, make another and release it',
    main: RELEASED_TREE,
    run: [adopt('a'), end('a'), CONTEXT, release('c')],
  },
  {
    name: 'adopt what the dead released, and make a root of a child',
    before: DEAD_RELEASER,
    prepare: [adopt('a')],
    run: [{ call: 'reparent', of: 'a.2' }, MALLOC],
  },
  { name: 'recovery', before: DEAD_RELEASER, run: [{ call: 'recover' }] },
];

// ---- Chunks

export const CHUNKS: readonly Part[] = [
  { name: 'chunks', run: [CONTEXT, chunk('x', { c: 1 })] },
  {
    name: 'end of a tree',
    prepare: [CONTEXT, CHILD, chunk('x', { c: 1 })],
    run: [end('c')],
  },
  {
    name: 'recovery',
    casualty: {
      script: [CONTEXT, CHILD, chunk('x', { c: 2 }), chunk('y', { pages: 1 })],
      killedAt: 'place.publish',
      passage: 2,
    },
    run: [{ call: 'recover' }],
  },
];

// ---- Vectors of the heap

const VECTOR: Script = [{ call: 'vector', as: 'v', c: 1 }];
const LARGE_VECTOR: Script = [{ call: 'vector', as: 'v', pages: 1 }];
const grow = (size: { c?: number; pages?: number }): Call => ({ call: 'grow', of: 'v', ...size });

export const GROWTH: readonly Part[] = [
  { name: 'growth, small', main: VECTOR, run: [grow({ c: 2 })] },
  {
    name: 'growth, small, and what was given back is used again',
    main: VECTOR,
    run: [grow({ c: 1 }), MALLOC, MALLOC],
  },
  { name: 'growth, large', main: LARGE_VECTOR, run: [grow({ pages: 2 })] },
];
