/**
 * Synchronous output to stdout and stderr: the text is written when the call returns, even if the
 * thread ends then, and none of it waits in memory for a slow reader.
 *
 * Used by all calls that print. Any thread: a worker writes to the process's stdout and stderr too.
 * Text that the program has written to `process.stdout` and that still waits there comes later.
 */

import { callback, type OptionValues, writeSync } from '../base/index.js';
import { pause } from '../sync/index.js';

const STDOUT = 1;
const STDERR = 2;
/** Maximum wait for a reader of stderr, in milliseconds: it may delay the end of a program. */
const STDERR_WAIT_MS = 1000;
/** Pause before a full pipe is tried again, in milliseconds. */
const BETWEEN_TRIES_MS = 2;

/** Where a call of a heap prints. */
export interface PrintOptions {
  /**
   * Called with the text, about 64 KiB at a time. Default: a synchronous write to the process's
   * stdout, which waits for a slow reader; also in a worker, whatever its `process.stdout` is.
   */
  write?: ((text: string) => void) | undefined;
}

export const PRINT_VALUES: OptionValues<PrintOptions> = {
  write: callback('a function that gets the text'),
};

/**
 * Writes the whole text, however long the reader takes. If the reader has exited, as `head` does,
 * the rest is dropped.
 * @throws other errors of the file system, such as a full disk
 */
export function writeToStdout(text: string): void {
  try {
    writeOut(STDOUT, text, Number.POSITIVE_INFINITY);
  } catch (error) {
    if (codeOf(error) !== 'EPIPE') throw error;
  }
}

/** Writes the whole text, or as much as can be written within a second. Never throws. */
export function writeToStderr(text: string): void {
  try {
    writeOut(STDERR, text, STDERR_WAIT_MS);
  } catch {
    // There is no other output for this error.
  }
}

function writeOut(file: number, text: string, waitMs: number): void {
  const bytes = Buffer.from(text);
  let waitedMs = 0;
  for (let at = 0; at < bytes.length; ) {
    try {
      at += writeSync(file, bytes, at);
    } catch (error) {
      // The pipe is full, and non-blocking, since process.stdout was used.
      if (codeOf(error) !== 'EAGAIN' || waitedMs > waitMs) throw error;
      pause(BETWEEN_TRIES_MS);
      waitedMs += BETWEEN_TRIES_MS;
    }
  }
}

const codeOf = (error: unknown): unknown => (error as { code?: unknown }).code;
