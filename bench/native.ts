/**
 * The native peers: compiles bench/native/*.c, and runs them on glibc and, preloaded, on the other
 * allocators of this machine. Missing ones are named and left out.
 *
 * What the numbers do not show: C has no bounds checks, and its allocators do not check addresses;
 * ours checks both. Native allocators may give memory back to the system; ours cannot.
 */

import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, statSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { ROOT, runJson } from './processes.js';
import { BASELINE } from './section.js';

export { ROOT, runNode } from './processes.js';
export { BASELINE } from './section.js';

// For the parts that run both kinds of processes.

const SOURCES = fileURLToPath(new URL('bench/native/', ROOT));
const BUILD = fileURLToPath(new URL('bench/native/build/', ROOT));
const FLAGS = ['-O2', '-fno-builtin', '-pthread'];
const PRELOADED: Readonly<Record<string, string>> = {
  mimalloc: 'libmimalloc.so.2',
  jemalloc: 'libjemalloc.so.2',
  tcmalloc: 'libtcmalloc_minimal.so.4',
};

/** All allocators that a machine may have; the baseline first. */
export const NATIVE: readonly string[] = [BASELINE, ...Object.keys(PRELOADED)];

export interface Peers {
  /** Names of the allocators that can be run; the baseline first. */
  readonly names: readonly string[];
  /** Missing peers, in words. */
  readonly missing: readonly string[];
  /** Runs a program of bench/native/ on a peer and reads the JSON that it prints. */
  run<Result>(peer: string, program: string, args: readonly string[]): Result;
}

/** No peers at all, with the reason. */
export function noPeers(missing: readonly string[]): Peers {
  return { names: [], missing, run: () => unreachable() };
}

export function findPeers(): Peers {
  const problem = compile('pair');
  if (problem !== null) return noPeers([`${BASELINE} and all native peers: ${problem}`]);
  const names: string[] = [BASELINE];
  const missing: string[] = [];
  for (const [name, library] of Object.entries(PRELOADED)) {
    // The loader continues without a library that it does not find, and prints a message.
    const { stderr } = spawnSync(`${BUILD}pair`, ['pair', '64', '1'], {
      encoding: 'utf8',
      env: { ...process.env, LD_PRELOAD: library },
    });
    if (stderr === '') names.push(name);
    else missing.push(`${name}: no ${library}`);
  }
  return { names, missing, run };
}

function run<Result>(peer: string, program: string, args: readonly string[]): Result {
  const problem = compile(program);
  if (problem !== null) throw new Error(`cannot run ${program} on ${peer}: ${problem}`);
  const library = PRELOADED[peer];
  return runJson(`${BUILD}${program}`, args, {
    variables: library === undefined ? {} : { LD_PRELOAD: library },
  });
}

/** Programs that this process compiled, or found to be new enough. */
const compiled = new Set<string>();

/** Compiles a program unless it is newer than its sources; returns the error, or null. */
export function compile(program: string): string | null {
  if (compiled.has(program)) return null;
  const source = `${SOURCES}${program}.c`;
  if (!existsSync(source)) return `there is no bench/native/${program}.c`;
  // Twins have no main function: the harness has it.
  const isTwin = !readFileSync(source, 'utf8').includes('int main(');
  const files = isTwin ? [source, `${SOURCES}harness.c`] : [source];
  const headers = readdirSync(SOURCES).filter((file) => file.endsWith('.h'));
  const parts = [...files, ...headers.map((file) => `${SOURCES}${file}`)];
  const newest = Math.max(...parts.map((part) => statSync(part).mtimeMs));
  const target = `${BUILD}${program}`;
  if (!existsSync(target) || statSync(target).mtimeMs < newest) {
    mkdirSync(BUILD, { recursive: true });
    // Under a temporary name until it is complete: another thread may be compiling it too.
    const unfinished = `${target}.${process.pid}-${performance.now()}`;
    const { error, status, stderr } = spawnSync('cc', [...FLAGS, '-o', unfinished, ...files], {
      encoding: 'utf8',
    });
    if (error !== undefined) return 'no C compiler (cc)';
    if (status !== 0) return `cc failed: ${stderr.trim()}`;
    renameSync(unfinished, target);
  }
  compiled.add(program);
  return null;
}

function unreachable(): never {
  throw new Error('no native peer to run');
}
