/**
 * The table of debug options, for SHMALLOC_HELP=1 and for the documentation.
 *
 * Used by debug-options.ts. Pure text, except for printHelp.
 */

import { getEnvironmentData, setEnvironmentData } from 'node:worker_threads';
import { table } from '../stats/index.js';
import type { OptionKind } from './option-kinds.js';
import { writeToStderr } from './sync-output.js';

/** The fields of an option that the table shows. */
interface Described {
  readonly kind: OptionKind<unknown>;
  readonly variable: string;
  readonly older: string;
  readonly meaning: string;
}

/**
 * Key in the environment data, which threads pass on to the threads they start: help was printed.
 */
const PRINTED = 'shmalloc:help';

/** Prints the table to stderr, unless this thread or one that started it already has. */
export function printHelp(
  options: readonly (readonly [name: string, option: Described])[],
  others: readonly Described[],
): void {
  if (getEnvironmentData(PRINTED) === true) return;
  setEnvironmentData(PRINTED, true);
  writeToStderr(renderHelp(options, others));
}

/** The table with two lines per option, so that each line fits a terminal. */
export function renderHelp(
  options: readonly (readonly [name: string, option: Described])[],
  others: readonly Described[],
): string {
  const all = [...options, ...others.map((option) => ['', option] as const)];
  const [heading = '', ...heads] = table([
    ['variable', 'option', 'elsewhere'],
    ...all.map(([name, { variable, kind, older }]) => [`${variable}=${kind.sample}`, name, older]),
  ]);
  const told = ({ kind, meaning }: Described): string =>
    kind.limit === '' ? meaning : `${meaning}; ${kind.limit}`;
  return [
    'Debug options of shmalloc: variables, or SharedHeap.create({ debug: { option: value } }).',
    'Variables override code. Their values when a heap is made hold for all its threads.',
    'On: 1, true, on, yes. Off: 0, false, off, no, or empty.',
    '',
    heading,
    ...heads.flatMap((head, i) => [head, `      ${told(all[i][1])}`]),
    '',
  ].join('\n');
}

/** The table in Markdown. */
export function renderMarkdown(
  options: readonly (readonly [name: string, option: Described])[],
  others: readonly Described[],
): string {
  const cell = (text: string): string => text.replaceAll('|', '\\|');
  const code = (text: string): string => (text === '' ? '' : `\`${cell(text)}\``);
  const row = (name: string, { variable, kind, older, meaning }: Described): string =>
    `| ${code(name)} | ${code(`${variable}=${kind.sample}`)} | ${cell(older)} | ${cell(meaning)} |`;
  return [
    '| option | variable | elsewhere | meaning |',
    '|---|---|---|---|',
    ...options.map(([name, option]) => row(name, option)),
    ...others.map((option) => row('', option)),
    '',
  ].join('\n');
}
