/** recovery: one lock's domain is made anew, and what dead threads left is taken back. */

export { freeOrphans } from './reclaim-instrumented.js';
export { endObjects, freeContext } from './reclaim-objects.js';
export { freeReserved, nothingRecovered, type Recovered, recoverDead } from './recover.js';
export { createRepairs, type Repairs } from './repair.js';
export { createSettling, spanClass } from './resolve-intent.js';
export { createMend, type Mend, REHEARSAL } from './self-repair.js';
