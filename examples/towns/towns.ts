/**
 * The data set: the towns of an invented country, a square of 1,000 km.
 *
 * In the heap it is a few columns, in the order of the towns' names, and a root with their
 * addresses. A thread needs only the root's address. A map of cells, each 10 km wide, lists the
 * towns in each cell: the towns of a row of cells are next to each other.
 *
 *     root ─┬─ names     address of each town's name, a text in the heap
 *           ├─ x, y      km
 *           ├─ people
 *           ├─ starts    where the list of each cell begins in `listed`, and where the last one ends
 *           └─ listed    towns, cell after cell
 */

import type { Context, SharedHeap } from 'shmalloc';

export const COUNTRY_KM = 1000;
const CELL_KM = 10;
const CELLS = COUNTRY_KM / CELL_KM;

export interface Town {
  readonly name: string;
  readonly x: number;
  readonly y: number;
  readonly people: number;
}

/** Towns sorted by name. The same seed gives the same towns. */
export function inventTowns(count: number, seed: number): Town[] {
  const random = randomFrom(seed);
  const pick = (parts: readonly string[]): string =>
    parts[Math.floor(random() * parts.length)] ?? '';
  const towns = Array.from({ length: count }, () => ({
    name: `${pick(FIRST)}${pick(MIDDLE)}${pick(LAST)}`,
    x: Math.floor(random() * COUNTRY_KM * 100) / 100,
    y: Math.floor(random() * COUNTRY_KM * 100) / 100,
    // Many villages, few cities.
    people: Math.floor(50 / (random() + 1e-5)),
  }));
  return towns.sort((a, b) => (a.name < b.name ? -1 : Number(a.name > b.name)));
}

/** Numbers from 0 to 1 computed from a seed (mulberry32). */
export function randomFrom(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let x = Math.imul(state ^ (state >>> 15), 1 | state);
    x = (x + Math.imul(x ^ (x >>> 7), 61 | x)) ^ x;
    return ((x ^ (x >>> 14)) >>> 0) / 2 ** 32;
  };
}

const FIRST =
  'Alder Ash Beck Black Bram Carl Dun East Fair Glen Hart Kings Lang Marl Nether New North Oak Old Pen Quarr Red Sel South Stan Thorn Up Wal West Whit Win Yar'.split(
    ' ',
  );
const MIDDLE = ['', 'a', 'en', 'er', 'ing', 'le', 'mar', 'ow', 'stock', 'wick'];
const LAST =
  'beck bourne bridge burgh bury by combe dale den field ford gate ham haven hill hurst ley mere minster mouth port side stead ton wood worth'.split(
    ' ',
  );

const cellOf = (km: number): number => Math.min(CELLS - 1, Math.max(0, Math.floor(km / CELL_KM)));

/** Stores towns in a context; returns the address of their root. */
export function storeTowns(context: Context, towns: readonly Town[]): number {
  const count = towns.length;
  const names = context.alloc(Uint32Array, count);
  const x = context.alloc(Float64Array, count);
  const y = context.alloc(Float64Array, count);
  const people = context.alloc(Uint32Array, count);
  const starts = context.alloc(Uint32Array, CELLS * CELLS + 1);
  const listed = context.alloc(Uint32Array, count);

  const cells = towns.map((town) => cellOf(town.y) * CELLS + cellOf(town.x));
  for (const cell of cells) starts[cell + 1]++;
  for (let cell = 0; cell < CELLS * CELLS; cell++) starts[cell + 1] += starts[cell];
  const next = starts.slice();
  towns.forEach((town, n) => {
    names[n] = context.allocString(town.name);
    x[n] = town.x;
    y[n] = town.y;
    people[n] = town.people;
    listed[next[cells[n]]++] = n;
  });

  const root = context.alloc(Uint32Array, 1 + 6);
  root.set([count, ...[names, x, y, people, starts, listed].map(({ byteOffset }) => byteOffset)]);
  return root.byteOffset;
}

/** A rectangle of the country: from (left, top) to (right, bottom), in km. */
export interface Area {
  readonly left: number;
  readonly top: number;
  readonly right: number;
  readonly bottom: number;
}

/**
 * The data set as a thread reads it: views of the columns that another thread stored, without a
 * copy.
 */
export class Towns {
  readonly count: number;
  readonly x: Float64Array;
  readonly y: Float64Array;
  readonly people: Uint32Array;
  readonly #heap: SharedHeap;
  readonly #names: Uint32Array;
  readonly #starts: Uint32Array;
  readonly #listed: Uint32Array;

  constructor(heap: SharedHeap, root: number) {
    const { buffer } = heap.u8;
    const [count, names, x, y, people, starts, listed] = new Uint32Array(buffer, root, 7);
    this.#heap = heap;
    this.count = count;
    this.#names = new Uint32Array(buffer, names, count);
    this.x = new Float64Array(buffer, x, count);
    this.y = new Float64Array(buffer, y, count);
    this.people = new Uint32Array(buffer, people, count);
    this.#starts = new Uint32Array(buffer, starts, CELLS * CELLS + 1);
    this.#listed = new Uint32Array(buffer, listed, count);
  }

  nameOf(town: number): string {
    return this.#heap.readString(this.#names[town]);
  }

  town(n: number): Town {
    return { name: this.nameOf(n), x: this.x[n], y: this.y[n], people: this.people[n] };
  }

  /** The first town whose name is not before a text. */
  firstFrom(text: string): number {
    let from = 0;
    let to = this.count;
    while (from < to) {
      const middle = (from + to) >>> 1;
      if (this.nameOf(middle) < text) from = middle + 1;
      else to = middle;
    }
    return from;
  }

  /** The lists of the cells that an area touches: all towns of the area, and some around it. */
  *around({ left, top, right, bottom }: Area): Generator<Uint32Array> {
    for (let row = cellOf(top); row <= cellOf(bottom); row++) {
      const from = this.#starts[row * CELLS + cellOf(left)];
      const to = this.#starts[row * CELLS + cellOf(right) + 1];
      yield this.#listed.subarray(from, to);
    }
  }
}
