/**
 * An instrumented copy of the built library: every comment `point: name` of the source becomes a
 * call of a hook with that name, just before the store that follows it.
 *
 * Ordinary builds have only the comments, so that points cost them nothing.
 *
 * I1  A marker is a line of its own before a statement. The copy has all markers of the source
 *     (points.test.ts).
 */

import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const BUILT = fileURLToPath(new URL('../../src/', import.meta.url));
const SOURCE = fileURLToPath(new URL('../../../src/', import.meta.url));
const MARKER = /^([ \t]*)\/\/ point: ([\w.]+)$/gm;

/** The hook that an instrumented copy calls: `globalThis.shmallocPoint`. */
export type PointHook = (name: string) => void;

declare global {
  var shmallocPoint: PointHook;
}

export interface Instrumented {
  /** The folder of the copy, as a base for URLs: `new URL('heap/index.js', url)`. */
  readonly url: URL;
  /** All points in it, sorted. */
  readonly names: readonly string[];
  remove(): void;
}

/** The names of all markers in a folder's files, sorted, each once. */
export function pointsIn(folder: string, ending: string): string[] {
  const names = new Set<string>();
  for (const file of filesOf(folder, ending)) {
    for (const match of readFileSync(file, 'utf8').matchAll(MARKER)) names.add(match[2] as string);
  }
  return [...names].sort();
}

export const pointsInSource = (): string[] => pointsIn(SOURCE, '.ts');

/**
 * Makes a copy in a temporary folder.
 * @param replace modules to replace: path in src/ to source text
 */
export function instrument(replace: Record<string, string> = {}): Instrumented {
  const folder = mkdtempSync(join(tmpdir(), 'shmalloc-points-'));
  cpSync(BUILT, folder, { recursive: true });
  writeFileSync(join(folder, 'package.json'), '{ "type": "module" }');
  const names = pointsIn(folder, '.js');
  for (const file of filesOf(folder, '.js')) {
    const text = readFileSync(file, 'utf8');
    const marked = text.replace(MARKER, "$1globalThis.shmallocPoint('$2');");
    if (marked !== text) writeFileSync(file, marked);
  }
  for (const [path, text] of Object.entries(replace)) writeFileSync(join(folder, path), text);
  globalThis.shmallocPoint ??= () => {};
  return {
    url: pathToFileURL(`${folder}/`),
    names,
    remove: () => rmSync(folder, { recursive: true }),
  };
}

function filesOf(folder: string, ending: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith(ending) && !path.endsWith('.d.ts'))
    .map((path) => join(folder, path));
}
