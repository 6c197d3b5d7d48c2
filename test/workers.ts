/**
 * Shared by the tests that start threads and processes: workers and child processes.
 */

import { spawn } from 'node:child_process';
import { on, once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { Worker } from 'node:worker_threads';
import type { HeapStats } from 'shmalloc';

/** The package's root: two folders above this module's, which is dist/test. */
export const ROOT = new URL('../../', import.meta.url);

/** How many threads are attached. */
export function countAttached(stats: HeapStats): number {
  return stats.threads.filter((thread) => thread.attached).length;
}

/**
 * The next message of a worker; rejects if it ends without one. Not events.once(): a worker that
 * posts and then throws may be heard to fail first, and its message is still on the way.
 */
export function nextMessage<T>(worker: Worker): Promise<T> {
  return new Promise((resolve, reject) => {
    let failure: Error | undefined;
    worker.once('message', resolve);
    worker.once('error', (error: Error) => {
      failure = error;
    });
    worker.once('exit', (code) => {
      reject(failure ?? new Error(`the worker ended with code ${code}, without a message`));
    });
  });
}

/** Waits until a worker has ended. */
export async function ended(worker: Worker): Promise<number> {
  return (await once(worker, 'exit'))[0] as number;
}

export interface Finished {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a process to its end. */
export async function run(
  command: string,
  args: readonly string[],
  options: { cwd?: string; env?: Record<string, string> } = {},
): Promise<Finished> {
  const child = spawn(command, args, {
    cwd: options.cwd ?? fileURLToPath(ROOT),
    env: { ...process.env, ...options.env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  const [code] = await once(child, 'close');
  return { code: code as number | null, stdout, stderr };
}

/** Runs a module of the test folder in a node process of its own. */
export function runScript(script: URL, args: readonly string[] = []): Promise<Finished> {
  return run(process.execPath, [fileURLToPath(script), ...args]);
}

/** Runs the shmalloc command. */
export function shmalloc(...args: readonly string[]): Promise<Finished> {
  return run(process.execPath, [COMMAND, ...args]);
}

/** The shmalloc command's module. */
export const COMMAND = fileURLToPath(new URL('dist/src/cli/main.js', ROOT));

/** The first text that matches among what a stream says, as it says it. */
export async function firstLine(stream: NodeJS.ReadableStream): Promise<string> {
  let text = '';
  for await (const [chunk] of on(stream, 'data')) {
    text += String(chunk);
    const end = text.indexOf('\n');
    if (end >= 0) return text.slice(0, end);
  }
  throw new Error('the stream ended');
}
