/**
 * Proves that the program's own 'exit' listeners, whenever they were added, still have the heap, and that
 * reports and the end of an attachment come after the last of them. thread-end.long.test.ts has the ends
 * that are none of its own accord.
 */

import { testEnd } from './thread-end.js';

testEnd('return');
