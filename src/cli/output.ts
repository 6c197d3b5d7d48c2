/**
 * Output of commands: results on stdout, all else on stderr.
 *
 * Used by every command. Written synchronously: `console.log` and streams swallow errors, or throw
 * them when no code can catch them any more.
 */

import { printableLines } from '../base/index.js';
import { writeToStderr, writeToStdout } from '../options/index.js';
import { UsageError } from './usage.js';

/**
 * Prints a result. If the reader has exited, as `head` does, the rest is dropped.
 * @throws UsageError if stdout cannot be written, for example because the disk is full
 */
export function print(text: string): void {
  try {
    writeToStdout(`${text}\n`);
  } catch (error) {
    throw new UsageError(`cannot write to stdout: ${(error as Error).message}`);
  }
}

/** Prints a remark. It is lost if stderr has no reader. */
export function remark(text: string): void {
  writeToStderr(`${printableLines(text)}\n`);
}
