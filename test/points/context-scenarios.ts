/**
 * Scenarios of memory contexts: chained, reset, ended, released, adopted, moved.
 */

import type { AnyContext } from '../../src/contexts/index.js';
import { HELD_BACK, PAGES, type Program, type Scenario, SMALL } from './program.js';

const KIB = 1024;

/** Allocates two chunks in spans, one that is a run, and two objects with chunks of their own. */
function fill(context: AnyContext): AnyContext {
  for (let n = 0; n < 4; n++) context.malloc(3 * KIB);
  context.malloc(20 * KIB);
  context.malloc(100 * KIB);
  return context;
}

/** Makes a root with two children, one of which has a child. */
function tree(program: Program): AnyContext[] {
  const root = fill(program.context());
  const child = program.context({ parent: root, kind: 'set' });
  child.malloc(100);
  const grandchild = program.context({ parent: child });
  grandchild.malloc(5 * KIB);
  return [root, child, grandchild, program.context({ parent: root })];
}

const SCENARIOS: readonly Scenario[] = [
  {
    name: 'a context grows chunk by chunk',
    act: (p) => void fill(p.context()),
    hits: ['context.claim', 'context.live', 'chunk.claim', 'place.own', 'place.publish'],
  },
  {
    name: 'a context is reset',
    prepare(p, blocks) {
      blocks.contexts = [fill(p.context())];
    },
    act: (_, { contexts }) => contexts[0]?.reset(),
    hits: ['chunk.free', 'place.untag', 'place.nowhere'],
  },
  {
    name: 'a tree of contexts ends',
    prepare(p, blocks) {
      blocks.contexts = tree(p);
    },
    act: (_, { contexts }) => contexts[0]?.delete(),
    hits: ['context.dying', 'context.free'],
  },
  {
    name: 'contexts end, their chunks flushed on the way',
    prepare(p, blocks) {
      blocks.contexts = Array.from({ length: 12 }, () => p.context({ initialBytes: SMALL }));
      for (const context of blocks.contexts) context.malloc(1);
    },
    act(_, { contexts }) {
      for (const context of contexts) context.delete();
    },
    hits: ['flush.bit', 'place.untag'],
  },
  {
    name: 'a set: objects freed, used again, and with chunks of their own',
    prepare(p, blocks) {
      blocks.contexts = [p.context({ kind: 'set' })];
    },
    act(_, { contexts: [set] }) {
      if (set?.kind !== 'set') return;
      const list = [100, 100, 3 * KIB, 30 * KIB, 100 * KIB].map((size) => set.malloc(size));
      for (const address of list) set.free(address);
      set.free(set.realloc(set.realloc(set.malloc(90), 3000), 90 * KIB));
    },
    hits: ['chunk.free'],
  },
  {
    name: 'a tree of contexts is released',
    prepare(p, blocks) {
      const root = p.context();
      blocks.contexts = tree(p);
      blocks.contexts[0]?.setParent(root);
    },
    act: (_, { contexts }) => void contexts[0]?.release(),
    hits: ['context.root', 'context.reparent', 'context.release'],
  },
  {
    name: 'a tree of contexts is adopted, grows and ends',
    setup(p, blocks) {
      const [root] = tree(p);
      if (root !== undefined) blocks.handles = [root.release()];
      fill(p.context());
    },
    act(p, { handles: [handle] }) {
      if (handle === undefined) return;
      const root = p.contexts.adopt(handle);
      fill(root.children[0] as AnyContext);
      root.delete();
    },
    hits: ['context.adopt'],
  },
  {
    name: 'contexts move in their tree',
    prepare(p, blocks) {
      blocks.contexts = tree(p);
    },
    act(_, { contexts: [root, , grandchild, last] }) {
      grandchild?.setParent(null);
      root?.setParent(grandchild as AnyContext);
      last?.setParent(null);
      last?.delete();
    },
  },
  {
    name: 'detach with contexts',
    prepare: (p) => void tree(p),
    act: (p) => p.core.detach(),
    hits: ['end.intent', 'end.publish', 'end.done', 'end.chunk'],
  },
  {
    name: 'contexts in a heap whose blocks were used before, instrumented',
    debug: HELD_BACK,
    prepare(p, blocks) {
      p.freeAll([...p.many(12, 4 * KIB), ...p.many(6, 8 * KIB), p.malloc(PAGES(20))]);
      blocks.contexts = tree(p);
    },
    act(p, { contexts }) {
      fill(p.context());
      contexts[0]?.delete();
    },
  },
  ...(
    [
      ['pop.top', 2, 'between intent and pop', 'resolve.done'],
      ['place.publish', 3, 'before it was published', 'resolve.out'],
      ['place.publish', 5, 'before a run was published', 'resolve.reserve'],
      ['place.entry', 1, 'before a chunk was pushed', 'orphan.untag'],
      ['place.untag', 1, 'before a chunk was untagged', 'resolve.done'],
      ['place.resolved', 1, 'before a run was given back', 'resolve.untag'],
      ['large.reserve', 1, 'when an intent named no word any more', 'resolve.untag'],
      ['large.untag', 1, 'when a run was RESERVED again', 'recover.tag'],
      ['place.done', 7, 'before the end of an intent', 'resolve.done'],
      ['chunk.free', 2, 'before a record was free', 'end.chunk'],
    ] as const
  ).map(
    ([point, passage, when, hit]): Scenario => ({
      name: `recovery of an owner of contexts that died ${when}`,
      setup(p, blocks) {
        blocks.contexts = tree(p);
      },
      corpse: { point, passage, act: (p) => tree(p)[0]?.delete() },
      act: (p) => void p.core.recover(),
      hits: [hit, 'end.done', 'context.free'],
    }),
  ),
];

export const CONTEXT_SCENARIOS: readonly Scenario[] = SCENARIOS.map((scenario) => ({
  ...scenario,
  objects: true,
}));
