/**
 * Worker start: what a library adds to the start of a worker, until the worker has its first allocation.
 *
 *     node dist/bench/worker-start.js ENTRY WORKERS      prints JSON; WORKERS: how many of each kind
 *
 * Models a program that starts workers as it needs them: each is new and compiles all of its code. The
 * kinds take turns, so that a slow minute of the machine affects all of them. The main thread has loaded
 * every library before, and has made what the workers share.
 *
 * Does not show what is the first use of anything else, and not a program that keeps compiled code
 * (NODE_COMPILE_CACHE).
 */

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';

/** The package's main entry. */
export type Library = typeof import('shmalloc');

/** What the workers load: the first loads nothing, the second does not use what it loads. */
export const KINDS = [
  'nothing',
  'shmalloc, import only',
  'shmalloc',
  '@thi.ng/malloc',
  'multithreading',
  'lmdb',
] as const;
export type Kind = (typeof KINDS)[number];

/** The data of a worker. */
export interface Start {
  readonly kind: Kind;
  /** The URL of shmalloc's main entry. */
  readonly entry: string;
  /** What the threads share: a heap's handle, a pool's buffer, a database's folder. */
  readonly shared: unknown;
}

/** Milliseconds of one worker's start. */
export interface Times {
  readonly importMs: number;
  /** Until the worker has what the threads share. */
  readonly attachMs: number;
  readonly allocateMs: number;
  /** From `new Worker` to the worker's message. */
  readonly startMs: number;
}

export interface WorkerStarts {
  readonly kind: Kind;
  readonly times: readonly Times[];
  /** Why there are none. */
  readonly absent?: string;
}

const WORKER = new URL('./worker-start.worker.js', import.meta.url);
const SHARED_BYTES = 2 ** 26;

/** A library's shared thing, and how it ends. */
interface Made {
  readonly shared: unknown;
  end?(): Promise<void>;
}

/** Makes what workers of a kind share. */
async function make(kind: Kind, entry: string): Promise<Made> {
  switch (kind) {
    case 'nothing':
    case 'multithreading':
      // A value of its own: each worker makes one.
      return { shared: null };
    case 'shmalloc, import only':
    case 'shmalloc': {
      const { SharedHeap } = (await import(entry)) as Library;
      return { shared: SharedHeap.create({ size: SHARED_BYTES }).handle };
    }
    case '@thi.ng/malloc': {
      const { MemPool } = await import('@thi.ng/malloc');
      const shared = new SharedArrayBuffer(SHARED_BYTES);
      new MemPool({ buf: shared as unknown as ArrayBuffer });
      return { shared };
    }
    case 'lmdb': {
      const { open } = await import('lmdb');
      const path = mkdtempSync(join(tmpdir(), 'shmalloc-lmdb-'));
      const database = open({ path });
      const end = async (): Promise<void> => {
        await database.close();
        rmSync(path, { recursive: true, force: true });
      };
      return { shared: path, end };
    }
  }
}

/** Starts one worker, and ends it: a library may keep it alive. */
async function startOne(start: Start): Promise<Times> {
  const started = performance.now();
  const worker = new Worker(WORKER, { workerData: start });
  const found = await new Promise<Omit<Times, 'startMs'>>((done, fail) => {
    worker.once('message', done).once('error', fail);
  });
  const startMs = performance.now() - started;
  await worker.terminate();
  return { ...found, startMs };
}

async function main(entry: string, workers: number): Promise<void> {
  const made = new Map<Kind, Made>();
  const absent = new Map<Kind, string>();
  const times = new Map<Kind, Times[]>(KINDS.map((kind) => [kind, []]));
  for (let n = 0; n < workers; n++) {
    for (const kind of KINDS) {
      if (absent.has(kind)) continue;
      try {
        if (!made.has(kind)) made.set(kind, await make(kind, entry));
        const shared = made.get(kind)?.shared;
        times.get(kind)?.push(await startOne({ kind, entry, shared }));
      } catch (error) {
        // A peer that does not run on this Node, or on this system.
        if (kind.startsWith('shmalloc')) throw error;
        absent.set(kind, (error as Error).message);
      }
    }
  }
  for (const { end } of made.values()) await end?.();
  const found: WorkerStarts[] = KINDS.map((kind) => {
    const why = absent.get(kind);
    return { kind, times: times.get(kind) ?? [], ...(why !== undefined && { absent: why }) };
  });
  console.log(JSON.stringify(found));
  // A library's own workers may wait for work.
  process.exit();
}

const [, , entry, workers] = process.argv;
await main(entry as string, Number(workers));
