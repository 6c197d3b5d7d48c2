/**
 * The command line of a command, and mistakes in it.
 *
 * Used by main.ts and by every command.
 */

import { type ParseArgsConfig, parseArgs } from 'node:util';
import { similarTo } from '../base/index.js';

export const USAGE = 'USAGE';

/** A mistake in the command line: exit code 2. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
  readonly code = USAGE;
}

/** A whole number of at least `least`, given as text. */
export function wholeNumber(option: string, text: string, least: number, most = 1e9): number {
  const value = Number(text);
  if (/^-?\d+$/.test(text) && value >= least && value <= most) return value;
  throw new UsageError(`--${option} takes a whole number from ${least} to ${most}, got '${text}'`);
}

/**
 * The options of a command.
 * @throws UsageError for an unknown option, with the nearest one, and for a wrong value
 */
export function parseOptions<T extends ParseArgsConfig>(
  config: T,
): ReturnType<typeof parseArgs<T>> {
  try {
    return parseArgs(config);
  } catch (error) {
    const { message, code } = error as Error & { code?: string };
    const unknown = /'--?([\w-]+)'/.exec(message)?.[1];
    if (code !== 'ERR_PARSE_ARGS_UNKNOWN_OPTION' || unknown === undefined) throw error;
    throw new UsageError(
      `there is no option '--${unknown}'; ${nearest(unknown, Object.keys(config.options ?? {}), '--')}`,
    );
  }
}

/** The most similar name; if none is similar, where to find all of them. */
export function nearest(name: string, names: readonly string[], prefix = ''): string {
  const similar = similarTo(name, names);
  return similar === undefined ? 'see shmalloc help' : `the nearest is '${prefix}${similar}'`;
}
