/**
 * Public calls: the functions through which a program enters this package. A call stack is cut above the
 * outermost one that is running, so that it begins with the program's frame wherever a bundler has put
 * this package's code.
 *
 * Public classes and objects are marked as they are defined; debug/stacks.ts reads the list. Any thread.
 */

import { List } from './lists.js';

export type AnyFunction = (...of: never[]) => unknown;

/** Marked classes and objects that were not searched for functions yet. */
const marked = new List<object>();
const calls = new Set<AnyFunction>();

/** Marks classes or objects: all their functions, also those of instances, are public calls. */
export function markPublic(...owners: object[]): void {
  for (const owner of owners) marked.push(owner);
}

/** The public calls of the package, in no order. */
export function publicCalls(): ReadonlySet<AnyFunction> {
  for (const owner of marked.splice(0)) {
    if (typeof owner === 'function') calls.add(owner as AnyFunction);
    for (const call of functionsOf(owner)) calls.add(call);
    const { prototype } = owner as { prototype?: object };
    if (prototype !== undefined) for (const call of functionsOf(prototype)) calls.add(call);
  }
  return calls;
}

/** The methods, getters and setters of an object, also those that it inherits from this package. */
export function functionsOf(owner: object): AnyFunction[] {
  const found: AnyFunction[] = [];
  for (let at: object | null = owner; at !== null && !isLanguages(at); ) {
    for (const { value, get, set } of Object.values(Object.getOwnPropertyDescriptors(at))) {
      for (const one of [value, get, set]) if (typeof one === 'function') found.push(one);
    }
    for (const symbol of Object.getOwnPropertySymbols(at)) {
      const { value } = Object.getOwnPropertyDescriptor(at, symbol) ?? {};
      if (typeof value === 'function') found.push(value);
    }
    at = Object.getPrototypeOf(at) as object | null;
  }
  return found;
}

/** True for Object.prototype and Function.prototype of any realm. */
const isLanguages = (prototype: object): boolean =>
  Object.hasOwn(prototype, 'isPrototypeOf') || Object.hasOwn(prototype, 'bind');

/**
 * Calls a function of the program in the middle of a public call: what runs inside has a stack of its own,
 * and its frames are the program's.
 */
export function callProgram<T>(work: () => T): T {
  return work();
}
