/**
 * Mutants: every rule is switched off alone, to show that the model detects what it prevents.
 *
 * A mutant is looked for in its witness, if it has one; else in random schedules of a suitable
 * kind, then in the exhaustive cuts of level 1. A schedule that finds it is run again with all
 * rules on, and must show no violation.
 */

import { explore, replay } from './exhaustive.js';
import { interleave } from './interleave.js';
import { DOUBLE_FREES, type PartSet } from './interleave-parts.js';
import { amongst, type Mutant, mutant, rare } from './mutant.js';
import { OBJECT_MUTANTS } from './object-mutants.js';
import type { Options } from './random.js';
import { RULES_ON, type Rules } from './rules.js';
import { SCENARIOS } from './scenarios.js';
import { runSeed } from './schedule.js';
import {
  LIMIT_WITHOUT_SENTINEL,
  OLD_NOTE,
  OLD_SENTINEL,
  OVER_TWICE,
  OWNER_CHANGED,
  runWitness,
  SLOT_REUSED,
  type Witness,
} from './witnesses.js';

/** Errors of any kind, and no deaths. */
const ERRORS: Options = { throws: 0.02, anywhere: true, kills: 0 };
/** Magazines that fill often, and errors. */
const SENTINELS: Options = { throws: 0.05, anywhere: true, kills: 0, calls: 20, limitMax: 2 };
/** Errors that strike rescuers, too. */
const ERRORS_AND_KILLS: Options = { throws: 0.02, anywhere: true, kills: 3 };
/** Errors where a stack overflow can strike. */
const OVERFLOWS: Options = { throws: 0.02, kills: 0 };
/** Cut calls, and no deaths. */
const CUTS: Options = { cuts: 0.02, kills: 0 };
const OBJECTS_AND_CUTS: Options = { ...CUTS, objects: true };
/** Instrumented heaps, with and without blocks held back, and threads that die. */
const RECORDS: Options = { quarantine: 2, kills: 3 };
const NO_QUARANTINE: Options = { quarantine: 0, kills: 3 };
/** Many more blocks held back than a magazine has room for. */
const MANY_ORPHANS: Options = {
  quarantine: 12,
  kills: 3,
  calls: 30,
  pages: 14,
  limitStart: 1,
  limitMax: 2,
};
/** Instrumented heaps with errors, and no deaths. */
const RECORDS_AND_ERRORS: Options = { ...ERRORS, quarantine: 1, calls: 12 };
const NO_QUARANTINE_AND_ERRORS: Options = { ...ERRORS, quarantine: 0, calls: 12 };
/** More threads than slots. */
const CROWDED: Options = { kills: 3, slots: 2, workers: 2, calls: 4 };

