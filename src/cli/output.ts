/**
 * What commands print: results on stdout, all else on stderr.
 *
 * Used by every command. Written at once: `console.log` and streams swallow errors, or throw them when
 * nobody can catch them any more.
 */

import { printableLines } from '../base/index.js';
import { writeToStderr, writeToStdout } from '../options/index.js';
import { UsageError } from './usage.js';

/**
 * A result. Where its reader has gone, as `head` does, the rest is nobody's.
 * @throws UsageError where it cannot be written: the disk is full, say
 */
export function print(text: string): void {
  try {
    writeToStdout(`${text}\n`);
  } catch (error) {
    throw new UsageError(`cannot write to stdout: ${(error as Error).message}`);
  }
}

/** A remark. It is lost where nobody can read it. */
export function remark(text: string): void {
  writeToStderr(`${printableLines(text)}\n`);
}
