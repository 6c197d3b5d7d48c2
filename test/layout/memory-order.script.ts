/**
 * Runs the operations that need fences, in a process that claims to be an ARM64 one, and prints
 * which words each step accessed atomically: `own` for the private word of the fences, else a name
 * or an index.
 */

Object.defineProperty(process, 'arch', { value: 'arm64' });

type Access = (array: Int32Array, index: number, ...values: number[]) => number;
const ACCESSES = ['load', 'store', 'add', 'exchange', 'compareExchange'] as const;
let names = new Map<number, string>();
let log: string[] = [];

for (const access of ACCESSES) {
  const real = Atomics[access] as Access;
  const spied: Access = (array, index, ...values) => {
    // Recorded before the access, as in a thread that is cut at this place.
    const name = array.buffer instanceof SharedArrayBuffer ? names.get(index) : 'own';
    if (name !== undefined) log.push(`${access} ${name}`);
    return real(array, index, ...values);
  };
  Object.defineProperty(Atomics, access, { value: spied });
}

// Imported after that: the library takes the functions of Atomics when it is loaded.
const { SharedHeap } = await import('shmalloc');

/** The atomic accesses of a step to the named words, and to the private word of the fences. */
function step(name: string, words: Record<string, number>, work: () => void): void {
  names = new Map(Object.entries(words).map(([word, index]) => [index, word]));
  log = [];
  work();
  console.log(JSON.stringify([name, log]));
}

using heap = SharedHeap.create({ size: '16MiB' });
const records = heap.vectors.create({ bytes: 32 }, { shared: true });
records.push(new Uint8Array(32));
const header = records.handle.address >>> 2;
const words = { data: header + 3, version: header + 5 };
step('get', words, () => void records.get(0));
step('set', words, () => records.set(0, new Uint8Array(32)));
step('reserve', words, () => records.reserve(100));
step('delete', { data: header + 3 }, () => records.delete());

using watched = SharedHeap.create({
  size: '16MiB',
  debug: { history: 4, guard: 16, stacks: 1 },
});
const block = watched.malloc_ts(100);
const { blockRecords, rings } = await places(watched.handle.buffer);
const record = blockRecords + ((block - 16) >>> 6) * 8;
step('free', { state: record }, () => watched.free_ts(block));
step('malloc', { state: record, number: rings + 16 + 2 * 12 }, () => void watched.malloc_ts(100));
step('history', { number: rings + 16 + 2 * 12 }, () => void watched.inspect.history({ last: 1 }));

/** The places of the structures of a heap in its own buffer. */
async function places(buffer: SharedArrayBuffer) {
  const layout = await import('../../src/layout/index.js');
  const u32 = new Uint32Array(buffer);
  const Header = await import('../../src/layout/header.js');
  const fields = Header.read(u32, layout.headerWord(0));
  if (fields === null) throw new Error('no heap');
  const g = layout.computeGeometry(fields);
  return { blockRecords: g.blockRecords, rings: g.eventRings };
}
