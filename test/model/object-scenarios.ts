/**
 * Scenarios of placement, contexts and vectors. See scenarios.ts.
 */

import type { Call, Script } from './script.js';

/** The base of scenarios: each runs alone, and some also with other threads at work. */
export interface ObjectParts {
  readonly name: string;
  readonly pages?: number;
  readonly limitMax?: number;
  readonly quarantine?: number;
  readonly setup?: Script;
  readonly prepare?: Script;
  readonly victim: Script;
  /** True if it also runs with other threads at work, before recovery and with the rescuer. */
  readonly busy?: true;
}

const CONTEXT: Call = { call: 'context', as: 'c' };
const small = (as: string, c = 1, of = 'c'): Call => ({ call: 'chunk', of, c, as });
const large = (as: string, pages = 1, of = 'c'): Call => ({ call: 'chunk', of, pages, as });
const drop = (of: string): Call => ({ call: 'drop', of });
const place = (size: { c?: number; pages?: number } = {}): Call => ({
  call: 'place',
  root: 0,
  ...size,
});
const end = (of = 'c'): Call => ({ call: 'end', of });
const malloc = (as: string): Call => ({ call: 'malloc', c: 1, as });
const free = (block: string): Call => ({ call: 'free', block });

/** Makes a tree of three contexts, each with chunks. */
const TREE: Script = [
  CONTEXT,
  { call: 'context', as: 'd', parent: 'c' },
  { call: 'context', as: 'e', parent: 'd' },
  small('x'),
  small('y', 2, 'd'),
  large('z', 1, 'e'),
];
/** Fills the magazine of class 1 up to its sentinel. */
const FULL_STACK: Script = [...['p', 'q', 'r'].map(malloc), ...['p', 'q'].map(free)];

export const OBJECT_PARTS: readonly ObjectParts[] = [
  {
    name: 'placement: small, larger, large, larger, nothing',
    pages: 10,
    busy: true,
    victim: [place({ c: 1 }), place({ c: 2 }), place({ pages: 1 }), place({ pages: 2 }), place()],
  },
  {
    name: 'placement: small for small, magazines full',
    pages: 10,
    busy: true,
    prepare: [place({ c: 1 }), ...FULL_STACK],
    victim: [place({ c: 1 }), place({ c: 2 })],
  },
  {
    name: 'placement: small out of a full magazine',
    pages: 10,
    prepare: [place({ c: 1 }), ...FULL_STACK],
    victim: [place()],
  },
  {
    name: 'placement: large for small, small for large',
    pages: 10,
    limitMax: 4,
    prepare: [place({ pages: 2 })],
    victim: [place({ c: 1 }), place({ pages: 1 }), place({ c: 2 })],
  },
  {
    name: 'placement: a large block in a full heap',
    pages: 4,
    prepare: [place({ c: 1 }), { call: 'large', pages: 1, as: 'l' }],
    victim: [place({ pages: 3 }), free('l'), place({ pages: 2 })],
  },
  {
    name: 'chunks, small',
    pages: 10,
    busy: true,
    victim: [CONTEXT, small('x'), small('y'), drop('x'), small('z', 2)],
  },
  {
    name: 'chunks, large',
    pages: 10,
    busy: true,
    victim: [CONTEXT, large('x'), large('y', 2), drop('x'), drop('y')],
  },
  {
    name: 'reset',
    pages: 10,
    prepare: [CONTEXT, small('x'), small('y'), large('z')],
    victim: [{ call: 'reset', of: 'c' }, small('w')],
  },
  { name: 'end of a tree', pages: 10, busy: true, prepare: TREE, victim: [end()] },
  {
    name: 'end of a child, then detach with the rest',
    pages: 10,
    prepare: TREE,
    victim: [end('d'), { call: 'detach' }, { call: 'attach' }],
  },
  {
    name: 'children made, moved and made roots',
    pages: 10,
    victim: [
      ...TREE,
      { call: 'reparent', of: 'e', to: 'c' },
      { call: 'reparent', of: 'd' },
      end('d'),
    ],
  },
  {
    name: 'release and adopt',
    pages: 10,
    busy: true,
    victim: [
      ...TREE,
      { call: 'release', of: 'c' },
      { call: 'adopt', record: 1, as: 'c' },
      end('d'),
      end(),
    ],
  },
  { name: 'release of a child', pages: 10, prepare: TREE, victim: [{ call: 'release', of: 'd' }] },
  {
    name: 'adopt of what another released',
    pages: 10,
    setup: [...TREE, { call: 'release', of: 'c' }],
    victim: [
      { call: 'adopt', record: 1, as: 'c' },
      { call: 'reparent', of: 'c.3' },
      { call: 'context', as: 'f', parent: 'c' },
      end('c.2'),
      end('f'),
      { call: 'release', of: 'c' },
    ],
  },
  {
    name: 'vector, small storage',
    pages: 10,
    busy: true,
    victim: [
      { call: 'vector', as: 'v', c: 1 },
      { call: 'grow', of: 'v', c: 2 },
      { call: 'unvector', of: 'v' },
    ],
  },
  {
    name: 'vector, large storage',
    pages: 10,
    victim: [
      { call: 'vector', as: 'v', pages: 1 },
      { call: 'grow', of: 'v', pages: 2 },
      { call: 'unvector', of: 'v' },
    ],
  },
  {
    name: 'instrumented: chunks of blocks that were freed',
    pages: 10,
    quarantine: 0,
    prepare: [
      CONTEXT,
      ...['p', 'q'].map(malloc),
      ...['p', 'q'].map(free),
      { call: 'large', pages: 1, as: 'l' },
      free('l'),
    ],
    victim: [small('x'), small('y'), drop('x'), large('z')],
  },
];