export const MUTANTS: readonly Mutant[] = [
  // ---- Identity of threads
  rare('a lock word names a slot, which another has by now', { owner: 'slot' }, SLOT_REUSED),
  mutant(
    'a lock word names a slot: attach when the dead have them all',
    { owner: 'slot' },
    CROWDED,
  ),
  mutant(
    'a lock word names a slot and its generation: the same',
    { owner: 'slot+generation' },
    CROWDED,
  ),
  mutant(
    'a thread id alone says who lives, and ids come round',
    { startTime: false },
    { kills: 2, reuseIds: true },
  ),
  rare('a rescuer does not look at the owner again', { lookAgain: false }, OWNER_CHANGED),

  // ---- One-store commits, source and derived
  mutant('tails are not rebuilt', { tailsRebuilt: false }),
  mutant('the reserve gets no new tail when it is cut', { reserveTail: false }),
  mutant('page repair does not join free runs', { joinFree: false }),
  mutant('the rest of a cut from the top is not merged', { mergeTopRest: false }),
  mutant('frontier words are the source, the last free run is lengthened', { reserveIsRun: false }),
  mutant('page repair does not count mapped pages', { recountMapped: false }),
  mutant('class repair does not count spans', { recountSpans: false }),
  mutant('SPAN is committed before its bitmap', { bitmapFirst: false }),

  // ---- Transit
  mutant('recovery leaves tags', { clearTags: false }),
  mutant('blocks held are added after the transit', { heldRecount: false }),
  mutant('a span is released while its transit is open', { releaseAfterTransit: false }),
  mutant('a refill clears bits before its transit is open', { transitFirst: false }),
  mutant('class repair keeps wholly free spans', { releaseInRepair: false }),
  mutant('takeover closes the transits of the dead owner alone', { closeAllSlots: false }),
  mutant('transits are closed before the page lock is held', { closeUnderPageLock: false }),

  // ---- Commit last, free first
  mutant('LARGE is committed under the page lock', { largeCommitLast: false }),
  mutant('calloc clears after the pop', { clearFirst: false }),
  mutant('realloc commits the new block, then frees the old one', { reallocLast: false }),
  mutant('the malloc count goes up after the pop', { countFirst: false }),
  mutant('a large free leaves a note', { largeFree: 'note' }),
  rare('a large free leaves a note, checked by the walk', { largeFree: 'note+walk' }, OLD_NOTE),
  mutant('recovery that is due comes after the commit', { dueBeforeCommit: false }, { kills: 3 }),
  mutant('malloc answers 0 with dead slots about', { recoverBeforeFull: false }, { kills: 3 }),

  // ---- Sentinels
  rare('a limit is written before its sentinel', { sentinelFirst: false }, LIMIT_WITHOUT_SENTINEL),
  mutant('one sentinel word instead of two', { secondSentinel: false }, SENTINELS),
  rare('a magazine over its limit is pushed over again', { flushWhenOver: false }, OVER_TWICE),
  rare('a flush keeps half of the limit', { keepHalf: false }, OLD_SENTINEL),
  mutant('attach writes no sentinels', { resetSentinels: false }),

  // ---- Recovery
  mutant('recovery has no lock of its own', { recoveryLock: false }, { kills: 3, workers: 4 }),
  mutant('takeover recovers the slot, other locks held', { recoverLater: false }, { kills: 2 }),
  mutant('a slot is freed before its recovery', { slotLast: false }, { kills: 3 }),
  mutant('recovery skips classes with nothing cached', { allClasses: false }, { kills: 3 }),
  mutant('RESERVED runs are found by scanning records', { walkForReserved: false }),
  mutant('verify takes the page lock first', { verifyRising: false }, { kills: 0 }),

  // ---- Instrumented heaps
  mutant('a record is written after the commit', { recordFirst: false }, RECORDS),
  mutant('realloc makes the new block LIVE before the claim', { liveLast: false }, RECORDS),
  mutant('a free claims its block after the push', { claimFirst: false }, NO_QUARANTINE),
  amongst(
    'a claim is a look and a store: two threads free a block',
    { strictClaim: false },
    DOUBLE_FREES,
  ),
  mutant(
    'a block that nobody holds back is in no queue',
    { queueFirst: false },
    NO_QUARANTINE_AND_ERRORS,
  ),
  mutant('errors of a block that leaves are thrown', { quietRelease: false }, RECORDS_AND_ERRORS),
  mutant('a thread detaches with blocks held back', { drainFirst: false }, RECORDS_AND_ERRORS),
  mutant('the sweep goes before the magazines', { sweepAfterFlush: false }, RECORDS),
  mutant('the sweep takes what the living hold back', { sweepOwn: false }, RECORDS),
  mutant('the sweep takes blocks without tags', { sweepTagged: false }, RECORDS),
  mutant('the sweep leaves PENDING blocks', { sweepPending: false }, RECORDS),
  mutant('an orphan is untagged, then pushed', { untagLast: false }, RECORDS),
  mutant('orphans fill the magazine', { flushOnTheWay: false }, MANY_ORPHANS),
  mutant('a large orphan is untagged, then RESERVED', { orphanReserved: false }, RECORDS),
  mutant('a slot is freed before its sweep', { slotLast: false }, RECORDS),

  // ---- Errors
  mutant(
    'no stack is probed, and self repair overflows too',
    { headroom: false, throwInHandler: true },
    OVERFLOWS,
  ),
  mutant(
    'calls between the stores of the fast path',
    { fastCalls: true },
    { throws: 0.05, kills: 0 },
  ),
  mutant('an error leaves a section as it is', { selfRepair: false }, ERRORS),
  mutant('an error leaves runs RESERVED', { selfFree: false }, ERRORS),
  mutant('self repair frees what realloc will commit', { keepTarget: false }, ERRORS),
  mutant('errors after a commit are thrown', { silentAfterCommit: false }, ERRORS),
  mutant(
    'a takeover that fails keeps the lock',
    { failedTakeoverReturns: false },
    ERRORS_AND_KILLS,
  ),
  mutant(
    'a takeover that fails releases the page lock',
    { pageLockReturns: false },
    ERRORS_AND_KILLS,
  ),

  // ---- Cut calls of living threads
  mutant('a cut: its section has no mark', { repairSection: false }, CUTS),
  mutant('a cut: a run that is to be committed has no mark', { repairRun: false }, CUTS),
  mutant('a cut: repair has no mark of its own', { markRepair: false }, OBJECTS_AND_CUTS),
  mutant('a cut: the lock of an object stays', { repairLock: false }, OBJECTS_AND_CUTS),
  mutant('a cut: contexts and chunks stay half made', { repairTables: false }, OBJECTS_AND_CUTS),
  mutant('a cut: an intent stands', { repairIntent: false }, OBJECTS_AND_CUTS),
  mutant('a cut: blocks on their way stay', { repairOpen: false }, { ...CUTS, quarantine: 1 }),
  mutant('a cut: a magazine in transit is not parked', { parkTransit: false }, CUTS),
  ...OBJECT_MUTANTS,
];

