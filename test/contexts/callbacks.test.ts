/**
 * Proves when callbacks of contexts are called, and that nothing that they do, be it to throw or to
 * use contexts in turn, leaves anything half done.
 */

import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import test, { type ExecutionContext } from 'ava';
import {
  type Address,
  type AnyContext,
  HEAP_CHANNELS,
  HeapError,
  HeapExhaustedError,
  SharedHeap,
} from 'shmalloc';
import { fillPattern, findDamage } from '../helpers.js';
import { assertNothingLeft, assertSound, countRecords } from './audit.js';

const REFUSED = { instanceOf: HeapError, code: 'ERR_SHMALLOC_CONTEXT' };
const ENDED = { instanceOf: HeapError, code: 'ERR_SHMALLOC_CONTEXT_ENDED' };

const make = () => SharedHeap.create({ size: '16MiB', threads: 2 });

/** The errors that a call has collected. */
function collected(t: ExecutionContext, call: () => void): string[] {
  const error = t.throws(call, { instanceOf: AggregateError });
  return (error?.errors ?? []).map((one: Error) => one.message);
}

const throwing = (message: string) => () => {
  throw new Error(message);
};

test('Context.onReset: called once, the last registered first, children before parents', (t) => {
  using heap = make();
  const root = heap.contexts.create('root');
  const a = root.createContext('a');
  const aa = a.createContext('aa');
  const log: string[] = [];
  for (const [name, context] of Object.entries({ root, a, aa })) {
    for (const n of [1, 2, 3]) context.onReset(() => log.push(`${name}${n}`));
  }
  aa.resetOnly();
  t.deepEqual(log.splice(0), ['aa3', 'aa2', 'aa1']);
  aa.reset();
  t.deepEqual(log, [], 'each is called once');
  aa.onReset(() => log.push('aa4'));
  root.reset();
  t.deepEqual(log.splice(0), ['aa4', 'a3', 'a2', 'a1', 'root3', 'root2', 'root1']);
  root.onReset(() => log.push('root4'));
  root.delete();
  t.deepEqual(log, ['root4']);
  assertNothingLeft(t, heap);
});

for (const how of ['reset', 'resetOnly', 'delete', 'using', 'deleteChildren', 'resetChildren']) {
  test(`Context.onReset: the objects are there still, and it may allocate (${how})`, (t) => {
    using heap = make();
    for (const kind of ['bump', 'set'] as const) {
      using root = heap.contexts.create('root', { kind });
      const context = root.createContext('c', { kind });
      const big = context.malloc(3_000_000);
      const small = context.malloc(50);
      fillPattern(heap, big, 3_000_000, 1);
      fillPattern(heap, small, 50, 2);
      let called = 0;
      context.onReset(() => {
        called++;
        t.is(findDamage(heap, big, 3_000_000, 1), -1);
        t.is(findDamage(heap, small, 50, 2), -1);
        t.true(context.malloc(100) > 0);
        t.true(context.malloc(3_000_000) > 0);
        t.is(heap.readString(context.allocString('late')), 'late');
        if (context.kind === 'set') context.free(small);
      });
      if (how === 'using') {
        using _ends = context;
      } else if (how.endsWith('Children')) {
        root[how as 'resetChildren']();
      } else context[how as 'reset']();
      t.is(called, 1);
      assertSound(t, heap);
    }
    assertNothingLeft(t, heap);
  });
}

for (const how of ['reset', 'delete'] as const) {
  test(`Context.onReset: one that throws does not stop the rest, nor is it called again (${how})`, (t) => {
    using heap = make();
    const root = heap.contexts.create('root');
    const child = root.createContext('child');
    for (const context of [root, child]) context.malloc(5000);
    let calls = 0;
    for (const n of [1, 2, 3, 4]) {
      root.onReset(() => {
        calls++;
        if (n % 2 === 0) throw new Error(`root ${n}`);
      });
    }
    child.onReset(throwing('child'));
    t.deepEqual(
      collected(t, () => root[how]()),
      ['child', 'root 4', 'root 2'],
    );
    t.is(calls, 4);
    t.throws(() => child.malloc(1), ENDED, 'it has ended all the same');
    if (how === 'reset') {
      t.is(root.stats().objects, 0);
      root.reset();
      root.delete();
    } else t.throws(() => root.malloc(1), ENDED);
    t.is(calls, 4);
    assertNothingLeft(t, heap);
  });
}

