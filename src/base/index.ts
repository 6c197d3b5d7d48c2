/** base: units, bits, size classes, errors. No shared memory; imports nothing. */
export * from './bits.js';
export * from './errors.js';
export * from './size-classes.js';
export * from './units.js';
