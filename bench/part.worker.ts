/**
 * Worker: measures parts while others run, for runs that only show that everything runs.
 */

import { parentPort, workerData } from 'node:worker_threads';
import { measurePart } from './measure-parts.js';
import type { Options } from './options.js';

parentPort?.on('message', async (part: string) => {
  parentPort?.postMessage(await measurePart(part, workerData as Options));
});
