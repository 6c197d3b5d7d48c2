/**
 * What stays in its thread: a heap, a context, a vector that somebody posts to another thread is
 * refused there and then, with a word of what to post in its place.
 *
 * Structured clone (postMessage, workerData, a pool's tasks, v8.serialize) copies the own enumerable
 * properties of an object and leaves its class behind. It refuses a symbol among them, and says its
 * description: the only word that reaches the program. A method or a getter that throws would come
 * out of every comparison and listing of properties as well.
 *
 * I1  Each object has a symbol of its own: without it two heaps, whose state is private, would be
 *     deeply equal.
 */

/** The value of a property of an object that cannot be cloned; `advice` says what to do. */
export const notCloned = (what: string, advice: string): symbol =>
  Symbol(`${what} stays in its thread: ${advice}`);
