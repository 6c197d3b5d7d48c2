/**
 * Process of the tests of failing looks: from some moment on, the system answers every look at a
 * thread with the given error code. Prints the outcome as JSON.
 */

import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { Worker } from 'node:worker_threads';
import type * as layout from '../../src/layout/index.js';

const [code = ''] = process.argv.slice(2);
const { openSync } = fs;
let fails = false;
let looks = 0;
fs.openSync = (path, ...more) => {
  if (String(path).startsWith('/proc/self/task/')) {
    looks++;
    if (fails) throw Object.assign(new Error('no'), { code });
  }
  return openSync(path, ...more);
};
syncBuiltinESMExports();

// Imported after that: the library takes these functions when it is loaded.
const { SharedHeap } = await import('shmalloc');
const { numberedWord } = await import('../../src/sync/index.js');
const LockTable = await import('../../src/layout/lock-table.js');
const { lockWordOf } = await import('../helpers.js');
const { ended, nextMessage } = await import('../workers.js');

const heap = SharedHeap.create({ size: '8MiB', threads: 4, lockTimeoutMs: 300 });
const worker = new Worker(new URL('../api/guest.worker.js', import.meta.url), {
  workerData: { handle: heap.handle, blocks: 4, end: 'stay' },
});
const word = numberedWord(worker.threadId);
await nextMessage(worker);

const attempts: object[] = [];
function attempt(what: string, lock: layout.LockIndex, call: () => unknown): void {
  const before = looks;
  heap.i32[lockWordOf(heap, lock)] = word;
  try {
    call();
    attempts.push({ what });
  } catch (error) {
    const { code, message } = error as { code?: string; message: string };
    // A look that finds nothing is followed by a look at the thread itself.
    const each = process.argv[2] === 'ENOENT' ? 2 : 1;
    attempts.push({ what, code, message, looks: (looks - before) / each });
  }
  heap.i32[lockWordOf(heap, lock)] = 0;
}
fails = true;
attempt('page lock', LockTable.PAGE, () => heap.malloc_ts(300_000));
attempt('recovery lock', LockTable.RECOVERY, () => heap.recover());
attempt('page lock, small', LockTable.PAGE, () => heap.malloc_ts(40_000));

heap.watch(worker);
const end = ended(worker);
heap.i32[lockWordOf(heap, LockTable.PAGE)] = word;
await worker.terminate();
await end;
let watched = 'went on';
try {
  heap.free_ts(heap.malloc_ts(300_000));
} catch (error) {
  watched = String(error);
}
console.log(JSON.stringify({ attempts, watched }));
process.exit();
