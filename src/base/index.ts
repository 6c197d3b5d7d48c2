/**
 * base: units, bits, size classes, errors, options, kinds of values, texts, sums, stack headroom, state of
 * a thread. No shared memory; imports nothing.
 */

// Our types have Symbol.dispose: a program whose `lib` leaves it out can use them, too.
/// <reference lib="esnext.disposable" preserve="true" />

export * from './bits.js';
export * from './compared.js';
export * from './errors.js';
export * from './kinds.js';
export * from './lists.js';
export * from './not-cloned.js';
export * from './options.js';
export * from './originals.js';
export * from './printable.js';
export * from './public-calls.js';
export * from './similar.js';
export * from './size-classes.js';
export * from './stack-headroom.js';
export * from './sums.js';
export * from './thread-state.js';
export * from './units.js';
export * from './wtf8.js';
