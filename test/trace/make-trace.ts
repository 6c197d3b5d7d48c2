/**
 * Makes trace files for tests: correct ones, and ones with one fault each.
 */

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import type { ExecutionContext } from 'ava';

export type Operation =
  | readonly ['malloc' | 'calloc' | 'realloc', id: number, size: number]
  | readonly ['free', id: number];

const KINDS = { malloc: 1, free: 2, calloc: 3, realloc: 4 } as const;

/** The unzipped bytes of a trace. */
export function traceBytes(operations: readonly Operation[], blockIds = 16, threads = 1): Buffer {
  const bytes = Buffer.alloc(16 + operations.length * 8);
  bytes.write('MTR1', 'latin1');
  [operations.length, blockIds, threads].forEach((word, n) => {
    bytes.writeUInt32LE(word, 4 + n * 4);
  });
  operations.forEach(([kind, id, size = 0], n) => {
    bytes.writeUInt32LE(((id << 8) | KINDS[kind]) >>> 0, 16 + n * 8);
    bytes.writeUInt32LE(size, 20 + n * 8);
  });
  return bytes;
}

/** Operations with every kind of call, which leave no live block. */
export const SAMPLE: readonly Operation[] = [
  ['malloc', 0, 100],
  ['calloc', 1, 5000],
  ['realloc', 0, 300],
  ['realloc', 2, 70_000],
  ['malloc', 3, 0],
  ['free', 1],
  ['realloc', 2, 200_000],
  ['malloc', 1, 17],
  ['free', 0],
  ['free', 1],
  ['free', 2],
  ['free', 3],
];

/** A folder for files of a test, removed after it. */
export class TraceFolder {
  readonly #folder = mkdtempSync(join(tmpdir(), 'shmalloc-trace-'));

  constructor(t: ExecutionContext) {
    t.teardown(() => rmSync(this.#folder, { recursive: true, force: true }));
  }

  path(name: string): string {
    return join(this.#folder, name);
  }

  write(name: string, bytes: Uint8Array): string {
    writeFileSync(this.path(name), bytes);
    return this.path(name);
  }

  trace(name: string, operations: readonly Operation[], blockIds?: number): string {
    return this.write(`${name}.mtr.gz`, gzipSync(traceBytes(operations, blockIds)));
  }
}