test('Context.onReset: what is thrown comes out as it is, whatever it is', (t) => {
  using heap = make();
  const context = heap.contexts.create('c');
  const thrown = [undefined, null, 7, 'text', new AggregateError([1, 2])];
  for (const one of thrown) {
    context.onReset(() => {
      throw one;
    });
  }
  const error = t.throws(() => context.delete(), { instanceOf: AggregateError });
  t.deepEqual(error?.errors, thrown.toReversed());
  t.regex(error?.message ?? '', /delete: 5 callbacks of context 'c' threw/);
  t.throws(() => context.onReset(() => {}), ENDED);
  assertNothingLeft(t, heap);
});

test('Context.onReset: what is no function is refused', (t) => {
  using heap = make();
  using context = heap.contexts.create('c');
  for (const wrong of [undefined, null, 'f', {}]) {
    t.throws(() => context.onReset(wrong as unknown as () => void), {
      code: 'ERR_SHMALLOC_INVALID_OPTION',
    });
  }
  t.notThrows(() => context.reset());
});

// ---- what callbacks do

/** Ends `victim` with `call` as its callback; gives what the callback threw. */
function inCallback(victim: AnyContext, end: () => void, call: () => void): unknown {
  let thrown: unknown = 'not called';
  victim.onReset(() => {
    thrown = undefined;
    try {
      call();
    } catch (error) {
      thrown = error;
    }
  });
  end();
  return thrown;
}

test('Context.onReset: it, and those above it that end too, cannot be ended in it', (t) => {
  using heap = make();
  const calls: Record<string, (context: AnyContext) => void> = {
    delete: (context) => context.delete(),
    reset: (context) => context.reset(),
    resetOnly: (context) => context.resetOnly(),
    resetChildren: (context) => context.resetChildren(),
    deleteChildren: (context) => context.deleteChildren(),
    release: (context) => context.release(),
    setParent: (context) => context.setParent(null),
    onReset: (context) => context.onReset(() => {}),
    createContext: (context) => context.createContext('late'),
  };
  let made = 0;
  for (const [what, call] of Object.entries(calls)) {
    for (const target of ['self', 'parent', 'root'] as const) {
      for (const end of ['delete', 'reset'] as const) {
        const root = heap.contexts.create('root');
        const parent = root.createContext('parent');
        const self = parent.createContext('self');
        const sibling = parent.createContext('sibling');
        const of = { self, parent, root };
        const thrown = inCallback(
          self,
          () => root[end](),
          () => call(of[target]),
        );
        t.true(thrown instanceof HeapError, `${what} of ${target}: ${thrown}`);
        t.is((thrown as HeapError).code, 'ERR_SHMALLOC_CONTEXT', `${what} of ${target}`);
        for (const gone of [parent, self, sibling]) t.throws(() => gone.malloc(1), ENDED);
        if (end === 'reset') root.delete();
        made++;
      }
    }
  }
  t.is(made, 54);
  assertNothingLeft(t, heap);
});

test('Context.onReset: a context above that is not ending itself cannot be ended either', (t) => {
  using heap = make();
  const root = heap.contexts.create('root');
  const child = root.createContext('child');
  for (const what of ['delete', 'reset', 'deleteChildren'] as const) {
    const thrown = inCallback(
      child,
      () => child.reset(),
      () => root[what](),
    );
    t.is((thrown as HeapError).code, 'ERR_SHMALLOC_CONTEXT', what);
  }
  t.notThrows(() => child.malloc(1), 'all are as they were');
  const moved = inCallback(
    child,
    () => child.reset(),
    () => {
      root.malloc(10);
      root.createContext('sibling').malloc(10);
    },
  );
  t.is(moved, undefined, 'but it can be used');
  t.is(root.children.length, 2);
  assertSound(t, heap);
  root.delete();
  assertNothingLeft(t, heap);
});

test('Context.onReset: others can be made, moved, released and ended in it', (t) => {
  using heap = make();
  const root = heap.contexts.create('root');
  const others: AnyContext[] = ['a', 'b', 'c'].map((name) => heap.contexts.create(name));
  const [a, b, c] = others as [AnyContext, AnyContext, AnyContext];
  for (const context of others) context.malloc(5000);
  const below = a.createContext('below');
  const thrown = inCallback(
    root,
    () => root.delete(),
    () => {
      using scratch = heap.contexts.create('scratch');
      scratch.malloc(100_000);
      below.setParent(b);
      a.delete();
      heap.contexts.adopt(c.release()).delete();
      b.reset();
      heap.contexts.create('new').malloc(10);
    },
  );
  t.is(thrown, undefined);
  t.throws(() => below.malloc(1), ENDED);
  t.deepEqual(
    heap.contexts.list().map(({ name }) => name),
    ['b', 'new'],
  );
  assertSound(t, heap);
  for (const context of heap.contexts.list()) context.delete();
  assertNothingLeft(t, heap);
});

