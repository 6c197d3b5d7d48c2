/** Proves which functions count as public calls. */

import test from 'ava';
import { functionsOf, markPublic, publicCalls } from '../../src/base/index.js';

class Above {
  inherited(): void {}
}

class Public extends Above {
  static made(): void {}
  method(): void {}
  get read(): () => void {
    return () => undefined;
  }
  [Symbol.dispose](): void {}
  #hidden(): void {}
  reach(): void {
    this.#hidden();
  }
}

const getter = Object.getOwnPropertyDescriptor(Public.prototype, 'read')?.get;

test('publicCalls: of a class the constructor, static functions, methods, getters, what is inherited', (t) => {
  markPublic(Public);
  const calls = publicCalls();
  const { method, inherited, reach, [Symbol.dispose]: dispose } = Public.prototype;
  for (const call of [Public, Above, Public.made, method, inherited, reach, dispose, getter]) {
    t.true(calls.has(call as never), String(call));
  }
  t.false(calls.has(Object.prototype.toString as never));
  t.false(calls.has(Function.prototype.call as never));
});

test('functionsOf: the functions of an object, and no getter is called for it', (t) => {
  const one = (): void => undefined;
  const object = {
    one,
    two: 2,
    get three(): never {
      throw new Error('called');
    },
  };
  t.deepEqual(functionsOf(object)[0], one);
  t.is(functionsOf(object).length, 2);
});
