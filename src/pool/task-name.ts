/**
 * Task names: the module and the export that a task of a HeapPool runs, as one text.
 *
 * Main thread and workers. Piscina passes the text from one to the other as the name of an export:
 * worker-entry.cts recognizes it by its first character, `[`.
 */

import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { show, typeError } from '../base/index.js';

export interface TaskName {
  /** The module's URL. */
  readonly href: string;
  /** The name of its export. */
  readonly exported: string;
}

/** A module's URL and an export's name, as one text. */
export const writeTaskName = ({ href, exported }: TaskName): string =>
  JSON.stringify([href, exported]);

/** A task of the pool itself, which does nothing. */
export const WAKE_UP = '[]';

/** Reads the text that writeTaskName() wrote. */
export function readTaskName(text: string): TaskName {
  const [href, exported] = JSON.parse(text) as [string, string];
  return { href, exported };
}

/** The file of a module's URL; the URL itself if it is not a file URL. */
export const fileOf = (href: string): string =>
  href.startsWith('file:') ? decodeURIComponent(new URL(href).pathname) : href;

/**
 * The URL of a module given as URL, as text of a URL, or as path.
 * @throws TypeError ERR_SHMALLOC_INVALID_OPTION
 */
export function hrefOf(call: string, filename: unknown): string {
  if (typeof filename === 'string' && filename !== '') {
    if (/^(file|data):/.test(filename)) return new URL(filename).href;
    return pathToFileURL(resolve(filename)).href;
  }
  // An object with `href`, since a URL may come from another realm.
  const { href } = Object(filename) as { href?: unknown };
  if (typeof href === 'string') return href;
  throw typeError(
    'ERR_SHMALLOC_INVALID_OPTION',
    `${call}: filename must be the workers' module, as URL or path: ` +
      `new URL('./worker.js', import.meta.url); got ${show(filename)}`,
  );
}
