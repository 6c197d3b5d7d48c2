/**
 * What console.log and test libraries show of our objects.
 *
 * The name of the method that console.log calls is INSPECT.
 *
 * Jest copies both compared objects element by element, and calls every getter on the way: of a
 * heap it would copy the whole memory, which takes half a minute. Jest skips the properties that an
 * object does not list under the symbol @jest/serializableProperties. We list one: what JSON shows
 * of the object.
 */

/** Name of the method that `util.inspect`, and so console.log, calls for an object's text. */
export const INSPECT: unique symbol = Symbol.for('nodejs.util.inspect.custom');

const NAMED = Symbol.for('@jest/serializableProperties');
const { defineProperty, getOwnPropertyDescriptor } = Object;

/** Makes comparisons show what `toJSON` returns. Called once per class, with its prototype. */
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
    // The copy has the shown value as a property, but not the private state that `toJSON` reads.
    value(this: { toJSON(): object }) {
      return getOwnPropertyDescriptor(this, shown)?.value ?? toJSON.call(this);
    },
  });
}
