/** Pool task of the option tests: returns how its worker was started, and waits for other tasks. */

import { openSync } from 'node:fs';
import { getPriority } from 'node:os';
import { resourceLimits, threadId, workerData } from 'node:worker_threads';

export interface Settings {
  threadId: number;
  argv: string[];
  execArgv: string[];
  variable: string | undefined;
  colour: unknown;
  limitMb: number | undefined;
  priority: number;
  /** Descriptor of a file that the worker opened and did not close. */
  fd: number;
}

export interface Task {
  /** Number of tasks of this worker to wait for, without blocking its thread. */
  together?: number;
  /** Blocks its thread until the word is not 0. */
  until?: Int32Array<SharedArrayBuffer>;
  /** Label for the queue of a pool. */
  label?: string;
}

let underWay = 0;
const order: string[] = [];

export default async function settings(task: Task = {}): Promise<Settings & { order: string[] }> {
  if (task.label !== undefined) order.push(task.label);
  if (task.until !== undefined) Atomics.wait(task.until, 0, 0);
  underWay++;
  while (underWay < (task.together ?? 0)) await new Promise((resolve) => setImmediate(resolve));
  return {
    threadId,
    argv: process.argv.slice(2),
    execArgv: process.execArgv,
    variable: process.env.SHMALLOC_POOL_TEST,
    colour: workerData.colour,
    limitMb: resourceLimits.maxOldGenerationSizeMb,
    priority: getPriority(),
    fd: openSync(process.execPath, 'r'),
    order,
  };
}

export const named = (): string => 'the other export';
