/**
 * The queries. Each answer is computed in the memory of one context, which ends with the request:
 * lists of found towns, copies to be sorted. No block is freed here.
 */

import type { Context } from 'shmalloc';
import { type Area, COUNTRY_KM, type Town, type Towns } from './towns.js';

export interface Question {
  readonly path: string;
  /** The parameters of the address. */
  readonly query: Readonly<Record<string, string>>;
}

export interface Found {
  /** Number of all matching towns; absent for the nearest. */
  readonly count?: number;
  /** The first of the matching towns. */
  readonly towns: readonly Town[];
}

export interface Summary {
  readonly count: number;
  readonly people: number;
  readonly median: number;
}

type Query = (towns: Towns, memory: Context, query: Question['query']) => Found | Summary;

export const LIMIT = 10;

export const QUERIES: Readonly<Record<string, Query>> = {
  /** The largest towns whose names begin with a text: `/search?name=Ash` */
  '/search': (towns, memory, { name = '' }) => {
    const from = towns.firstFrom(name);
    const to = towns.firstFrom(`${name}\uffff`);
    const found = memory.alloc(Uint32Array, to - from);
    for (let n = 0; n < found.length; n++) found[n] = from + n;
    return largest(towns, found);
  },

  /** The towns nearest to a place: `/nearest?x=500&y=250` */
  '/nearest': (towns, memory, query) => {
    const x = kmOf(query.x, 0);
    const y = kmOf(query.y, 0);
    const distance = (town: number): number => Math.hypot(towns.x[town] - x, towns.y[town] - y);
    for (let km = 10; ; km *= 2) {
      // Outside of the circle there may be nearer towns than those in the square's corners.
      const fits = (town: number): boolean => distance(town) <= km;
      const found = collect(towns, memory, squareAround(x, y, km), fits);
      // Too few: try a larger square. The memory of this try is freed with the request.
      if (found.length < Math.min(LIMIT, towns.count)) continue;
      found.sort((a, b) => distance(a) - distance(b) || a - b);
      return { towns: firstOf(towns, found) };
    }
  },

  /** How many people live in an area: `/summary?left=100&top=100&right=300&bottom=200` */
  '/summary': (towns, memory, query) => {
    const area = {
      left: kmOf(query.left, 0),
      top: kmOf(query.top, 0),
      right: kmOf(query.right, COUNTRY_KM),
      bottom: kmOf(query.bottom, COUNTRY_KM),
    };
    const found = collect(towns, memory, area, (town) => isIn(area, towns.x[town], towns.y[town]));
    const people = memory.alloc(Uint32Array, found.length);
    for (let n = 0; n < people.length; n++) people[n] = towns.people[found[n]];
    people.sort();
    return {
      count: people.length,
      people: people.reduce((sum, one) => sum + one, 0),
      median: people[people.length >>> 1] ?? 0,
    };
  },

  /**
   * The largest towns whose names match a regular expression: `/match?name=ham$`. An expression
   * from a stranger can run for ever: therefore the server has a time limit.
   */
  '/match': (towns, memory, { name = '' }) => {
    const pattern = new RegExp(name);
    const found = memory.alloc(Uint32Array, towns.count);
    let count = 0;
    for (let n = 0; n < towns.count; n++) if (pattern.test(towns.nameOf(n))) found[count++] = n;
    return largest(towns, found.subarray(0, count));
  },
};

/** The towns of an area that fit, in memory with room for all towns around it. */
function collect(
  towns: Towns,
  memory: Context,
  area: Area,
  fits: (town: number) => boolean,
): Uint32Array {
  let room = 0;
  for (const list of towns.around(area)) room += list.length;
  const found = memory.alloc(Uint32Array, room);
  let count = 0;
  for (const list of towns.around(area)) {
    for (const town of list) if (fits(town)) found[count++] = town;
  }
  return found.subarray(0, count);
}

function largest(towns: Towns, found: Uint32Array): Found {
  found.sort((a, b) => towns.people[b] - towns.people[a] || a - b);
  return { count: found.length, towns: firstOf(towns, found) };
}

const firstOf = (towns: Towns, found: Uint32Array): Town[] =>
  Array.from(found.subarray(0, LIMIT), (n) => towns.town(n));

const squareAround = (x: number, y: number, km: number): Area => ({
  left: x - km,
  top: y - km,
  right: x + km,
  bottom: y + km,
});

const isIn = ({ left, top, right, bottom }: Area, x: number, y: number): boolean =>
  x >= left && x <= right && y >= top && y <= bottom;

function kmOf(text: string | undefined, fallback: number): number {
  const km = text === undefined ? fallback : Number(text);
  if (km >= 0 && km <= COUNTRY_KM) return km;
  throw new RangeError(`a place is from 0 to ${COUNTRY_KM} km, got '${text}'`);
}
