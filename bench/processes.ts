/** Runs programs that print JSON, each in a process of its own. */

import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

/** The package's root, relative to dist/bench. */
export const ROOT = new URL('../../', import.meta.url);

/** Limit that only a hanging process exceeds. */
const LIMIT_MS = 300_000;
const OUTPUT_BYTES_MAX = 64 * 2 ** 20;

/** The error of a process that did not print its result. */
export class ProcessFailure extends Error {
  /** A few words, for a table. */
  readonly short: string;

  constructor(command: string, short: string, details: string) {
    super(`${command}: ${short}${details === '' ? '' : `\n${details}`}`);
    this.name = 'ProcessFailure';
    this.short = short;
  }
}

export interface ProcessOptions {
  readonly variables?: Readonly<Record<string, string>>;
  readonly limitMs?: number;
  /** For modules: another node executable. */
  readonly executable?: string;
}

/** @throws ProcessFailure if the process fails, or exceeds the limit */
export function runJson<Result>(
  command: string,
  args: readonly string[],
  { variables = {}, limitMs = LIMIT_MS }: ProcessOptions = {},
): Result {
  // A library that was preloaded for this process is not passed on.
  const { LD_PRELOAD: _, ...env } = process.env;
  const { error, status, signal, stdout, stderr } = spawnSync(command, args, {
    encoding: 'utf8',
    env: { ...env, ...variables },
    maxBuffer: OUTPUT_BYTES_MAX,
    timeout: limitMs,
    killSignal: 'SIGKILL',
  });
  const told = [command.replace(/.*\//, ''), ...args].join(' ');
  if (error !== undefined) {
    const late = (error as NodeJS.ErrnoException).code === 'ETIMEDOUT';
    throw new ProcessFailure(told, late ? `over ${limitMs / 1000} s` : error.message, '');
  }
  if (status !== 0) {
    const [why] = /^.*Error: .*$/m.exec(stderr) ?? [`ended with ${status ?? signal}`];
    throw new ProcessFailure(told, why.replace(/^.*?Error: /, ''), stderr.trim());
  }
  return JSON.parse(stdout) as Result;
}

/** Runs a module of this program in a node process of its own. */
export function runModule<Result>(
  module: URL,
  args: readonly string[],
  options: ProcessOptions = {},
): Result {
  const { executable = process.execPath } = options;
  return runJson(executable, [fileURLToPath(module), ...args], options);
}

/** Runs a module with arguments in environment variables only. */
export function runNode<Result>(
  module: URL,
  args: readonly string[],
  variables: Readonly<Record<string, string>> = {},
): Result {
  return runModule(module, args, { variables });
}
