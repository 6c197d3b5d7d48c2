/**
 * Writes trace files: trace-format.ts draws them, trace-file.ts reads them.
 *
 * Used by merge-trace.ts. Any thread.
 *
 * A file of any length takes one piece of memory: each piece of the operations becomes a gzip
 * member of its own. The header comes first but is known last: its member is not compressed, and
 * so has one length whatever it says.
 *
 * I1  A file that was not finished is refused by the reader: its header knows of no operation.
 * I2  No file is overwritten that was written since this process began: it is the trace of another
 *     heap of the same program. The new one gets a number.
 */

import { closeSync, openSync, rmSync, statSync, writeSync } from 'node:fs';
import { format, parse } from 'node:path';
import { constants, gzipSync } from 'node:zlib';
import { wallNow } from '../base/index.js';
import { HEADER_BYTES, MAGIC, OPERATION_BYTES, operationWord } from './trace-format.js';

// As it is now: a program may put a double in its place.
const { uptime } = process;

/** Operations that are compressed at a time. */
const PIECE_OPERATIONS = 1 << 17;
/** Of gzip. The usual 6 takes three times as long, and saves 3%. */
const EFFORT = 4;
/** More traces of one name than this are a mistake. */
const NAMES_MAX = 10_000;
/** One extension, though it has two dots: `name.mtr.gz` becomes `name.2.mtr.gz`. */
const EXTENSION = '.mtr.gz';

export interface TraceWriter {
  /** The name that it got. */
  readonly path: string;
  /** How many there are so far. */
  operations(): number;
  /** @throws what the file system does */
  add(kind: number, thread: number, id: number, bytes: number): void;
  /** @throws what the file system does */
  finish(blockIds: number, threads: number): void;
  /** Removes the file. */
  abandon(): void;
}

/**
 * Begins a trace file.
 * @throws what the file system does
 */
export function createTraceWriter(wanted: string): TraceWriter {
  const { path, file } = claimName(wanted);
  const piece = Buffer.alloc(PIECE_OPERATIONS * OPERATION_BYTES);
  let filled = 0;
  let operations = 0;
  let end = 0;

  function append(bytes: Uint8Array): void {
    writeWhole(file, bytes, end);
    end += bytes.length;
  }

  function compress(): void {
    if (filled > 0) append(gzipSync(piece.subarray(0, filled), { level: EFFORT }));
    filled = 0;
  }

  append(headerMember(0, 0, 0));
  return {
    path,
    operations: () => operations,
    add(kind, thread, id, bytes) {
      piece.writeUInt32LE(operationWord(kind, thread, id), filled);
      piece.writeUInt32LE(bytes, filled + OPERATION_BYTES / 2);
      filled += OPERATION_BYTES;
      operations++;
      if (filled === piece.length) compress();
    },
    finish(blockIds, threads) {
      compress();
      writeWhole(file, headerMember(operations, blockIds, threads), 0);
      closeSync(file);
    },
    abandon() {
      try {
        closeSync(file);
        rmSync(path, { force: true });
      } catch {
        // An unfinished file is no trace to anybody: I1.
      }
    },
  };
}

function headerMember(operations: number, blockIds: number, threads: number): Uint8Array {
  const header = Buffer.alloc(HEADER_BYTES);
  header.write(MAGIC, 'latin1');
  [operations, blockIds, threads].forEach((count, n) => {
    header.writeUInt32LE(count, 4 + n * 4);
  });
  return gzipSync(header, { level: constants.Z_NO_COMPRESSION });
}

function writeWhole(file: number, bytes: Uint8Array, at: number): void {
  let done = 0;
  while (done < bytes.length) {
    done += writeSync(file, bytes, done, bytes.length - done, at + done);
  }
}

/** Makes the file, by the first name of those with a number that is free or an earlier run's. */
function claimName(wanted: string): { path: string; file: number } {
  for (let n = 1; ; n++) {
    const path = n === 1 ? wanted : numbered(wanted, n);
    if (isOfEarlierRun(path)) rmSync(path, { force: true });
    try {
      return { path, file: openSync(path, 'wx') };
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST' || n === NAMES_MAX) throw error;
    }
  }
}

/** Is there a file, and was it written before this process began? */
function isOfEarlierRun(path: string): boolean {
  const found = statSync(path, { throwIfNoEntry: false });
  const began = wallNow() - uptime() * 1000;
  return found?.isFile() === true && found.mtimeMs < began;
}

/** `name.mtr.gz` with a number: `name.2.mtr.gz`. */
export function numbered(path: string, n: number): string {
  const { root, dir, base, ext: last } = parse(path);
  const ext = base.endsWith(EXTENSION) ? EXTENSION : last;
  const name = base.slice(0, base.length - ext.length);
  return format({ root, dir, name: `${name}.${n}`, ext });
}
