/**
 * Objects that cannot leave their thread: a heap, a context or a vector. Posting one to another
 * thread fails at once, with advice on what to post instead.
 *
 * Structured clone (postMessage, workerData, a pool's tasks, v8.serialize) copies an object's own
 * enumerable properties and drops its class. It refuses a symbol and puts the symbol's description
 * into its error: no other text of ours reaches the program. A method or a getter that throws would
 * not do, since comparisons and listings of properties would throw, too.
 *
 * I1  Each object has its own symbol: with a common one two heaps, whose state is private, would be
 *     deeply equal.
 *     deeply equal.
 */

/**
 * A property value that structured clone refuses; `advice` tells the program what to post instead.
 */
export const notCloned = (what: string, advice: string): symbol =>
  Symbol(`${what} stays in its thread: ${advice}`);
