/**
 * Ends as it is told, with listeners of the program's own that are added before and after the heap is
 * made. Prints on stdout what it does; a worker's main thread prints what is left of the worker.
 */

import { writeSync } from 'node:fs';
import { isMainThread, Worker, workerData } from 'node:worker_threads';
import { SharedHeap } from 'shmalloc';

const say = (text: string): number => writeSync(1, `${text}\n`);

function use(heap: SharedHeap, how: string): void {
  const [first, second] = [heap.malloc_ts(1000), heap.malloc_ts(100_000)];
  heap.contexts.create('open').onReset(() => say('context ends'));
  process.once('exit', () => {
    heap.free_ts(first);
    say('freed first');
  });
  process.on('exit', () => {
    heap.free_ts(second);
    say('freed second');
    if (how === 'exit in a listener') process.exit(7);
    if (how === 'throw in a listener') throw new Error('on purpose');
  });
  if (how === 'exit') process.exit(7);
  if (how === 'throw') throw new Error('on purpose');
  if (how === 'no wrapper') process.emit = Object.getPrototypeOf(process).emit;
}

if (!isMainThread) {
  process.on('exit', () => say('first listener'));
  use(SharedHeap.attach(workerData.handle), workerData.how);
} else {
  const [, , where, how = ''] = process.argv;
  process.on('exit', () => say('first listener'));
  const heap = SharedHeap.create({ size: '16MiB', debug: { leaks: true } });
  if (where === 'worker') {
    const worker = new Worker(new URL(import.meta.url), {
      workerData: { handle: heap.handle, how },
    });
    worker.on('error', () => say('worker failed'));
    await new Promise((done) => worker.once('exit', done));
    const { threads, inUseBytes } = heap.stats();
    say(`${threads.filter(({ attached }) => attached).length} attached, ${inUseBytes} bytes`);
  } else {
    use(heap, how);
  }
}
