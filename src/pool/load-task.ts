/**
 * A worker's side of a HeapPool: finds the user's function, and runs tasks with it.
 *
 * Loaded by worker-entry.cts. What it throws goes to the main thread as plain data, since structured
 * cloning would leave out an error's code, class and properties: see carried-errors.ts.
 */

import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { HeapError } from '../base/index.js';
import { isCarriedByNode, pack, unpack } from './carried-errors.js';
import { withCause } from './rejections.js';
import { checkResult } from './results.js';
import { fileOf, readTaskName, WAKE_UP } from './task-name.js';
// The user's module wants the heap: it is there before that module is evaluated.
import '../api/index.js';

type Task = (task: unknown) => unknown;

// An exception outside of a task ends the worker, and Node carries it to the main thread, which may
// be unable to read it: it then hears nothing, or ends itself. What a monitor throws takes its place.
process.on('uncaughtExceptionMonitor', (error) => {
  // Else the program's own listener gets it, and the worker goes on.
  if (process.listenerCount('uncaughtException') > 0 || isCarriedByNode(error)) return;
  throw unpack(pack(error));
});

/**
 * The function that runs tasks. A module that cannot be loaded makes every task fail, with what is
 * wrong: thrown here it would end the worker, and the next one, and the next.
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
  // A CommonJS module is the default export, and what it exports as ES module is in there.
  const inner = module.default as Record<string, unknown> | null | undefined;
  for (const found of [module[exported], inner?.[exported]]) {
    // A promise of a function will do, as piscina says.
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
        ? `there is no ${fileOf(href)}. A relative path starts at ${process.cwd()}; beside the ` +
            "module that makes the pool: new URL('./worker.js', import.meta.url)"
        : `${fileOf(href)} cannot be loaded: ${what}`,
      error,
    );
  }
}

/** Paths may leave out what require() finds by itself: `.js`, `/index.js`. */
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
