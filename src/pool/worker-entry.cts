/**
 * What piscina loads in each worker of a HeapPool, in place of the user's module.
 *
 * A CommonJS file on purpose: piscina loads a file by require(), and Node 20 and 22 abort the whole
 * process when a worker is terminated in the middle of a require() of an ES module. It loads the
 * user's module by import(), which may be cut at any moment.
 *
 * Piscina takes `exports[name]`, may wait for it, and gets the function that runs tasks. Which module
 * is meant, and which of its exports, stands in that name: see task-name.ts.
 */

/** As it is before any module of the program is loaded. */
const nextTurn = setImmediate;

const exported = {
  // Then piscina looks names up in this object itself, not in a copy of it.
  __esModule: true,
};

module.exports = new Proxy(exported, {
  get: (target, name) =>
    typeof name === 'string' && name.startsWith('[') ? load(name) : Reflect.get(target, name),
});

async function load(name: string): Promise<unknown> {
  try {
    // With it comes the heap: a module of the user's that is CommonJS finds it loaded when it
    // requires it.
    const { loadTask } = await import('./load-task.js');
    return await loadTask(name);
  } finally {
    // To a worker that is terminated meanwhile Node 22 and 24 may show that as an import that has
    // failed, and let it go on: piscina would have it wait for its first task, and nothing ever ends
    // such a wait. Its event loop has ended: it comes no further than this.
    await new Promise((resolve) => nextTurn(resolve));
  }
}
