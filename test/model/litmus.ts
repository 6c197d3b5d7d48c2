/**
 * The litmus tests: the description in each file of test/model/litmus, and herd7, which runs them.
 *
 * A file is a test in herd7's own format with a line `Expect=Never` (what `exists` describes must
 * not happen) or `Expect=Sometimes` (it happens, and the documentation says why that does no harm,
 * or the file is named `...-was`: it shows a former fault).
 */

import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const FOLDER = new URL('../../../test/model/litmus/', import.meta.url);

/** The model of herd7 for each architecture. */
const MODELS: Readonly<Record<string, string>> = { AArch64: 'aarch64.cat', X86: 'x86tso.cat' };

export interface Litmus {
  readonly name: string;
  readonly architecture: string;
  /** A sentence about what may happen. */
  readonly says: string;
  readonly expect: string;
}

/** All litmus tests, by name. */
export function readLitmus(): Litmus[] {
  const files = readdirSync(FOLDER).filter((file) => file.endsWith('.litmus'));
  return files.sort().map((file) => {
    const text = readFileSync(new URL(file, FOLDER), 'utf8');
    const head = /^(\w+) (\S+)\n"(.+)"\nExpect=(\w+)\n/.exec(text);
    if (head === null)
      throw new Error(`${file}: architecture, name, sentence or Expect is missing`);
    const [, architecture = '', name = '', says = '', expect = ''] = head;
    if (`${name}.litmus` !== file) throw new Error(`${file} calls itself ${name}`);
    return { name, architecture, says, expect };
  });
}

/** A test's name in the documentation: the same for both kinds of atomic change. */
export const familyOf = (name: string): string => name.replace(/-(?:lse|llsc)$/, '');

/** The command that runs herd7, from SHMALLOC_HERD or the PATH; null = none. */
export function findHerd(): string[] | null {
  const command = (process.env.SHMALLOC_HERD || 'herd7').split(' ');
  try {
    execFileSync(command[0] as string, ['-version'], { stdio: 'ignore' });
    return command;
  } catch {
    if (process.env.SHMALLOC_HERD) throw new Error(`SHMALLOC_HERD: cannot run ${command[0]}`);
    return null;
  }
}

/** Runs tests of one architecture; returns herd7's result (Never, Sometimes or Always) by name. */
export function runHerd(herd: readonly string[], tests: readonly Litmus[]): Map<string, string> {
  const [program = '', ...options] = herd;
  const model = MODELS[tests[0]?.architecture ?? ''] ?? 'none';
  const files = tests.map(({ name }) => fileURLToPath(new URL(`${name}.litmus`, FOLDER)));
  const output = execFileSync(program, [...options, '-model', model, ...files], {
    encoding: 'utf8',
    maxBuffer: 2 ** 26,
  });
  const observed = output.matchAll(/^Observation (\S+) (\w+)/gm);
  return new Map([...observed].map(([, name = '', what = '']) => [name, what]));
}