test('Context.onReset: callbacks that end others, whose callbacks end others, 200 deep', (t) => {
  using heap = make();
  const chain = Array.from({ length: 200 }, (_, n) => heap.contexts.create(`c${n}`));
  let calls = 0;
  for (const [n, context] of chain.entries()) {
    context.malloc(100);
    context.onReset(() => {
      calls++;
      chain[n + 1]?.delete();
      // Its own way back up is busy.
      if (n > 0) t.throws(() => chain[n - 1]?.delete(), REFUSED);
    });
  }
  chain[0]?.delete();
  t.is(calls, 200);
  assertNothingLeft(t, heap);
});

test('Context.resetChildren: a callback that ends or gives away a sibling', (t) => {
  using heap = make();
  const root = heap.contexts.create('root');
  const children: AnyContext[] = ['a', 'b', 'c', 'd'].map((name) => root.createContext(name));
  const [a, b, c, d] = children as [AnyContext, AnyContext, AnyContext, AnyContext];
  for (const context of children) context.malloc(5000);
  let handle: ReturnType<AnyContext['release']> | undefined;
  a.onReset(() => {
    b.delete();
    handle = c.release();
    throw new Error('a');
  });
  d.onReset(throwing('d'));
  t.deepEqual(
    collected(t, () => root.resetChildren()),
    ['a', 'd'],
    'both come out',
  );
  t.deepEqual(root.children, [a, d]);
  for (const context of [a, d]) t.is(context.stats().objects, 0);
  const adopted = heap.contexts.adopt(handle as NonNullable<typeof handle>);
  t.is(adopted.stats().objects, 1, 'what was given away is as it was');
  adopted.delete();
  root.delete();
  assertNothingLeft(t, heap);
});

// ---- detach

test('heap.detach: living contexts end, their callbacks are called, their errors come out', (t) => {
  const heap = make();
  using other = SharedHeap.create({ size: '4MiB' });
  const bystander = other.contexts.create('of another heap');
  const { handle } = heap;
  const log: string[] = [];
  const contexts: AnyContext[] = [];
  for (const n of [1, 2, 3]) {
    const root = heap.contexts.create(`root ${n}`);
    const child = root.createContext('child', { kind: 'set' });
    contexts.push(root, child);
    for (const context of [root, child]) {
      context.malloc(5000);
      context.malloc(n === 1 ? 3_000_000 : 100_000);
      context.onReset(() => {
        log.push(`${context.name} ${n}`);
        throw new Error(`${context.name} of ${n}`);
      });
    }
  }
  const errors = collected(t, () => heap.detach());
  t.deepEqual(
    errors,
    log.map((text) => text.replace(/ (\d)$/, ' of $1')),
  );
  t.deepEqual(errors.length, 6);
  for (const context of contexts) t.throws(() => context.malloc(1), ENDED);
  t.notThrows(() => heap.detach());
  t.deepEqual(heap.contexts.list(), []);
  bystander.malloc(1);
  using again = SharedHeap.attach(handle);
  assertNothingLeft(t, again);
});

test('heap.detach: contexts that callbacks make meanwhile end as well', (t) => {
  const heap = make();
  const made: AnyContext[] = [];
  const makeOne = (): void => {
    const context = heap.contexts.create(`late ${made.length}`, { kind: 'set' });
    context.malloc(5000);
    made.push(context);
    context.onReset(makeOne);
  };
  const first = heap.contexts.create('first');
  first.onReset(makeOne);
  first.malloc(10);
  const [refusal, ...none] = collected(t, () => heap.detach());
  t.regex(refusal ?? '', /contexts\.create: this thread is leaving the heap/);
  t.deepEqual(none, []);
  t.is(made.length, 1);
  for (const context of made) {
    t.throws(() => context.malloc(10), ENDED);
    t.throws(() => context.stats(), ENDED);
    t.notThrows(() => context[Symbol.dispose]());
  }
  using again = SharedHeap.attach(heap.handle);
  assertNothingLeft(t, again);
});

