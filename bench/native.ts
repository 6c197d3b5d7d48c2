/**
 * The native peers: compiles bench/native/*.c, and runs them on glibc and, preloaded, on the other
 * allocators that this machine has. What is missing is named and left out.
 *
 * What the numbers do not show: C has no bounds checks, and its allocators know nothing of what
 * lies at an address; ours checks both. Theirs may take memory back to the system; ours cannot.
 */

import { spawnSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** The package's root, seen from dist/bench. */
export const ROOT = new URL('../../', import.meta.url);

const SOURCES = fileURLToPath(new URL('bench/native/', ROOT));
const BUILD = fileURLToPath(new URL('bench/native/build/', ROOT));
const PROGRAMS = ['pair', 'replay', 'growth'] as const;
const PRELOADED = {
  mimalloc: 'libmimalloc.so.2',
  jemalloc: 'libjemalloc.so.2',
  tcmalloc: 'libtcmalloc_minimal.so.4',
} as const;

export type Program = (typeof PROGRAMS)[number];
/** The system's own allocator: what ours is compared with. */
export const BASELINE = 'glibc';

export interface Peers {
  /** Names of the allocators that can be run; the baseline first. */
  readonly names: readonly string[];
  /** What is missing, in words. */
  readonly missing: readonly string[];
  /** Runs a program on a peer and reads the JSON that it prints. */
  run<Result>(peer: string, program: Program, args: readonly string[]): Result;
}

export function findPeers(): Peers {
  const problem = compile();
  if (problem !== null) {
    const missing = [`${BASELINE} and all native peers: ${problem}`];
    return { names: [], missing, run: () => unreachable() };
  }
  const names: string[] = [BASELINE];
  const missing: string[] = [];
  for (const [name, library] of Object.entries(PRELOADED)) {
    const { stderr } = start('pair', ['pair', '64', '1'], library);
    // The loader goes on without a library that it does not find, and says so.
    if (stderr === '') names.push(name);
    else missing.push(`${name}: no ${library}`);
  }
  return { names, missing, run };
}

/** Compiles the programs; what went wrong, or null. */
function compile(): string | null {
  mkdirSync(BUILD, { recursive: true });
  for (const program of PROGRAMS) {
    const args = [
      '-O2',
      '-fno-builtin',
      '-pthread',
      '-o',
      `${BUILD}${program}`,
      `${SOURCES}${program}.c`,
    ];
    const { error, status, stderr } = spawnSync('cc', args, { encoding: 'utf8' });
    if (error !== undefined) return 'no C compiler (cc)';
    if (status !== 0) return `cc failed: ${stderr.trim()}`;
  }
  return null;
}

function run<Result>(peer: string, program: Program, args: readonly string[]): Result {
  const library = (PRELOADED as Record<string, string | undefined>)[peer];
  const { status, stdout, stderr } = start(program, args, library);
  if (status !== 0) throw new Error(`${program} ${args.join(' ')} on ${peer} failed: ${stderr}`);
  return JSON.parse(stdout) as Result;
}

function start(program: Program, args: readonly string[], library: string | undefined) {
  const { LD_PRELOAD: _, ...env } = process.env;
  return spawnSync(`${BUILD}${program}`, args, {
    encoding: 'utf8',
    env: library === undefined ? env : { ...env, LD_PRELOAD: library },
  });
}

function unreachable(): never {
  throw new Error('no native peer to run');
}

/** Runs a module of this program in a node process of its own and reads the JSON that it prints. */
export function runNode<Result>(
  module: URL,
  args: readonly string[],
  variables: Readonly<Record<string, string>> = {},
): Result {
  const { status, stdout, stderr } = spawnSync(process.execPath, [fileURLToPath(module), ...args], {
    encoding: 'utf8',
    env: { ...process.env, ...variables },
    maxBuffer: 64 * 2 ** 20,
  });
  if (status !== 0) throw new Error(`${module} ${args.join(' ')} failed: ${stderr}`);
  return JSON.parse(stdout) as Result;
}
