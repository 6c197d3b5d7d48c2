/** All parts, in the order of the report. A new part adds its line here. */

import { contention } from './contention.js';
import { contexts } from './contexts.js';
import { crowd } from './crowd.js';
import { options } from './debug-options.js';
import { calls } from './measure-calls.js';
import { growth } from './measure-growth.js';
import { handOver } from './measure-hand-over.js';
import { startup } from './measure-startup.js';
import { traces } from './measure-traces.js';
import { workloads } from './measure-workloads.js';
import type { Part } from './part.js';

export const PARTS: readonly Part[] = [
  calls,
  traces,
  workloads,
  contention,
  crowd,
  handOver,
  growth,
  startup,
  contexts,
  options,
];

/** @throws Error for an unknown name */
export function partNamed(name: string): Part {
  const found = PARTS.find((part) => part.name === name);
  if (found === undefined) throw new Error(`no part '${name}'`);
  return found;
}