for (const scribble of [false, true]) {
  test(`heap.detach: in a callback, the context ends with it (scribble: ${scribble})`, (t) => {
    const heap = SharedHeap.create({ size: '16MiB', threads: 2, debug: { scribble } });
    const { handle } = heap;
    const root = heap.contexts.create('root', { kind: 'set' });
    const child = root.createContext('child');
    for (const context of [root, child]) {
      context.malloc(5000);
      context.malloc(3_000_000);
    }
    let next: SharedHeap | undefined;
    let kept: AnyContext | undefined;
    let object = 0 as Address;
    const log: string[] = [];
    for (const n of [1, 2]) {
      root.onReset(() => log.push(`root ${n}`));
      child.onReset(() => log.push(`child ${n}`));
    }
    child.onReset(() => {
      heap.detach();
      next = SharedHeap.attach(handle);
      kept = next.contexts.create('in their place', { kind: 'set' });
      object = kept.malloc(5000);
      fillPattern(next, object, 5000, 3);
      kept.malloc(3_000_000);
    });
    t.notThrows(() => root.delete());
    t.deepEqual(log, ['child 2', 'child 1', 'root 2', 'root 1'], 'all callbacks are called, once');
    for (const context of [root, child]) {
      t.throws(() => context.malloc(1), ENDED);
      t.throws(() => context.delete(), ENDED);
    }
    t.is(findDamage(next as SharedHeap, object, 5000, 3), -1, 'what came after is whole');
    assertSound(t, next as SharedHeap);
    t.deepEqual(countRecords(next as SharedHeap), { contexts: 1, chunks: 2 });
    kept?.delete();
    assertNothingLeft(t, next as SharedHeap);
    next?.detach();
  });
}

test('heap.contexts.run: what the call threw is not lost when a callback throws too', async (t) => {
  using heap = make();
  const messages = (error: unknown): string[] => {
    if (error instanceof AggregateError) return error.errors.flatMap(messages);
    return [(error as Error).message];
  };
  const fail = (context: AnyContext): never => {
    context.onReset(throwing('callback'));
    throw new Error('work');
  };
  const sync = t.throws(() => heap.contexts.run('c', fail), { any: true });
  t.deepEqual(messages(sync).toSorted(), ['callback', 'work']);
  const later = await t.throwsAsync(
    heap.contexts.run('c', async (context) => fail(context)),
    { any: true },
  );
  t.deepEqual(messages(later).toSorted(), ['callback', 'work']);
  const fine = (context: AnyContext): void => context.onReset(throwing('callback'));
  t.deepEqual(messages(t.throws(() => heap.contexts.run('c', fine), { any: true })), ['callback']);
  const fineLater = heap.contexts.run('c', async (context) => fine(context));
  t.deepEqual(messages(await t.throwsAsync(fineLater, { any: true })), ['callback']);
  assertNothingLeft(t, heap);
});

// ---- who subscribes to the heap's events

test('events: a subscriber that ends the context which is just growing does not get at the heap', (t) => {
  using heap = SharedHeap.create({ size: '4MiB', threads: 1 });
  const greedy = heap.contexts.create('greedy', { initialBytes: 65_536 });
  const kept = heap.contexts.create('kept');
  let told = 0;
  const end = (): void => {
    if (told++ === 0) greedy.delete();
  };
  subscribe(HEAP_CHANNELS.exhausted, end);
  try {
    const fill = (): void => {
      while (greedy.malloc(16_000) > 0);
    };
    t.throws(fill, { instanceOf: HeapExhaustedError });
  } finally {
    unsubscribe(HEAP_CHANNELS.exhausted, end);
  }
  t.is(told, 1);
  t.throws(() => greedy.malloc(64), { code: 'ERR_SHMALLOC_CONTEXT_ENDED' });
  t.true(kept.malloc(64) > heap.inspect.map().dataStart);
  t.deepEqual(heap.verify({ quiet: true }).problems, []);
  kept.delete();
  t.is(heap.stats().inUseBytes, 0);
});

test('events: exhausted is told when a context refuses, not when a smaller chunk does', (t) => {
  using heap = SharedHeap.create({ size: '4MiB', threads: 1 });
  using context = heap.contexts.create('c', { initialBytes: 65_536 });
  const sizes: number[] = [];
  const note = (message: unknown): void => {
    sizes.push((message as { bytes: number }).bytes);
  };
  subscribe(HEAP_CHANNELS.exhausted, note);
  try {
    while (context.tryMalloc(1000) > 0);
    t.deepEqual(sizes, [1000]);
  } finally {
    unsubscribe(HEAP_CHANNELS.exhausted, note);
  }
});
