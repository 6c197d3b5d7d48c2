/**
 * The worker of the README's example in CommonJS: it requires this package, which is ES modules.
 */

const { SharedHeap } = require('shmalloc');

function double({ list, length }: { list: number; length: number }): number {
  const heap = SharedHeap.current();
  const result = heap.malloc_ts(4 * length);
  for (let i = 0; i < length; i++) {
    heap.i32[(result >>> 2) + i] = 2 * heap.i32[(list >>> 2) + i];
  }
  return result;
}

module.exports = double;
