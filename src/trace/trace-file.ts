/**
 * Reads trace files; their format is drawn in trace-format.ts.
 *
 * Used by the command line; replayed by workers/replay-worker.ts. Any thread.
 *
 * I1  A Trace can be replayed without checks: block ids are in range, kinds are known, no id is
 *     filled twice or freed twice. Any other file is refused.
 * I2  A file takes no more memory than its operations: its header is checked against its length,
 *     and its inflated pieces against its header.
 */

import type { Stats } from 'node:fs';
import { basename } from 'node:path';
import { HeapError, messageOf, printable } from '../base/index.js';
import {
  BLOCK_IDS_MAX,
  blockIdOf,
  CALLOC,
  FREE,
  HEADER_BYTES,
  kindOf,
  MAGIC,
  MALLOC,
  OPERATION_BYTES,
  REALLOC,
} from './trace-format.js';

/** Gives the modules of Node that only the commands need: the start of a worker loads none of them. */
const { getBuiltinModule: builtin } = process;

export interface Trace {
  readonly name: string;
  readonly operations: number;
  /** Maximum blocks live at once. */
  readonly blockIds: number;
  readonly threads: number;
  /** Maximum requested bytes live at once. */
  readonly peakLiveBytes: number;
  /** Number of operations before that maximum. */
  readonly peakOperations: number;
  /** Two words per operation, in shared memory: workers read them without a copy. */
  readonly words: Uint32Array<SharedArrayBuffer>;
}

/** Maximum bytes that one byte of a gzip file inflates to. */
const INFLATION_MAX = 1032;

const TAKEN =
  'replay takes allocation traces (.mtr.gz): those of the repository, and those that a heap with ' +
  'the debug option `trace` has written';

/**
 * Reads and checks a trace.
 * @throws HeapError ERR_SHMALLOC_TRACE: file missing, not gzip, of another format, cut short,
 * inconsistent
 */
export async function readTrace(path: string): Promise<Trace> {
  const fileBytes = await sizeOf(path);
  const reader = new TraceReader(path, fileBytes);
  try {
    await builtin('node:stream/promises').pipeline(
      builtin('node:fs').createReadStream(path),
      builtin('node:zlib').createGunzip(),
      async (pieces: AsyncIterable<Buffer>) => {
        for await (const piece of pieces) reader.add(piece);
      },
    );
  } catch (error) {
    // The pipeline may report that it was aborted, without the reason.
    if (reader.refusal !== undefined) throw reader.refusal;
    const { code = '' } = error as { code?: string };
    // An error of zlib is about the bytes; any other error comes from the file system.
    throw /^Z_|_ZLIB_/.test(code)
      ? bad(path, `not a whole gzip file (${messageOf(error)}); ${TAKEN}`)
      : bad(path, messageOf(error));
  }
  return reader.finish();
}

async function sizeOf(path: string): Promise<number> {
  let found: Stats;
  try {
    found = await builtin('node:fs/promises').stat(path);
  } catch (error) {
    throw bad(path, messageOf(error));
  }
  if (found.isDirectory()) throw bad(path, `it is a folder; ${TAKEN}`);
  if (!found.isFile()) return Number.POSITIVE_INFINITY;
  if (found.size === 0) throw bad(path, `it is empty, and so not a gzip file; ${TAKEN}`);
  return found.size;
}

/**
 * Reads a trace piece by piece, so that a file of another format is refused before it is inflated.
 */
class TraceReader {
  /** The error that it has thrown. */
  refusal: HeapError | undefined;
  readonly #path: string;
  readonly #fileBytes: number;
  /** Bytes that do not make a whole header or operation yet. */
  #rest: Buffer = Buffer.alloc(0);
  #header: { operations: number; blockIds: number; threads: number } | undefined;
  #words = new Uint32Array(new SharedArrayBuffer(0));
  /** Number of words read. */
  #count = 0;
  /**
   * Requested bytes + 1 by block id, 0 = empty. Never filled, so that only used parts take memory.
   */
  #sizes = new Float64Array(0);
  #live = 0;
  #peakLiveBytes = 0;
  #peakOperations = 0;

  constructor(path: string, fileBytes: number) {
    this.#path = path;
    this.#fileBytes = fileBytes;
  }

