/** Other Node versions on this machine, which npm fetches as packages. */

import { spawnSync } from 'node:child_process';

export interface NodeVersion {
  /** Name in tables: `Node 24`. */
  readonly label: string;
  /** The version that it reports: `v24.1.0`. */
  readonly version: string;
  readonly executable: string;
}

/** @throws Error if npm cannot fetch it */
export function findNode(wanted: string): NodeVersion {
  const say = 'console.log(JSON.stringify([process.execPath, process.version]))';
  const { status, stdout, stderr } = spawnSync(
    'npm',
    ['exec', '--yes', `--package=node@${wanted}`, '--', 'node', '-e', say],
    { encoding: 'utf8' },
  );
  if (status !== 0) throw new Error(`npm has no node@${wanted}: ${stderr?.trim()}`);
  const [executable, version] = JSON.parse(stdout.trim().split('\n').at(-1) ?? '') as [
    string,
    string,
  ];
  return { label: `Node ${wanted}`, version, executable };
}
