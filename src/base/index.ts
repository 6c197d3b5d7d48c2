/** base: units, bits, size classes, errors, stack headroom. No shared memory; imports nothing. */
export * from './bits.js';
export * from './errors.js';
export * from './size-classes.js';
export * from './stack.js';
export * from './units.js';
