/** sync: mutexes, thread words, slots, poison. Only layout/ and this folder use Atomics. */
export { lockTimeout } from './lock-word.js';
export * from './mutex.js';
export * from './names.js';
export * from './object-locks.js';
export * from './pause.js';
export * from './poison.js';
export * from './thread-word.js';
export * from './threads.js';
