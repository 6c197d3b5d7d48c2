/**
 * What is to be done when an attachment ends: by detach, or with its thread, whichever is first.
 *
 * Used by SharedHeap, and by whatever has to finish something for a heap. Any thread.
 *
 * I1  An action runs once, before the attachment gives its slot back; at the end of a thread after
 *     the program's own 'exit' listeners (thread-end.ts).
 * I2  Nothing that an action throws reaches the end of a thread.
 * I3  A thread that is terminated, or a process that is killed, runs none.
 */

import { List, messageOf, threadState } from '../base/index.js';
import { type HeapUsage, type LeakLabel, type Leaks, renderLeaks } from '../inspect/index.js';
import * as DebugRecord from '../layout/debug-record.js';
import type { DebugSettings, HeapMemory } from '../layout/index.js';
import { writeToStderr } from '../options/index.js';
import { type HeapStats, renderStats } from '../stats/index.js';
import { finishTrace } from '../trace/index.js';
import type { VerifyReport } from '../verify/index.js';
import { atThreadEnd } from './thread-end.js';

/** The end of one attachment. */
export interface ExitHooks {
  /** Another thing to be done; after those that were added before. `what` names it in a failure. */
  add(what: string, action: () => void): void;
  /** Does all that was added, once. */
  run(): void;
}

/** Endings of this thread that have something to do, by whichever copy of this package. */
const open = threadState('endings', () => new Set<ExitHooks>());
/** Heaps of this thread that report their leaks. */
const reports = threadState('reports', () => ({ count: 0 }));

export function createExitHooks(): ExitHooks {
  const actions = new List<{ what: string; action: () => void }>();
  const ending: ExitHooks = {
    add(what, action) {
      actions.push({ what, action });
      open.add(ending);
      atThreadEnd('endings', () => {
        for (const one of [...open]) one.run();
      });
    },
    run() {
      open.delete(ending);
      // Each is taken out before it is done: should V8 cut this, the next end goes on with the others.
      for (let next = actions.shift(); next !== undefined; next = actions.shift()) {
        try {
          next.action();
        } catch (error) {
          writeToStderr(`shmalloc: no ${next.what}: ${messageOf(error)}
`);
        }
      }
    },
  };
  return ending;
}

/** What reports at the end ask a heap. */
export interface Reported {
  readonly label: LeakLabel;
  verify(): VerifyReport;
  readonly memory: HeapMemory;
  leaks(): Leaks;
  usage(): HeapUsage;
  stats(): HeapStats;
}

/** The reports that the heap's options ask for, to stderr, and its trace. */
export function reportAtEnd(ending: ExitHooks, settings: DebugSettings, heap: Reported): void {
  const { leaks, stats, tracePath } = settings;
  if (DebugRecord.isInstrumented(settings) && settings.onError !== 'ignore') {
    ending.add('last check', () => tellProblems(heap.verify()));
  }
  if (leaks) {
    // Where there is more than one report, each says which heap it is of.
    const label = heap.label.threadId === 0 && reports.count === 0 ? undefined : heap.label;
    reports.count++;
    ending.add('leak report', () => {
      writeToStderr(`${renderLeaks(heap.leaks(), heap.usage(), label)}\n`);
    });
  }
  if (stats) {
    ending.add('statistics', () => writeToStderr(`${renderStats(heap.stats())}\n`));
  }
  if (tracePath !== '') ending.add('trace', () => finishTrace(heap.memory, tracePath));
}

/** Damage of blocks that nobody freed, and of those in quarantine, is found now or never. */
function tellProblems({ problems, problemsLeftOut }: VerifyReport): void {
  for (const { message, invariant } of problems) {
    writeToStderr(`shmalloc: at the end: ${message} (${invariant})\n`);
  }
  if (problemsLeftOut > 0) writeToStderr(`shmalloc: and ${problemsLeftOut} problems more\n`);
}
