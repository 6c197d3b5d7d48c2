/**
 * Pool task of the error tests: throws the requested error, or ends its worker in the requested
 * way.
 */

import { setTimeout as sleep } from 'node:timers/promises';
import { move } from 'piscina';
import { SharedHeap } from 'shmalloc';

class QuotaError extends RangeError {
  readonly code = 'E_QUOTA';
  readonly limit = { bytes: 10, at: new Date(0) };
  get shown(): string {
    return 'a getter of the class';
  }
}
class NamedError extends Error {
  override get name(): string {
    return 'NamedError';
  }
}

/** Nested errors. */
function nest(count: number, around: (inner: Error, n: number) => Error): Error {
  let error = new Error('innermost');
  for (let n = 1; n <= count; n++) error = around(error, n);
  return error;
}

interface Link {
  next: Link | null;
}
function linkedList(length: number): Link | null {
  let list: Link | null = null;
  for (let n = 0; n < length; n++) list = { next: list };
  return list;
}

/** Objects whose own getters return the next object. */
function nestedGetters(length: number): object {
  let inner = {};
  for (let n = 0; n < length; n++) {
    const next = inner;
    inner = Object.defineProperty({}, 'next', { enumerable: true, get: () => next });
  }
  return inner;
}
function errorsAndObjectsInTurn(length: number): Error {
  return nest(length / 2, (inner, n) => new Error(`link ${n}`, { cause: { inner } }));
}

/** Results that are nested too deep, or have parts that cannot be cloned. */
function result(what: string): unknown {
  switch (what) {
    case 'function':
      return { list: [() => 5] };
    case 'deep-function':
      return { map: new Map([['f', () => 5]]) };
    case 'proxy':
      return { inner: new Proxy({}, {}) };
    case 'generator':
      return { steps: (function* () {})() };
    case 'list':
      return linkedList(2000);
    case 'list-in-array': {
      const all: unknown[] = [];
      for (let link = linkedList(2000); link !== null; link = link.next) all.push(link);
      return all;
    }
    case 'list-behind-others':
      return [Array.from({ length: 4096 }, (_, n) => ({ n })), linkedList(4000)];
    case 'list-in-map':
      return new Map([['list', new Set([linkedList(4000)])]]);
    case 'list-moved':
      return move(linkedList(4000) as object as ArrayBuffer);
    case 'list-in-error':
      return new Error('with a list', { cause: linkedList(4000) });
    case 'causes':
      return nest(8000, (inner, n) => new Error(`link ${n}`, { cause: inner }));
    case 'many-causes':
      return nest(20_000, (inner, n) => new Error(`link ${n}`, { cause: inner }));
    case 'getters':
      return nestedGetters(4000);
    case 'few-getters':
      return nestedGetters(2);
    // Not seen by the check: properties of a long array.
    case 'unseen':
      return Object.assign(new Array(1000).fill(0), { list: linkedList(4000) });
    default:
      throw new Error(`no such result: ${what}`);
  }
}

function thrown(what: string): unknown {
  const heap = SharedHeap.current();
  switch (what) {
    case 'invalid-address':
      return heap.free_ts(3 as never);
    case 'exhausted':
      return heap.contexts.create('c').malloc(1e9);
    case 'option':
      return heap.contexts.create('c', { kind: 'Set' as never });
    case 'quota':
      return new QuotaError('too much');
    case 'named':
      return new NamedError('by a getter');
    case 'cause': {
      const cause = Object.assign(new TypeError('inner'), { code: 'E_INNER' });
      return new Error('outer', { cause });
    }
    case 'own-cause': {
      const error = new Error('of itself');
      error.cause = error;
      return error;
    }
    case 'deep-causes':
      return nest(5000, (inner, n) => new Error(`link ${n}`, { cause: inner }));
    case 'deep-members':
      return nest(5000, (inner, n) => new AggregateError([inner, n], `link ${n}`));
    case 'cyclic-causes': {
      const inner = new Error('inner');
      const outer = new Error('outer', { cause: inner });
      inner.cause = new AggregateError([outer], 'between');
      return outer;
    }
    case 'turns':
      return errorsAndObjectsInTurn(4000);
    case 'deep-object':
      return linkedList(4000);
    case 'deep-details':
      return Object.assign(new Error('with a list'), { code: 'E_LIST', list: linkedList(4000) });
    case 'aggregate':
      return new AggregateError(
        [Object.assign(new Error('a'), { code: 'E_A' }), 'b', 5],
        'several',
      );
    case 'nested': {
      const details = { list: [Object.assign(new Error('deep'), { code: 'E_DEEP' })] };
      return Object.assign(new Error('nested'), { details });
    }
    case 'unclonable': {
      const socket = { open: () => {} };
      const error = Object.assign(new Error('with more'), {
        code: 'E_MORE',
        socket,
        map: new WeakMap(),
        symbol: Symbol('s'),
        [Symbol('key')]: 1,
      });
      return Object.defineProperty(error, 'broken', {
        get() {
          throw new Error('a getter that throws');
        },
      });
    }
    case 'dom':
      return new DOMException('stopped', 'AbortError');
    case 'text':
      return 'a text';
    case 'null':
      return null;
    case 'undefined':
      return undefined;
    case 'object':
      return { code: 'E_OBJECT', list: [1] };
    case 'function':
      return () => 5;
    case 'proxy':
      return new Proxy(new Error('behind a proxy'), {
        get() {
          throw new Error('a trap');
        },
        getPrototypeOf() {
          throw new Error('a trap');
        },
      });
    case 'no-stack':
      return Object.assign(new Error('no stack'), { stack: undefined });
    case 'frozen':
      return Object.freeze(Object.assign(new Error('frozen'), { code: 'E_FROZEN' }));
    default:
      throw new Error(`no such thing: ${what}`);
  }
}

export default async function thrower(what: string): Promise<unknown> {
  if (what === 'ok') return what;
  if (what.startsWith('result-')) return result(what.slice('result-'.length));
  if (what.startsWith('later-')) {
    setTimeout(() => {
      throw thrown(what.slice('later-'.length));
    });
    return sleep(60_000);
  }
  if (what === 'uncaught-dom') {
    setTimeout(() => {
      throw new DOMException('late', 'AbortError');
    });
    return sleep(60_000);
  }
  if (what === 'exit') process.exit(7);
  if (what === 'uncaught') {
    setTimeout(() => SharedHeap.current().free_ts(3 as never));
    return sleep(60_000);
  }
  if (what === 'memory') {
    const all: unknown[] = [];
    for (;;) all.push(new Array(1e5).fill({}));
  }
  throw thrown(what);
}

export const other = (what: unknown): unknown => ['other', what];
