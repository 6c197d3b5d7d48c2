/**
 * A worker's side of a HeapPool: finds the user's function, and runs tasks with it.
 *
 * Loaded by worker-entry.cts. Its errors go to the main thread as plain data, since structured
 * cloning would lose an error's code, class and properties: see carried-errors.ts.
 */

import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { HeapError } from '../base/index.js';
import { isCarriedByNode, pack, unpack } from './carried-errors.js';
import { withCause } from './rejections.js';
import { checkResult } from './results.js';
import { fileOf, readTaskName, WAKE_UP } from './task-name.js';

// Exported for the effect of the import: the user's module finds the heap when it is evaluated.
export { SharedHeap } from '../api/index.js';

type Task = (task: unknown) => unknown;

// An exception outside of a task ends the worker. Node sends it to the main thread, which may be
// unable to read it: then it gets no event, or ends. An error thrown by a monitor takes its place.
process.on('uncaughtExceptionMonitor', (error) => {
  // A listener of the program gets the error itself, and the worker continues.
  if (process.listenerCount('uncaughtException') > 0 || isCarriedByNode(error)) return;
  throw unpack(pack(error));
});

/**
 * The function that runs tasks. If a module cannot be loaded, every task fails with the reason: an
 * error thrown here would end this worker, and every worker after it.
 */
export async function loadTask(name: string): Promise<Task> {
  if (name === WAKE_UP) return () => undefined;
  const { href, exported } = readTaskName(name);
  try {
    const run = await findTask(href, exported);
    return async (task) => {
      try {
        return checkResult(await run(task));
      } catch (error) {
        throw pack(error);
      }
    };
  } catch (error) {
    const packed = pack(error);
    return () => {
      throw packed;
    };
  }
}

async function findTask(href: string, exported: string): Promise<Task> {
  const module = await load(href);
  // The default export of a CommonJS module is its module.exports, which contains named exports.
  const inner = module.default as Record<string, unknown> | null | undefined;
  for (const found of [module[exported], inner?.[exported]]) {
    // A promise of a function is accepted, as in piscina.
    const task = await found;
    if (typeof task === 'function') return task as Task;
  }
  const there = Object.keys(module).filter((key) => key !== exported && key !== 'module.exports');
  const others = there.length === 0 ? 'exports nothing else' : `exports ${there.join(', ')}`;
  throw wrongModule(
    exported === 'default'
      ? `${fileOf(href)} has no default export that is a function, which runs the tasks ` +
          `(it ${others}): export a function as default, or say which export with name`
      : `${fileOf(href)} has no export '${exported}' that is a function (it ${others})`,
  );
}

async function load(href: string): Promise<Record<string, unknown>> {
  try {
    return await import(found(href));
  } catch (error) {
    const { name, message, code } = Object(error) as Record<string, unknown>;
    const what = name === undefined ? String(error) : `${name}: ${message}`;
    const isMissing = code === 'ERR_MODULE_NOT_FOUND' && !existsSync(fileOf(href));
    throw wrongModule(
      isMissing
        ? `${fileOf(href)} does not exist. A relative path starts at ${process.cwd()}; for a file beside the ` +
            "module that makes the pool use new URL('./worker.js', import.meta.url)"
        : `${fileOf(href)} cannot be loaded: ${what}`,
      error,
    );
  }
}

/** Adds what require() would add to a path: `.js`, `/index.js`. */
function found(href: string): string {
  if (!href.startsWith('file:') || /[?#]/.test(href)) return href;
  try {
    const require = createRequire(import.meta.url);
    return pathToFileURL(require.resolve(fileURLToPath(href))).href;
  } catch {
    return href;
  }
}

const wrongModule = (finding: string, cause: unknown = null): HeapError =>
  withCause(new HeapError('ERR_SHMALLOC_WORKER_MODULE', `HeapPool: ${finding}`), cause);
