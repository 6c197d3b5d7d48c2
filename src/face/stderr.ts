/**
 * Writing to stderr at once, so that it is out before the thread ends.
 *
 * Used by debug-help.ts and at-end.ts. Any thread: a worker, too, writes to the process's stderr.
 */

import { writeSync } from 'node:fs';

const STDERR = 2;
/** A pipe that is full is tried again for so long. */
const TRY_MS = 1000;

/** Writes all of it, or as much as can be written. Never throws. */
export function writeToStderr(text: string): void {
  const bytes = Buffer.from(text);
  const started = performance.now();
  for (let at = 0; at < bytes.length; ) {
    try {
      at += writeSync(STDERR, bytes, at);
    } catch (error) {
      const full = (error as { code?: string }).code === 'EAGAIN';
      if (!full || performance.now() - started > TRY_MS) return;
    }
  }
}
