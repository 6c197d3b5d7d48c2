#!/usr/bin/env node
/**
 * The command line: `shmalloc COMMAND`.
 *
 * Exit codes: 0 done; 1 the run found something wrong; 2 the command line or its input is wrong.
 */

import { readFileSync } from 'node:fs';
import { inspect } from 'node:util';
import { messageOf } from '../base/index.js';
import { print, remark } from './output.js';
import { REPLAY_HELP, replayCommand } from './replay.js';
import { nearest, USAGE, UsageError } from './usage.js';

const HELP = `shmalloc: one heap in one SharedArrayBuffer for all threads of a Node program

  shmalloc replay [trace files] [options]   replay allocation traces of real programs
  shmalloc stress [options]                 use one heap from workers that are killed at random
  shmalloc help [command]                   this page, or a command's
  shmalloc version
`;

const HELPS: Record<string, () => string | Promise<string>> = {
  replay: () => REPLAY_HELP,
  stress: async () => (await loadStress()).STRESS_HELP,
};

/** @throws UsageError in the npm package, which has neither the command nor its workers */
async function loadStress(): Promise<typeof import('./stress.js')> {
  try {
    return await import('./stress.js');
  } catch (error) {
    if ((error as { code?: string }).code !== 'ERR_MODULE_NOT_FOUND') throw error;
    throw new UsageError('stress: this command is in the repository only, not in the npm package');
  }
}

async function main(args: readonly string[]): Promise<number> {
  const [command, ...rest] = args;
  switch (command) {
    case 'replay':
      return await replayCommand(rest);
    case 'stress':
      return await (await loadStress()).stressCommand(rest);
    case 'version':
    case '--version':
      print(
        JSON.parse(readFileSync(new URL('../../../package.json', import.meta.url), 'utf8')).version,
      );
      return 0;
    case undefined:
    case 'help':
    case '--help':
    case '-h':
      print((await HELPS[rest[0] ?? '']?.()) ?? HELP);
      return 0;
    default:
      throw new UsageError(
        `unknown command '${command}': ${nearest(command, ['replay', 'stress', 'version', 'help'])}`,
      );
  }
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  const code = (error as { code?: string }).code ?? '';
  // A mistake in the command line or its files is one line; any other error is a bug, with its
  // stack.
  const mistake = code === USAGE || /^ERR_(SHMALLOC|PARSE_ARGS)_/.test(code);
  remark(mistake ? `shmalloc: ${messageOf(error)}` : inspect(error));
  process.exitCode = 2;
}
