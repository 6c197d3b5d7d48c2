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

const exported = {
  // Then piscina looks names up in this object itself, not in a copy of it.
  __esModule: true,
};

module.exports = new Proxy(exported, {
  get: (target, name) =>
    typeof name === 'string' && name.startsWith('[') ? load(name) : Reflect.get(target, name),
});

async function load(name: string): Promise<unknown> {
  // With it comes the heap: a module of the user's that is CommonJS finds it loaded when it
  // requires it.
  const { loadTask } = await import('./load-task.js');
  return loadTask(name);
}
