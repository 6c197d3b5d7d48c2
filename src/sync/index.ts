/** sync: mutexes, thread words, slots, poison. With layout/, the only place for Atomics. */
export * from './mutex.js';
export * from './object-locks.js';
export * from './pause.js';
export * from './poison.js';
export * from './thread-word.js';
export * from './threads.js';