/** Rules that can be off without harm that the model can see: README.md says why. */
export const HARMLESS: readonly Mutant[] = [
  mutant('a free flushes first, then pushes', { pushFirst: false }),
  mutant('a large free leaves a note, for tags that are 0', { largeFree: 'note+walk+tag' }),
  mutant('a large free commits before it asks for the page lock', { reserveUnderLock: false }),
  mutant('bits of a dead transit are set before the page lock', { bitsUnderPageLock: false }),
  mutant('no stack is probed, and self repair has stack', { headroom: false }, OVERFLOWS),
  mutant('a cut: no room is made to resolve an intent', { roomToRepair: false }, OBJECTS_AND_CUTS),
  mutant('a record is not made NONE first', { noneFirst: false }, RECORDS),
];

export interface Verdict {
  readonly mutant: Mutant;
  /** The place where it was found; null = not found. */
  readonly where: string | null;
  readonly message: string;
  /** The violation of the same schedule with all rules on: null, unless the model is wrong. */
  readonly withRules: string | null;
}

/** Looks for one mutant: in its witness, or in `seeds` random schedules and the exhaustive cuts. */
export function findMutant(subject: Mutant, seeds: number): Verdict {
  const rules: Rules = { ...RULES_ON, ...subject.off };
  if (subject.among !== undefined) return findAmong(subject, subject.among, rules);
  if (subject.cuts !== undefined) return findByCuts(subject, rules);
  if (subject.witness !== null) return findByWitness(subject, subject.witness, rules);
  for (let seed = 1; seed <= seeds; seed++) {
    const failure = runSeed(rules, seed, subject.options);
    if (failure === null) continue;
    const again = runSeed(RULES_ON, seed, subject.options);
    return {
      mutant: subject,
      where: `seed ${seed}, ${failure.steps} steps`,
      message: failure.message,
      withRules: again?.message ?? null,
    };
  }
  return findByCuts(subject, rules);
}

function findByWitness(subject: Mutant, witness: Witness, rules: Rules): Verdict {
  const message = runWitness(rules, witness);
  return {
    mutant: subject,
    where: message === null ? null : `witness: ${witness.name}`,
    message: message ?? '',
    withRules: runWitness(RULES_ON, witness),
  };
}

/** Looks for a mutant in every schedule of some pairs of threads. */
function findAmong(subject: Mutant, among: PartSet, rules: Rules): Verdict {
  const [clash] = interleave(rules, [among], true).found.values();
  const [again] = interleave(RULES_ON, [among], true).found.values();
  return {
    mutant: subject,
    where:
      clash === undefined
        ? null
        : `${clash.first}, ${clash.firstSteps} and ${clash.secondSteps} steps`,
    message: clash?.message ?? '',
    withRules: again?.message ?? null,
  };
}

function findByCuts(subject: Mutant, rules: Rules): Verdict {
  const { only, level } = subject.cuts ?? { only: '', level: 1 };
  const errors = subject.cuts !== undefined || (subject.options.throws ?? 0) > 0;
  const scenarios = SCENARIOS.filter(({ name }) => name.includes(only));
  const living = (subject.options.cuts ?? 0) > 0;
  const options = { level, scenarios, kills: !living, errors, living, first: true };
  for (const { scenario, cut, message } of explore(rules, options).found.values()) {
    const withRules = replay(RULES_ON, scenario, cut, []);
    return { mutant: subject, where: `${scenario.name}, ${describeCut(cut)}`, message, withRules };
  }
  return { mutant: subject, where: null, message: '', withRules: null };
}

function describeCut(cut: { readonly victim: number }): string {
  return `victim's step ${cut.victim}`;
}
