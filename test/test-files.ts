/**
 * The files of tests, and which of them a configuration of ava runs: for quick.ts, together/ and
 * sizes.test.ts. By the sources: in dist there may be files of an earlier build.
 */

import { readdirSync } from 'node:fs';

const ROOT = new URL('../../', import.meta.url);

/** The files of a configuration of ava, by its patterns; those with `!` take some away. */
export async function filesOf(config: string): Promise<string[]> {
  const { default: settings } = await import(new URL(config, ROOT).href);
  const patterns: string[] = settings.files;
  const matches = (path: string, pattern: string) => asExpression(pattern).test(path);
  return allFiles.filter((path) => {
    const isOut = patterns.some((one) => one.startsWith('!') && matches(path, one.slice(1)));
    return !isOut && patterns.some((one) => !one.startsWith('!') && matches(path, one));
  });
}

/** Of the patterns that ava.*.config.js have: `**` are folders, `*` is part of a name. */
function asExpression(pattern: string): RegExp {
  const parts = pattern.split(/(\*\*\/?|\*)/).map((part) => {
    if (part === '**/') return '(?:.*/)?';
    if (part === '**') return '.*';
    return part === '*' ? '[^/]*' : part.replaceAll('.', '\\.');
  });
  return new RegExp(`^${parts.join('')}$`);
}

/** All files of tests, as they are built. */
export const allFiles = readdirSync(new URL('test', ROOT), { recursive: true, encoding: 'utf8' })
  .filter((path) => path.endsWith('.test.ts'))
  .map((path) => `dist/test/${path.replaceAll('\\', '/').replace(/\.ts$/, '.js')}`)
  .sort();

/** The files of a folder of test/ that share a process: all but the long ones and those that must be alone. */
export function filesTogether(folder: string): string[] {
  const start = folder === '.' ? 'dist/test/' : `dist/test/${folder}/`;
  const isApart = (path: string) => /\.(alone|long)\.test\.js$/.test(path);
  return allFiles.filter(
    (path) => path.slice(0, path.lastIndexOf('/') + 1) === start && !isApart(path),
  );
}
