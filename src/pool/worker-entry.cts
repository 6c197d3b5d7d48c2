/**
 * The file that piscina loads in each worker of a HeapPool, in place of the user's module.
 *
 * A CommonJS file on purpose: piscina loads a file by require(), and Node 20 and 22 abort the whole
 * process if a worker is terminated during a require() of an ES module. This file loads the user's
 * module by import(), which may be cut at any moment.
 *
 * Piscina reads `exports[name]`, waits for it if it is a promise, and gets the function that runs
 * tasks. The name contains the module and the export: see task-name.ts.
 */

/** Kept from before any module of the program is loaded, which could replace it. */
const nextTurn = setImmediate;

const exported = {
  // With this, piscina looks names up in this object itself, not in a copy of it.
  __esModule: true,
};

module.exports = new Proxy(exported, {
  get: (target, name) =>
    typeof name === 'string' && name.startsWith('[') ? load(name) : Reflect.get(target, name),
});

async function load(name: string): Promise<unknown> {
  try {
    // Loads the heap too: a CommonJS module of the user finds it loaded when it requires it.
    const { loadTask } = await import('./load-task.js');
    return await loadTask(name);
  } finally {
    // Node 22 and 24 may show a termination to the worker as a failed import, and let it continue:
    // piscina would make it wait for its first task, and such a wait never ends. The event loop of
    // the worker has ended, so it does not get past this line.
    await new Promise((resolve) => nextTurn(resolve));
  }
}
