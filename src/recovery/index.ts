/** recovery: one lock's domain is made anew, and what dead threads left is taken back. */

export { reclaimInstrumented } from './reclaim-instrumented.js';
export { freeContext, reclaimObjects } from './reclaim-objects.js';
export { freeReserved, nothingRecovered, type Recovered, recoverDead } from './recover.js';
export { createRepairs, type Repairs } from './repair.js';
export { createIntentResolver, spanClass } from './resolve-intent.js';
export { createSelfRepair, REHEARSAL, type SelfRepair } from './self-repair.js';
