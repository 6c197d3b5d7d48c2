/**
 * Measures the parts of a run: one after the other or, if times do not matter, as many at once as
 * there are cores.
 */

import { once } from 'node:events';
import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import { findPeers, noPeers } from './native.js';
import { findNode } from './node-versions.js';
import type { Options } from './options.js';
import type { Setting } from './part.js';
import { partNamed } from './parts.js';
import type { Section } from './section.js';

const WORKER = new URL('./part.worker.js', import.meta.url);
/** Parts that take longest and therefore start first. */
const LONG = ['workloads', 'traces', 'calls', 'options'];

export async function measureParts(options: Options): Promise<Section[]> {
  const { parts, smoke } = options;
  const found = new Map<string, readonly Section[]>();
  if (!smoke || parts.length === 1) {
    for (const part of parts) found.set(part, await measurePart(part, options));
  } else {
    const queue = [...parts].sort((a, b) => rank(a) - rank(b));
    const lanes = Math.min(availableParallelism(), queue.length);
    await Promise.all(Array.from({ length: lanes }, () => measureQueue(queue, options, found)));
  }
  return parts.flatMap((part) => found.get(part) ?? []);
}

const rank = (part: string): number => (LONG.includes(part) ? LONG.indexOf(part) : LONG.length);

/** One of several consumers of a queue. */
async function measureQueue(
  queue: string[],
  options: Options,
  found: Map<string, readonly Section[]>,
): Promise<void> {
  const worker = new Worker(WORKER, { workerData: options });
  for (let part = queue.shift(); part !== undefined; part = queue.shift()) {
    worker.postMessage(part);
    const [sections] = (await once(worker, 'message')) as [Section[]];
    found.set(part, sections);
  }
  await worker.terminate();
}

let setting: Setting | undefined;

export async function measurePart(part: string, options: Options): Promise<Section[]> {
  setting ??= settingOf(options);
  return await partNamed(part).measure(setting);
}

/** What this machine lacks, in words. */
export function missingHere({ alone }: Options): readonly string[] {
  return alone ? ['all peers: left out by --node'] : findPeers().missing;
}

function settingOf(options: Options): Setting {
  const { smoke, rounds, threads, alone, workloads, traces, versions } = options;
  return {
    smoke,
    rounds,
    threads,
    alone,
    workloads,
    traces,
    peers: alone ? noPeers([]) : findPeers(),
    nodes: versions.map(findNode),
    tell: (what) => process.stderr.write(`measuring ${what}\n`),
  };
}
