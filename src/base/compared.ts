/**
 * What test libraries show of an object that is not what was expected.
 *
 * Jest copies both objects for that, with whatever their getters give, element by element: of a heap
 * its whole memory, for half a minute. It leaves out what an object does not name under a symbol of
 * jest's (@jest/serializableProperties), so that what is copied here is what JSON shows.
 */

const NAMED = Symbol.for('@jest/serializableProperties');
const { defineProperty, getOwnPropertyDescriptor } = Object;

/** Of the instances of a class, comparisons show what `toJSON` gives. Called once, with its prototype. */
export function showAsJson(prototype: { toJSON(): object }): void {
  const { toJSON } = prototype;
  const shown = Symbol('shown');
  const hidden = { __proto__: null, configurable: true } as const;
  defineProperty(prototype, NAMED, { ...hidden, value: [shown] });
  defineProperty(prototype, shown, {
    ...hidden,
    get() {
      return toJSON.call(this);
    },
  });
  defineProperty(prototype, 'toJSON', {
    ...hidden,
    writable: true,
    // A copy has what is shown as a value, and no state to ask.
    value(this: { toJSON(): object }) {
      return getOwnPropertyDescriptor(this, shown)?.value ?? toJSON.call(this);
    },
  });
}
