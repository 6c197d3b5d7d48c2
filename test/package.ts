/** The npm package as `npm pack` makes it, without a change of the build that runs the tests. */

import { execFileSync } from 'node:child_process';
import { cpSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));

export interface Packed {
  /** Bytes of the tarball. */
  readonly size: number;
  readonly filename: string;
  readonly files: readonly { readonly path: string; readonly size: number }[];
}

/**
 * Packs the package in a folder.
 * @param folder an empty one; it gets the bundles, the tarball, and what the package depends on
 */
export function packInto(folder: string): Packed {
  for (const path of ['package.json', 'README.md', 'LICENSE', 'CHANGELOG.md', 'docs'])
    cpSync(join(ROOT, path), join(folder, path), { recursive: true });
  const run = (command: string, args: readonly string[], cwd: string): string =>
    execFileSync(command, args, { cwd, encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] });
  run(process.execPath, ['bundle.js', join(folder, 'dist')], ROOT);
  const [packed] = JSON.parse(
    run('npm', ['pack', '--json', '--ignore-scripts'], folder),
  ) as Packed[];
  symlinkSync(join(ROOT, 'node_modules'), join(folder, 'node_modules'));
  return packed as Packed;
}
