/**
 * Checks of what callers give to the pictures, so that a wrong value is reported here and does not
 * fail somewhere deeper.
 *
 * Used by text.ts, svg.ts and html.ts. Pure functions.
 */

import { lookAt, readOptions, show, TEXT, typeError, wholeFrom } from '../base/index.js';
import type { HeapMap } from '../inspect/index.js';

/**
 * Runs `draw`. A value with the shape of a map may contain anything: whatever fails inside is
 * reported as a map that cannot be drawn.
 * @throws TypeError ERR_SHMALLOC_INVALID_OPTION
 */
export const drawing = (call: string, draw: () => string): string => lookAt(call, 'the map', draw);

/** @throws TypeError ERR_SHMALLOC_INVALID_OPTION */
export function checkMap(call: string, map: unknown): asserts map is HeapMap {
  if (!isMap(map))
    throw refused(
      `${call}: the map must be one that heap.inspect.map() returned, got ${show(map)}`,
    );
}

/** @throws TypeError ERR_SHMALLOC_INVALID_OPTION */
export function checkFrames(call: string, frames: readonly unknown[]): void {
  if (frames.length === 0) throw refused(`${call}: no map to draw`);
  frames.forEach((frame, n) => {
    const { map, label } = (frame ?? {}) as { map?: unknown; label?: unknown };
    if (isMap(map) && typeof label === 'string') return;
    const got = isMap(frame)
      ? 'a map without a label'
      : isMap(map)
        ? `the label ${show(label)}`
        : show(frame);
    throw refused(
      `${call}: each of several maps must be { map, label: 'text' }, got ${got} at ${n}`,
    );
  });
}

const TITLE = { title: TEXT };
const TITLE_DEFAULT = 'Heap map';

/**
 * The title above a picture.
 * @throws TypeError ERR_SHMALLOC_INVALID_OPTION
 */
export const readTitle = (call: string, options: { title?: string | undefined }): string =>
  readOptions(call, options, TITLE).title ?? TITLE_DEFAULT;

/**
 * Minimum and maximum width of an SVG picture, in pixels; the minimum is that of a phone's window.
 */
const [SVG_PX_MIN, SVG_PX_MAX] = [360, 1280];
const SVG = {
  ...TITLE,
  width: wholeFrom(
    `a whole number from ${SVG_PX_MIN} to ${SVG_PX_MAX} (an SVG scales to any size without loss: ` +
      'give the width of its layout here, and the size to its <img>)',
    SVG_PX_MIN,
    SVG_PX_MAX,
  ),
};

/** @throws TypeError, RangeError ERR_SHMALLOC_INVALID_OPTION */
export function readSvgOptions(
  options: { title?: string | undefined; width?: number | undefined },
  usual: number,
): { title: string; width: number } {
  return { title: TITLE_DEFAULT, width: usual, ...readOptions('renderSvg', options, SVG) };
}

const refused = (message: string): TypeError => typeError('ERR_SHMALLOC_INVALID_OPTION', message);

/** Checks the shape only: a map may have been posted, or read from a file. */
function isMap(given: unknown): given is HeapMap {
  if (typeof given !== 'object' || given === null) return false;
  const { base, end, dataStart, metadata, runs, zones } = given as Partial<HeapMap>;
  return (
    [base, end, dataStart].every((address) => typeof address === 'number') &&
    Array.isArray(metadata) &&
    Array.isArray(runs) &&
    typeof zones === 'object' &&
    zones !== null
  );
}
