/**
 * Proves that the tests find faults: each mutant of the real code, which lacks one rule of
 * recovery, must be found by the deaths and throws of the scenarios.
 *
 * The model (test/model) has the mutants of the rules themselves, and those that need threads at
 * the same time (for example, that recovery acquires every class lock).
 */

import test from 'ava';
import {
  type Death,
  eachDeath,
  eachRescuerDeath,
  faultsOf,
  faultsOfEmptying,
  rescue,
} from './deaths.js';
import type { Scenario } from './program.js';
import { SCENARIOS } from './scenarios.js';
import { type Library, loadLibrary } from './simulation.js';

interface Mutant {
  readonly rule: string;
  /** Path in src/, without the extension. */
  readonly file: string;
  /** Text of the built file, and its replacement. */
  readonly from: string | RegExp;
  readonly to: string;
  /** The scenario that finds it, unless the first ones do. */
  readonly seenIn?: string;
  /** True if it takes two deaths to find it. */
  readonly twice?: boolean;
}

const LINE = (text: string): RegExp =>
  new RegExp(`^\\s*${text.replace(/[()[\].*+?]/g, '\\$&')}.*$`, 'm');

const MUTANTS: readonly Mutant[] = [
  {
    rule: 'a closed transit clears tags',
    seenIn: 'calloc of a used block',
    twice: true,
    file: 'recovery/repair',
    from: /tags\[u32\[entry\] >>> \w+\] = 0;/,
    to: '',
  },
  {
    rule: 'a closed transit sets bits',
    file: 'recovery/repair',
    from: LINE('this.#setBitLocked(c, u32[entry]);'),
    to: '',
  },
  {
    rule: 'a closed transit may be of either magazine',
    seenIn: "another thread's blocks, freed until their magazine is flushed",
    file: 'recovery/repair',
    from: /magazinesOf\(c\)/,
    to: '[c]',
  },
  {
    rule: 'dead caches give both magazines back',
    seenIn: "another thread's blocks, freed until their magazine is flushed",
    file: 'pages/thread-cache',
    from: /n < magazines\.length/,
    to: 'n < 1',
  },
  {
    rule: 'a closed transit is recounted',
    file: 'recovery/repair',
    from: LINE('Slot.setHeld('),
    to: '',
  },
  {
    rule: 'a closed transit ends',
    file: 'recovery/repair',
    from: LINE('Slot.closeTransit('),
    to: '',
  },
  {
    rule: 'free counts are rebuilt',
    file: 'recovery/repair',
    from: LINE('PageRecord.setFreeCount('),
    to: '',
  },
  {
    rule: 'the partial list is rebuilt',
    file: 'recovery/repair',
    from: LINE('ClassRecord.setPartial('),
    to: '',
  },
  {
    rule: 'span counts are rebuilt',
    file: 'recovery/repair',
    from: LINE('ClassRecord.setSpanCount('),
    to: '',
  },
  { rule: 'tails are rebuilt', file: 'recovery/repair', from: LINE('PageRecord.setTail('), to: '' },
  {
    rule: 'free runs are joined',
    seenIn: 'brk growth next to a free run',
    file: 'recovery/repair',
    from: LINE('this.#joinFreeLocked();'),
    to: '',
  },
  {
    rule: 'bins are rebuilt',
    file: 'recovery/repair',
    from: LINE('PageHeapRecord.clearBins('),
    to: '',
  },
  {
    rule: 'the frontier is rebuilt',
    file: 'recovery/repair',
    from: LINE('PageHeapRecord.setUntouched('),
    to: '',
  },
  {
    rule: 'mapped runs are recounted',
    file: 'recovery/repair',
    from: LINE('PageHeapRecord.setMapped('),
    to: '',
  },
  {
    rule: 'the page lock is repaired at all',
    file: 'recovery/repair',
    from: /this\.#repairPagesLocked\(\);\n\s*else/,
    to: ';\nelse',
  },
  {
    rule: 'refill: transit before bits',
    file: 'pages/thread-cache',
    from: /Slot.openTransit\(u32, slot, c, bottom \+ count\);/,
    to: '',
  },
  {
    rule: 'flush: transit before bits',
    seenIn: 'free into the cache, then flush',
    file: 'pages/thread-cache',
    from: /Slot.openTransit\(u32, slot, magazine, top\);/,
    to: '',
  },
  {
    rule: 'dead caches give their tags back',
    file: 'pages/thread-cache',
    from: /tags\[u32\[entry\] >>> \w+\] = 0;/,
    to: '',
  },
  {
    rule: 'reserved runs come back',
    file: 'recovery/recover',
    from: /freeReserved\([^)]*\);/,
    to: '0;',
  },
  { rule: 'the slot is freed', file: 'recovery/recover', from: LINE('freeSlot('), to: '' },
  {
    rule: 'LARGE is committed last',
    file: 'heap/large',
    from: /(f64, slot, SlotCounters.LARGE_MALLOCS, 1\);)/,
    to: '$1 pageHeap.commitRun(page, PageRecord.LARGE_RUN, 0);',
  },
  {
    rule: 'a large free reserves first',
    file: 'heap/large',
    from: /pageHeap\.commitRun\(page, PageRecord.RESERVED_RUN, slotIndex\);/,
    to: '',
  },
  {
    rule: 'a span commits last',
    file: 'pages/spans',
    from: /(const record = PageRecord\.at\(pageTable, page\);\n)(\s*for \(let n = 0; n < SPAN_PAGES)/,
    to: '$1this.#pageHeap.commitRun(page, PageRecord.SPAN_RUN, c);$2',
  },
  {
    rule: 'remainders before the commit',
    file: 'pages/page-heap',
    from: /(\/\/ point: cut\.rest\n|globalThis\.shmallocPoint\('cut\.rest'\);\n)\s*this\.#setRun\([^;]*;/,
    to: '$1',
  },
  {
    rule: 'the tail of a shortened reserve',
    seenIn: 'brk growth, then a direct map down to its end',
    file: 'pages/page-heap',
    from: /this\.#setTail\(at - 1, 0\);/,
    to: '',
  },
  {
    rule: 'malloc pops last',
    file: 'heap/slow-path',
    from: /(function pop\(heap, c\) \{[\s\S]*?const address = [^;]*;)/,
    to: '$1 u32[tops + c] = top;',
  },
  {
    rule: 'a block is PENDING before it is committed',
    seenIn: 'instrumented malloc, calloc and alignedAlloc',
    file: 'debug/instrumented-blocks',
    from: /BlockRecord.storeState\(i32, record, (BlockRecord.stateOf\(BlockRecord.PENDING, slotIndex, front, block\))\);/,
    to: 'BlockRecord.setState(i32, record, $1 & ~3);',
  },
  {
    rule: 'a free claims its block',
    seenIn: 'instrumented frees, 102400 bytes held back',
    file: 'debug/instrumented-blocks',
    from: /BlockRecord.casState\(i32, record, state, freed\) === state/,
    to: 'true',
  },
  {
    rule: 'realloc makes the new block LIVE last',
    seenIn: 'instrumented realloc',
    file: 'debug/debug-calls',
    from: /(copyWithin\(u8, moved, user, user \+ kept\);)/,
    to: '$1 blocks.publish(block, stack);',
  },
  {
    rule: 'an intent is resolved while the dead magazines are as they were',
    seenIn: 'a context grows chunk by chunk',
    file: 'recovery/recover',
    from: /resolver\.resolve\(\);(\s*let blocks = [^;]*;)/,
    to: '$1 resolver.resolve();',
  },
  {
    rule: 'an intent stands before its block is committed',
    seenIn: 'a context grows chunk by chunk',
    file: 'heap/reserve',
    from: /(u32\[intent\] = word;)([\s\S]*?u32\[tops \+ reservedClass\] -= 1;)/,
    to: '$2 $1',
  },
  {
    rule: 'an intent ends when the old block is given back, not before',
    seenIn: 'a context is reset',
    file: 'heap/owned-blocks',
    from: /(#give\(old, c\) \{)/,
    to: '$1 this.#heap.memory.u32[this.#intent] = 0;',
  },
  {
    rule: 'there is room in the magazine before an intent stands',
    seenIn: 'contexts end, their chunks flushed on the way',
    file: 'heap/owned-blocks',
    from: /cache\.flush\(c\);/,
    to: ';',
  },
  {
    rule: 'chunks of the dead come back',
    seenIn: 'a context grows chunk by chunk',
    file: 'recovery/reclaim-objects',
    from: LINE('this.#remove(ChunkRecord.addressWord(record));'),
    to: '',
  },
  {
    rule: 'contexts of the dead end',
    seenIn: 'a context grows chunk by chunk',
    file: 'recovery/reclaim-objects',
    from: LINE('this.#endRecords(depths);'),
    to: '',
  },
  {
    rule: 'roots end last',
    seenIn: 'a tree of contexts ends',
    twice: true,
    file: 'recovery/reclaim-objects',
    from: /depths\[b\] - depths\[a\]/,
    to: 'depths[a] - depths[b]',
  },
  {
    rule: 'what contexts had is flushed before the slot is free',
    seenIn: 'a context grows chunk by chunk',
    file: 'recovery/recover',
    from: /if \(ended\.blocks > 0\)\s*blocks \+= cache\.flushDead\(\);/,
    to: '',
  },
  {
    rule: 'a sweep for orphans leaves owned blocks alone',
    seenIn: 'contexts in a heap whose blocks were used before, instrumented',
    file: 'recovery/reclaim-instrumented',
    from: /\|\| isOwnedTag\(tag\)/,
    to: '',
  },
  {
    rule: 'orphans are looked for when the magazines are empty',
    seenIn: 'instrumented frees, 0 bytes held back',
    file: 'recovery/recover',
    from: /cache\.flushDead\(\) \+ (reclaimInstrumented\([^)]*\))/,
    to: '$1 + cache.flushDead()',
  },
  {
    rule: 'FREED blocks of the dead come back',
    seenIn: 'instrumented frees, 102400 bytes held back',
    file: 'recovery/reclaim-instrumented',
    from: /kind !== BlockRecord.FREED && kind !== BlockRecord.PENDING/,
    to: 'kind !== BlockRecord.PENDING',
  },
  {
    rule: 'PENDING blocks of the dead come back',
    seenIn: 'instrumented malloc, calloc and alignedAlloc',
    file: 'recovery/reclaim-instrumented',
    from: /kind !== BlockRecord.FREED && kind !== BlockRecord.PENDING/,
    to: 'kind !== BlockRecord.FREED',
  },
  {
    rule: 'an orphan is untagged when it is in a magazine',
    seenIn: 'recovery of a thread that held blocks back',
    file: 'pages/thread-cache',
    from: /(u32\[top\] = block;)/,
    to: '$1 tags[block >>> GRANULE_SHIFT] = 0;',
  },
  {
    rule: 'a magazine that orphans fill is flushed',
    seenIn: 'recovery of a thread that held blocks back',
    file: 'pages/thread-cache',
    from: /if \(Slot.magazineBlocks\(u32, slot, c\) >= Slot.getLimit\(u32, slot, c\)\)\s*this\.#releaseLocked\(c, 0, true\);/,
    to: '',
  },
  {
    rule: 'a large orphan is RESERVED before it is untagged',
    seenIn: 'recovery of a thread that held blocks back',
    file: 'recovery/reclaim-instrumented',
    from: /pageHeap\.commitRun\(pageOf\(block\), PageRecord.RESERVED_RUN, slot\);/,
    to: '',
  },
];

/** The first fault that a library shows; null = none. */
function findFault(lib: Library, scenario: Scenario, twice: boolean): string | null {
  let fault: string | null = null;
  const judge = (death: Death): void => {
    if (fault !== null) return;
    for (const how of ['recover', 'work'] as const) {
      try {
        const rescuer = rescue(lib, death, how);
        const faults = [...faultsOf(lib, death, rescuer), ...faultsOfEmptying(lib, rescuer)];
        fault ??= faults[0] ?? null;
      } catch (error) {
        fault ??= String(error);
      }
    }
  };
  try {
    eachDeath(lib, scenario, (death) => {
      judge(death);
      if (twice && fault === null) eachRescuerDeath(lib, death, 'work', judge);
    });
  } catch (error) {
    fault ??= String(error);
  }
  return fault;
}

for (const mutant of MUTANTS) {
  test.serial(`mutant is found: without the rule that ${mutant.rule}`, async (t) => {
    const lib = await loadLibrary({
      ...mutant,
      file: `${mutant.file}.js`,
    });
    try {
      let fault: string | null = null;
      const { seenIn } = mutant;
      for (const scenario of SCENARIOS) {
        if (seenIn !== undefined && scenario.name !== seenIn) continue;
        fault = findFault(lib, scenario, mutant.twice === true);
        if (fault !== null) {
          t.log(`${scenario.name}: ${fault.slice(0, 140)}`);
          break;
        }
      }
      t.not(fault, null);
    } finally {
      lib.copy.remove();
    }
  });
}
