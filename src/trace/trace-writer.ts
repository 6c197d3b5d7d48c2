/**
 * Writes trace files; trace-format.ts draws the format, trace-file.ts reads it.
 *
 * Used by merge-trace.ts. Any thread.
 *
 * A file of any length takes the memory of one piece: each piece of the operations is a gzip member
 * of its own. The header is the first member, but its content is known last: it is not compressed,
 * so that its length does not depend on its content.
 *
 * I1  The reader refuses an unfinished file: its header has no operation count.
 * I2  A file written since this process began is not overwritten: it is the trace of another heap
 *     of the same program. The new file gets a number in its name.
 */

import { format, parse } from 'node:path';
import { closeSync, openSync, rmSync, statSync, wallNow, writeSync } from '../base/index.js';
import { HEADER_BYTES, MAGIC, OPERATION_BYTES, operationWord } from './trace-format.js';

// The original functions: a program may replace them.
const { getBuiltinModule, uptime } = process;
/** Loaded by the first trace, because it would add to the start of every worker. */
const zlib = () => getBuiltinModule('node:zlib');

/** Operations per gzip member. */
const PIECE_OPERATIONS = 1 << 17;
/** Compression level of gzip. The default, 6, takes three times as long and saves 3%. */
const EFFORT = 4;
/** Maximum number in a file's name. */
const NAMES_MAX = 10_000;
/** The extension, which includes a dot: `name.mtr.gz` becomes `name.2.mtr.gz`. */
const EXTENSION = '.mtr.gz';

export interface TraceWriter {
  /** Path of the file that is written. */
  readonly path: string;
  /** Number of operations so far. */
  operations(): number;
  /** @throws errors of the file system */
  add(kind: number, thread: number, id: number, bytes: number): void;
  /** @throws errors of the file system */
  finish(blockIds: number, threads: number): void;
  /** Removes the file. */
  abandon(): void;
}

/**
 * Begins a trace file.
 * @throws errors of the file system
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
    if (filled > 0) append(zlib().gzipSync(piece.subarray(0, filled), { level: EFFORT }));
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
        // The reader refuses the unfinished file: I1.
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
  const { constants, gzipSync } = zlib();
  return gzipSync(header, { level: constants.Z_NO_COMPRESSION });
}

function writeWhole(file: number, bytes: Uint8Array, at: number): void {
  let done = 0;
  while (done < bytes.length) {
    done += writeSync(file, bytes, done, bytes.length - done, at + done);
  }
}

/** Creates the file, under the first name that is free or belongs to an earlier run. */
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

/** True if a file exists that was written before this process began. */
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
