/**
 * Writing to stdout and stderr at once: the text is out when the call returns, whatever ends the
 * thread then, and none of it waits in memory for a reader that is slow.
 *
 * Used by all calls that print. Any thread: a worker, too, writes to the process's own. Text that
 * the program has given to `process.stdout`, and that still waits there, comes later.
 */

import { writeSync } from 'node:fs';
import { callback, type OptionValues, readOptions } from '../base/index.js';
import { pause } from '../sync/index.js';

const STDOUT = 1;
const STDERR = 2;
/** What a program's end may be held up by. */
const STDERR_WAIT_MS = 1000;
/** A pipe that is full is tried again after so long. */
const BETWEEN_TRIES_MS = 2;

/** Where what a heap prints goes. */
export interface PrintOptions {
  /**
   * Gets the text, about 64 KiB at a time. Default: writes to the process's stdout at once, and
   * waits for a reader that is slow; a worker's, too, whatever its own `process.stdout` is.
   */
  write?: (text: string) => void;
}

const VALUES: OptionValues<PrintOptions> = { write: callback('a function that gets the text') };

/**
 * Who gets what a call prints.
 * @throws TypeError ERR_SHMALLOC_INVALID_OPTION
 */
export function writerOf(call: string, options: PrintOptions | undefined): (text: string) => void {
  return readOptions(call, options, VALUES).write ?? writeToStdout;
}

/**
 * Writes all of it, however long the reader takes. Where there is no reader any more, as behind
 * `head`, what is left is nobody's.
 * @throws what the file system says else, as that it is full
 */
export function writeToStdout(text: string): void {
  try {
    writeOut(STDOUT, text, Number.POSITIVE_INFINITY);
  } catch (error) {
    if (codeOf(error) !== 'EPIPE') throw error;
  }
}

/** Writes all of it, or as much as can be written within a second. Never throws. */
export function writeToStderr(text: string): void {
  try {
    writeOut(STDERR, text, STDERR_WAIT_MS);
  } catch {
    // There is nowhere to say so.
  }
}

function writeOut(file: number, text: string, waitMs: number): void {
  const bytes = Buffer.from(text);
  let waitedMs = 0;
  for (let at = 0; at < bytes.length; ) {
    try {
      at += writeSync(file, bytes, at);
    } catch (error) {
      // A pipe that somebody has made non-blocking, as process.stdout does, is full.
      if (codeOf(error) !== 'EAGAIN' || waitedMs > waitMs) throw error;
      pause(BETWEEN_TRIES_MS);
      waitedMs += BETWEEN_TRIES_MS;
    }
  }
}

const codeOf = (error: unknown): unknown => (error as { code?: unknown }).code;
