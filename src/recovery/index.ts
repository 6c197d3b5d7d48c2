/** recovery: repairs the domain of one lock, and takes back what dead threads left. */

export { reclaimInstrumented } from './reclaim-instrumented.js';
export { freeContext, reclaimObjects } from './reclaim-objects.js';
export {
  freeReserved,
  nothingRecovered,
  type Recovered,
  type Rescue,
  recoverDead,
} from './recover.js';
export { Repairs } from './repair.js';
export { createIntentResolver, spanClass } from './resolve-intent.js';
export { createSelfRepair, REHEARSAL, type SelfRepair } from './self-repair.js';