  /** @throws HeapError ERR_SHMALLOC_TRACE */
  add(piece: Buffer): void {
    let bytes = this.#rest.length === 0 ? piece : Buffer.concat([this.#rest, piece]);
    if (this.#header === undefined) {
      this.#checkMagic(bytes);
      if (bytes.length >= HEADER_BYTES) {
        this.#readHeader(bytes);
        bytes = bytes.subarray(HEADER_BYTES);
      }
    }
    if (this.#header !== undefined) bytes = this.#readOperations(bytes);
    // Copied, since the buffers of pieces are used again.
    this.#rest = Buffer.from(bytes);
  }

  /** @throws HeapError ERR_SHMALLOC_TRACE */
  finish(): Trace {
    this.#checkMagic(this.#rest, this.#header === undefined ? MAGIC.length : 0);
    if (this.#header === undefined) {
      throw this.#bad(`its header is cut short at ${this.#rest.length} bytes`);
    }
    const { operations, blockIds, threads } = this.#header;
    const got = HEADER_BYTES + this.#count * 4 + this.#rest.length;
    const expected = HEADER_BYTES + operations * OPERATION_BYTES;
    if (got !== expected) {
      throw this.#bad(`${operations} operations take ${expected} bytes, but the file has ${got}`);
    }
    return {
      name: basename(this.#path).replace(/\.mtr\.gz$/, ''),
      ...{ operations, blockIds, threads },
      peakLiveBytes: this.#peakLiveBytes,
      peakOperations: this.#peakOperations,
      words: this.#words,
    };
  }

  /** @param least minimum number of bytes */
  #checkMagic(bytes: Buffer, least = 0): void {
    if (this.#header !== undefined) return;
    const there = bytes.subarray(0, MAGIC.length).toString('latin1');
    if (there.length >= least && MAGIC.startsWith(there)) return;
    throw this.#bad(
      `it does not begin with '${MAGIC}': not an allocation trace of version 1; ${TAKEN}`,
    );
  }

  #readHeader(bytes: Buffer): void {
    const [operations, blockIds, threads] = [4, 8, 12].map((at) => bytes.readUInt32LE(at));
    const expected = HEADER_BYTES + operations * OPERATION_BYTES;
    // A forged count must not make the reader allocate gigabytes.
    if (expected > HEADER_BYTES + this.#fileBytes * INFLATION_MAX) {
      throw this.#bad(
        `${operations} operations take ${expected} bytes, a file of ${this.#fileBytes} cannot hold them`,
      );
    }
    // Block ids have 24 bits.
    if (blockIds > BLOCK_IDS_MAX)
      throw this.#bad(`it names ${blockIds} block ids, the maximum is ${BLOCK_IDS_MAX}`);
    this.#header = { operations, blockIds, threads };
    this.#sizes = new Float64Array(blockIds);
    try {
      this.#words = new Uint32Array(new SharedArrayBuffer(operations * OPERATION_BYTES));
    } catch (error) {
      throw this.#bad(`no room for ${operations} operations: ${messageOf(error)}`);
    }
  }

  /** Checks and stores whole operations; returns the remaining bytes. */
  #readOperations(bytes: Buffer): Buffer {
    const end = bytes.length - (bytes.length % OPERATION_BYTES);
    if (this.#count + end / 4 > this.#words.length) {
      throw this.#bad(`it has more than the ${this.#words.length / 2} operations of its header`);
    }
    for (let at = 0; at < end; at += OPERATION_BYTES) {
      this.#readOperation(bytes.readUInt32LE(at), bytes.readUInt32LE(at + 4));
    }
    return bytes.subarray(end);
  }

  #readOperation(word: number, size: number): void {
    const kind = kindOf(word);
    const id = blockIdOf(word);
    const held = this.#sizes[id];
    const wrong = whatIsWrong(kind, held);
    if (wrong !== null) throw this.#bad(`operation ${this.#count / 2} ${wrong} (block id ${id})`);
    this.#words[this.#count++] = word;
    this.#words[this.#count++] = size;
    this.#live += (kind === FREE ? 0 : size) - Math.max(held - 1, 0);
    this.#sizes[id] = kind === FREE ? 0 : size + 1;
    if (this.#live > this.#peakLiveBytes) {
      this.#peakLiveBytes = this.#live;
      this.#peakOperations = this.#count / 2;
    }
  }

  #bad(why: string): HeapError {
    this.refusal = bad(this.#path, why);
    return this.refusal;
  }
}

/**
 * The fault of an operation, null = none; `held` is the content of its block id, undefined = no
 * such id.
 */
function whatIsWrong(kind: number, held: number | undefined): string | null {
  if (kind < MALLOC || kind > REALLOC) return `is of unknown kind ${kind}`;
  if (held === undefined) return "names a block id past the trace's last";
  if (kind === FREE && held === 0) return 'frees an empty block id';
  if ((kind === MALLOC || kind === CALLOC) && held > 0) return 'fills a full block id';
  return null;
}

function bad(path: string, why: string): HeapError {
  return new HeapError('ERR_SHMALLOC_TRACE', `cannot replay ${printable(path)}: ${why}`);
}
