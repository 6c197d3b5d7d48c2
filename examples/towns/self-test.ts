/**
 * Sends requests to its own server: compares the answers with those of plain JavaScript on plain
 * arrays, has a worker killed during a request, and checks that no memory is lost.
 */

import { deepStrictEqual, equal, ok } from 'node:assert/strict';
import { setTimeout } from 'node:timers/promises';
import { LIMIT } from './queries.js';
import { type ServerOptions, startServer, type TownServer } from './server.js';
import { COUNTRY_KM, inventTowns, randomFrom, type Town } from './towns.js';

const REQUESTS = 100;
const AT_A_TIME = 8;
/** Takes very long: each additional letter triples the time to find that a name does not match. */
const RUNS_FOR_EVER = `/match?name=${encodeURIComponent('^((\\w+)+)+!$')}`;

/** The stopped server, if all checks passed. @throws AssertionError */
export async function selfTest(options: ServerOptions): Promise<TownServer> {
  const towns = inventTowns(options.towns, options.seed);
  const server = await startServer(options);
  const { heap, dataSet } = server;
  const { bytes } = dataSet.stats();
  /** Bytes of the heap that requests have now. */
  const taken = (): number => heap.stats().inUseBytes - bytes;
  console.log(`${towns.length} towns take ${bytes} bytes of the heap`);

  await askMany(server, towns, 1);
  equal(taken(), 0, 'requests have left something behind');
  console.log(`${REQUESTS} answers are right, and have left nothing behind`);

  const killed = ask(server, RUNS_FOR_EVER);
  await until('the request has its memory', () => taken() > 0);
  const held = taken();
  await askMany(server, towns, 2);
  equal((await killed).status, 503);
  console.log(`a request ran too long and its worker was killed; ${REQUESTS} others were answered`);
  // The end of the worker may take a moment.
  await until('what the dead worker had is back', () => taken() === 0);
  console.log(`${held} bytes that its context had are back in the heap`);

  await askMany(server, towns, 3);
  console.log(`${REQUESTS} more answers are right`);
  await server.stop();
  deepStrictEqual(heap.verify({ quiet: true }).problems, []);
  return server;
}

async function until(what: string, holds: () => boolean): Promise<void> {
  for (let n = 0; n < 1000 && !holds(); n++) await setTimeout(10);
  ok(holds(), what);
}

async function ask({ url }: TownServer, path: string): Promise<{ status: number; body: unknown }> {
  const response = await fetch(url + path);
  return { status: response.status, body: await response.json() };
}

/** Sends requests of all kinds, several at a time. */
async function askMany(server: TownServer, towns: readonly Town[], seed: number): Promise<void> {
  const random = randomFrom(seed);
  const questions = Array.from({ length: REQUESTS }, () => inventQuestion(random, towns));
  const client = async (): Promise<void> => {
    for (let one = questions.pop(); one !== undefined; one = questions.pop()) {
      const { status, body } = await ask(server, one.path);
      deepStrictEqual({ status, body }, { status: 200, body: one.right }, one.path);
    }
  };
  await Promise.all(Array.from({ length: AT_A_TIME }, client));
}

interface TestQuestion {
  readonly path: string;
  /** The answer of plain JavaScript, computed before any request is sent, since it takes time. */
  readonly right: unknown;
}

function inventQuestion(random: () => number, towns: readonly Town[]): TestQuestion {
  const below = (limit: number): number => Math.floor(random() * limit);
  const name = towns[below(towns.length)]?.name ?? '';
  switch (below(4)) {
    case 0: {
      const start = name.slice(0, 1 + below(name.length));
      return {
        path: `/search?name=${start}`,
        right: largest(towns.filter((town) => town.name.startsWith(start))),
      };
    }
    case 1: {
      const end = name.slice(-1 - below(4));
      return {
        path: `/match?name=${end}$`,
        right: largest(towns.filter((town) => town.name.endsWith(end))),
      };
    }
    case 2: {
      const [x, y] = [below(COUNTRY_KM), below(COUNTRY_KM)];
      return { path: `/nearest?x=${x}&y=${y}`, right: nearest(towns, x, y) };
    }
    default: {
      const [left, top] = [below(COUNTRY_KM), below(COUNTRY_KM)];
      const [right, bottom] = [left + below(COUNTRY_KM - left), top + below(COUNTRY_KM - top)];
      return {
        path: `/summary?left=${left}&top=${top}&right=${right}&bottom=${bottom}`,
        right: summary(
          towns.filter(({ x, y }) => x >= left && x <= right && y >= top && y <= bottom),
        ),
      };
    }
  }
}

const largest = (towns: readonly Town[]): unknown => ({
  count: towns.length,
  towns: towns.toSorted((a, b) => b.people - a.people).slice(0, LIMIT),
});

function nearest(towns: readonly Town[], x: number, y: number): unknown {
  const near: { town: Town; km: number }[] = [];
  for (const town of towns) {
    const km = Math.hypot(town.x - x, town.y - y);
    if (near.length === LIMIT && km >= (near.at(-1)?.km ?? 0)) continue;
    near.push({ town, km });
    near.sort((a, b) => a.km - b.km).splice(LIMIT);
  }
  return { towns: near.map(({ town }) => town) };
}

function summary(towns: readonly Town[]): unknown {
  const people = towns.map((town) => town.people).sort((a, b) => a - b);
  return {
    count: people.length,
    people: people.reduce((sum, one) => sum + one, 0),
    median: people[people.length >>> 1] ?? 0,
  };
}
