/**
 * Pictures of a replay: the operations after which workers take maps of the heap, and the files
 * made of the maps.
 *
 * Used by replay.ts. A trace ends with an empty heap, so a map at its end would show nothing. But
 * traces are known beforehand: each is stopped for a moment at the operation at which it holds most
 * and, for a film, at operations evenly spread over the run. The worker does this itself in the
 * first replay of a trace; the time for it is not counted.
 */

import { closeSync, openSync, writeFileSync } from 'node:fs';
import type { MapTaken, MapWanted } from '../../workers/replay-camera.js';
import type { ReplayResult } from '../../workers/replay-worker.js';
import type { SharedHeap } from '../api/index.js';
import { printable } from '../base/index.js';
import type { HeapMap } from '../inspect/index.js';
import { type MapFrame, renderHtml, renderSvg, renderText } from '../render/index.js';
import { formatCount } from '../stats/index.js';
import type { Trace } from '../trace/index.js';
import { print } from './output.js';
import { UsageError, wholeNumber } from './usage.js';

/** The requested pictures. */
export interface PictureOptions {
  readonly show: boolean;
  readonly svg: string | undefined;
  readonly html: string | undefined;
  /** Maps for the page's slider; 0 = only the map at which the heap held most. */
  readonly frames: number;
}

const FRAMES_MAX = 500;

/**
 * Reads and checks the options. Files are opened too, so that a wrong name is reported before a
 * long run and not after it.
 */
export function readPictureOptions(values: {
  readonly show: boolean;
  readonly json: boolean;
  readonly svg?: string | undefined;
  readonly html?: string | undefined;
  readonly frames?: string | undefined;
}): PictureOptions {
  const { show, svg, html } = values;
  if (show && values.json) {
    throw new UsageError('--show does not go with --json: stdout holds the result alone then');
  }
  if (values.frames !== undefined && html === undefined) {
    throw new UsageError('--frames goes with --html FILE: only the page has a slider for them');
  }
  if (svg !== undefined && svg === html) {
    throw new UsageError(`--svg and --html would both write ${svg}`);
  }
  const frames =
    values.frames === undefined ? 0 : wholeNumber('frames', values.frames, 1, FRAMES_MAX);
  return { show, svg, html, frames };
}

/** Fails if a picture could not be written. */
export function checkPictureFiles({ svg, html }: PictureOptions): void {
  for (const [option, file] of [
    ['--svg', svg],
    ['--html', html],
  ] as const) {
    if (file !== undefined) attempt(option, file, () => closeSync(openSync(file, 'a')));
  }
}

function attempt(option: string, file: string, write: () => void): void {
  try {
    write();
  } catch (error) {
    throw new UsageError(`${option}: cannot write ${file}: ${(error as Error).message}`);
  }
}

/** For each task, the operation counts at which its worker takes a map, ascending. */
export function planMaps(tasks: readonly Trace[], options: PictureOptions): MapWanted[][] {
  const { show, svg, html, frames } = options;
  const isMostWanted = show || svg !== undefined || (html !== undefined && frames === 0);
  const total = tasks.reduce((sum, trace) => sum + trace.operations, 0);
  let before = 0;
  return tasks.map((trace) => {
    const wanted: MapWanted[] = [];
    if (isMostWanted) wanted.push({ after: trace.peakOperations, why: 'most' });
    for (let n = 0; n < frames; n++) {
      // The middle of the n-th part of the run.
      const after = Math.floor(((n + 0.5) * total) / frames) - before;
      if (after >= 0 && after < trace.operations) wanted.push({ after, why: 'frame' });
    }
    before += trace.operations;
    return wanted.sort((a, b) => a.after - b.after);
  });
}

interface Moment extends MapFrame {
  readonly taken: MapTaken;
}

/** Writes the requested pictures. */
export function drawPictures(
  options: PictureOptions,
  heap: SharedHeap,
  tasks: readonly Trace[],
  results: readonly ReplayResult[],
): void {
  const { show, svg, html, frames } = options;
  if (!show && svg === undefined && html === undefined) return;
  const moments = results.flatMap(({ maps }, n) => maps.map((taken) => momentOf(tasks[n], taken)));
  const film = moments
    .filter(({ taken }) => taken.why !== 'most')
    .sort((a, b) => a.taken.atMs - b.taken.atMs);
  const most: MapFrame = moments
    .filter(({ taken }) => taken.why !== 'frame')
    .reduce<MapFrame>((a, b) => (liveBytes(b.map) > liveBytes(a.map) ? b : a), {
      map: heap.inspect.map(),
      label: 'the end of the replay',
    });
  const title = `Heap map: ${most.label}`;
  if (svg !== undefined) save('--svg', svg, renderSvg(most.map, { title }));
  if (html !== undefined) {
    const page =
      frames > 0 && film.length > 0
        ? renderHtml(film, { title: 'Heap map: a replay' })
        : renderHtml([most], { title });
    save('--html', html, page);
  }
  if (show) print(`\nThe heap when it held most: ${most.label}\n\n${toTerminal(most.map)}`);
}

function momentOf({ name, operations }: Trace, taken: MapTaken): Moment {
  const full = taken.why === 'full' ? ', the heap is full' : '';
  const label = `${printable(name)}, after operation ${formatCount(taken.after)} of ${formatCount(operations)}`;
  return { map: taken.map, label: label + full, taken };
}

const liveBytes = ({ zones: { tiny, small, large } }: HeapMap): number =>
  tiny.liveBytes + small.liveBytes + large.liveBytes;

const save = (option: string, file: string, text: string): void =>
  attempt(option, file, () => writeFileSync(file, text));

function toTerminal(map: HeapMap): string {
  const { stdout } = process;
  if (!stdout.isTTY) return renderText(map);
  const width = Math.max(stdout.columns || 80, 40);
  return renderText(map, { color: stdout.hasColors(256), width });
}
