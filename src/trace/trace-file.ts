/**
 * Reads trace files: trace-format.ts draws them.
 *
 * Used by the command line; replayed by workers/replay-worker.ts. Main thread or any other.
 *
 * I1  A Trace that was read can be replayed blindly: slots are in range, kinds are known, nothing
 *     is filled twice or freed twice. A file that is not so is refused.
 */

import { readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { HeapError } from '../base/index.js';
import {
  CALLOC,
  FREE,
  HEADER_BYTES,
  kindOf,
  MAGIC,
  MALLOC,
  OPERATION_BYTES,
  REALLOC,
  SLOTS_MAX,
  slotOf,
} from './trace-format.js';

export interface Trace {
  readonly name: string;
  readonly operations: number;
  /** Blocks live at once, at most. */
  readonly slots: number;
  readonly threads: number;
  /** Requested bytes live at once, at most. */
  readonly peakLiveBytes: number;
  /** So many operations are done when they are live. */
  readonly peakOperations: number;
  /** Two words an operation, in shared memory: workers read them where they are. */
  readonly words: Uint32Array<SharedArrayBuffer>;
}

/**
 * Reads and checks a trace.
 * @throws HeapError ERR_SHMALLOC_TRACE: no such file, no gzip, foreign, cut short or inconsistent
 */
export function readTrace(path: string): Trace {
  const bytes = unzip(path);
  if (bytes.subarray(0, 4).toString('latin1') !== MAGIC) {
    throw bad(path, `it does not begin with '${MAGIC}': not an allocation trace of version 1`);
  }
  if (bytes.length < HEADER_BYTES)
    throw bad(path, `its header is cut short at ${bytes.length} bytes`);
  const [operations, slots, threads] = [4, 8, 12].map((at) => bytes.readUInt32LE(at)) as [
    number,
    number,
    number,
  ];
  const expected = HEADER_BYTES + operations * OPERATION_BYTES;
  if (bytes.length !== expected) {
    throw bad(path, `${operations} operations take ${expected} bytes, there are ${bytes.length}`);
  }
  // A slot's number has 24 bits; a forged count must not ask for gigabytes below.
  if (slots > SLOTS_MAX) throw bad(path, `it names ${slots} slots, there can be ${SLOTS_MAX}`);
  const words = new Uint32Array(new SharedArrayBuffer(operations * OPERATION_BYTES));
  for (let i = 0; i < words.length; i++) words[i] = bytes.readUInt32LE(HEADER_BYTES + i * 4);
  const peak = check(path, words, slots);
  const name = basename(path).replace(/\.mtr\.gz$/, '');
  return { name, operations, slots, threads, ...peak, words };
}

function unzip(path: string): Buffer {
  let packed: Buffer;
  try {
    packed = readFileSync(path);
  } catch (error) {
    throw bad(path, error instanceof Error ? error.message : String(error));
  }
  try {
    return gunzipSync(packed);
  } catch (error) {
    throw bad(path, `not a whole gzip file (${error instanceof Error ? error.message : error})`);
  }
}

/** Walks the operations once; most requested bytes live at a time, and when. */
function check(
  path: string,
  words: Uint32Array,
  slots: number,
): Pick<Trace, 'peakLiveBytes' | 'peakOperations'> {
  const sizes = new Float64Array(slots).fill(-1);
  let live = 0;
  let peakLiveBytes = 0;
  let peakOperations = 0;
  for (let i = 0; i < words.length; i += 2) {
    const kind = kindOf(words[i]);
    const slot = slotOf(words[i]);
    const size = words[i + 1];
    const wrong = (what: string) => bad(path, `operation ${i / 2} ${what} (slot ${slot})`);
    if (kind < MALLOC || kind > REALLOC) throw wrong(`is of unknown kind ${kind}`);
    if (slot >= slots) throw wrong(`names a slot past the trace's ${slots}`);
    const held = sizes[slot];
    if (kind === FREE && held < 0) throw wrong('frees an empty slot');
    if ((kind === MALLOC || kind === CALLOC) && held >= 0) throw wrong('fills a full slot');
    live += (kind === FREE ? 0 : size) - Math.max(held, 0);
    sizes[slot] = kind === FREE ? -1 : size;
    if (live > peakLiveBytes) {
      peakLiveBytes = live;
      peakOperations = i / 2 + 1;
    }
  }
  return { peakLiveBytes, peakOperations };
}

function bad(path: string, why: string): HeapError {
  return new HeapError('ERR_SHMALLOC_TRACE', `cannot replay ${path}: ${why}`);
}
