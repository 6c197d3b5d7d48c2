/**
 * The map as a page: the cells on a canvas, with a tip for the place under the pointer, and for
 * several maps a slider over time.
 *
 * Used by the command line and by programs. Pure text, any thread. The page is one file: it has its
 * data as JSON, its program is page-script.ts, and it loads nothing.
 */

import { type HeapMap, isSpan, type MapRun } from '../inspect/index.js';
import { cellRule } from './cells.js';
import { checkFrames, checkMap, drawing, readTitle } from './check.js';
import { classesPanel } from './class-chart.js';
import { figuresOf } from './figures.js';
import { type Frame, frameOf, gapText, marksOf, scaleText } from './frame.js';
import { escapeText, HATCH, px, SCHEMES, STYLE } from './markup.js';
import { PAGE_SCRIPT } from './page-script.js';
import { PAGE_STYLE } from './page-style.js';
import { COLORS } from './palette.js';
import { figuresPanel, legendPanel } from './panels.js';
import { describe } from './svg.js';

/** A map at one moment of a run. */
export interface MapFrame {
  readonly map: HeapMap;
  /** Text for this moment. */
  readonly label: string;
}

export interface HtmlOptions {
  /** Title above the picture. Default `Heap map`. */
  title?: string | undefined;
}

/** Maximum lines of cells; if more are needed, a cell stands for more pages. */
const LINES_MAX = 160;
/**
 * Widths of the layouts, in pixels: for a phone, for half a screen, for a whole one. The page uses
 * the widest layout that fits its window, and enlarges it if there is more space.
 */
const WIDTHS = [360, 700, 1216] as const;
/** Maximum enlargement: larger letters look wrong. */
const SCALE_MAX = 1.4;
/** The letter of the first ink: it and the letters after it have no meaning in HTML or JSON. */
const LETTER = ']'.charCodeAt(0);

if (LETTER + COLORS.length > 0x7f) throw new Error('html: more inks than letters');

/**
 * Draws a map, or several of one heap as a film, as an HTML page without external resources.
 * The page begins with the frame that has the most bytes in live blocks.
 * @param maps a map, or frames in the order of time
 * @returns the page: about 80 KiB, plus for each further map 60 KiB and about 10 bytes a run
 * @throws TypeError, RangeError ERR_SHMALLOC_INVALID_OPTION: no map, or maps of different heaps
 *
 * Threads: any. Cost: a few milliseconds per map; about 170 for a full heap of 1 GiB.
 */
export function renderHtml(maps: HeapMap | readonly MapFrame[], options: HtmlOptions = {}): string {
  return drawing('renderHtml', () => drawHtml(maps, options));
}

function drawHtml(maps: HeapMap | readonly MapFrame[], options: HtmlOptions): string {
  const frames = framesOf(maps);
  const title = readTitle('renderHtml', options);
  const data = dataOf(frames);
  // Escaped, so that no end tag and no comment can begin in the data.
  const json = JSON.stringify(data).replace(/</g, '\\u003c');
  return [
    '<!doctype html>',
    '<html lang="en">',
    '<head>',
    '<meta charset="utf-8">',
    '<meta name="viewport" content="width=device-width, initial-scale=1">',
    '<link rel="icon" href="data:,">',
    `<title>${escapeText(title)}</title>`,
    `<style>${STYLE}\n${PAGE_STYLE}</style>`,
    '</head>',
    '<body>',
    `<svg width="0" height="0" aria-hidden="true" style="position:absolute">${HATCH}</svg>`,
    `<main style="max-width:${WIDTHS[2] * SCALE_MAX}px">`,
    `<h1>${escapeText(title)}</h1>`,
    '<p class="about"><span id="about"></span>; <span id="scale"></span></p>',
    frames.length > 1 ? controls(frames.length) : '',
    '<div id="pictures">',
    '<div class="stage"><canvas id="map" role="img" aria-label="The heap page by page"></canvas>',
    '<canvas id="over" aria-hidden="true"></canvas></div>',
    '<div id="panels"></div>',
    '</div>',
    '</main>',
    '<div id="tip" role="status" hidden></div>',
    `<script type="application/json" id="data">${json}</script>`,
    `<script>${PAGE_SCRIPT}</script>`,
    '</body>',
    '</html>',
    '',
  ].join('\n');
}

function framesOf(maps: HeapMap | readonly MapFrame[]): readonly MapFrame[] {
  if (isFrames(maps)) {
    checkFrames('renderHtml', maps);
    return maps;
  }
  checkMap('renderHtml', maps);
  return [{ map: maps, label: '' }];
}

const isFrames = (maps: HeapMap | readonly MapFrame[]): maps is readonly MapFrame[] =>
  Array.isArray(maps);

const controls = (frames: number): string =>
  '<div class="controls"><button id="play" type="button">Play</button>' +
  `<input id="time" type="range" min="0" max="${frames - 1}" step="1" aria-label="Frame">` +
  '<output id="label" for="time"></output></div>';

/** The data for page-script.ts. */
function dataOf(frames: readonly MapFrame[]) {
  const maps = frames.map(({ map }) => map);
  const [first] = maps;
  const live = maps.map(({ zones }) => figuresLive(zones));
  const layouts = WIDTHS.map((width) => frameOf(maps, width, LINES_MAX));
  return {
    start: live.indexOf(Math.max(...live)),
    scaleMax: SCALE_MAX,
    pageBytes: first.pageBytes,
    dataStart: first.dataStart,
    end: first.end,
    letter: LETTER,
    ownedCode: OWNED_CODE,
    inks: COLORS.map(({ zone, light, dark }) => ({ zone, light, dark })),
    schemes: SCHEMES,
    classes: classTable(maps),
    regions: first.metadata.map(({ name, address, bytes }) => [name, address, bytes]),
    layouts: layouts.map(layoutData),
    frames: frames.map(({ map, label }, n) => ({
      label,
      about: describe(map),
      runs: map.runs.flatMap((run) => packRun(run, map.pageBytes)),
      layouts: layouts.map((frame) => ({
        cells: lettersOf(frame, n),
        gaps: frame.grid.lines.map((line) => (line.rows > 1 ? gapText(frame, line, n) : '')),
        marks: marksOf(frame, map),
        panels: panelsOf(map, frame),
      })),
    })),
  };
}

/** The part of a layout that is the same in all frames. */
function layoutData(frame: Frame) {
  const { grid, tops, heights, width, left, right, height, cellPx, cellsPx } = frame;
  return {
    ...{ width, left, right, height, cellPx, cellsPx },
    scale: scaleText(frame),
    columns: grid.columns,
    cellBytes: grid.cellBytes,
    lines: grid.lines.map(({ address, rows }, i) => [address, rows, tops[i], heights[i]]),
  };
}

const figuresLive = ({ tiny, small, large }: HeapMap['zones']): number =>
  tiny.liveBytes + small.liveBytes + large.liveBytes;

/** Lines of cells as letters; a gap is one letter. */
function lettersOf({ grid }: Frame, map: number): string[] {
  return grid.lines.map(({ cell, rows }) => {
    const cells = grid.inks[map].subarray(cell, cell + (rows > 1 ? 1 : grid.columns));
    return String.fromCharCode(...cells.map((ink) => LETTER + ink));
  });
}

/** Codes of runs that are not spans: numbers that are not size classes. */
const PLAIN_CODES = { large: 0, free: -1, untouched: -2, reserved: -3 } as const;
const OWNED_CODES = { context: -4, vector: -5 } as const;
/**
 * Added to the size class of a span that has blocks of contexts or vectors: their counts follow.
 */
const OWNED_CODE = 100;

/**
 * A run as numbers: pages, then its size class, live and cached blocks and, if there are any,
 * blocks of contexts and of vectors; a run that is not a span has its code in place of these.
 */
function packRun(run: MapRun, pageBytes: number): number[] {
  const pages = run.bytes / pageBytes;
  if (!isSpan(run)) {
    return [pages, run.owned === undefined ? PLAIN_CODES[run.zone] : OWNED_CODES[run.owned]];
  }
  const { sizeClass, live, cached, contexts, vectors } = run;
  if (contexts + vectors === 0) return [pages, sizeClass, live, cached];
  return [pages, OWNED_CODE + sizeClass, live, cached, contexts, vectors];
}

/** For each class in the maps: zone, bytes of a block, blocks of a span. */
function classTable(maps: readonly HeapMap[]): Record<number, [string, number, number]> {
  const classes: Record<number, [string, number, number]> = {};
  for (const map of maps) {
    for (const run of map.runs) {
      if (isSpan(run)) classes[run.sizeClass] ??= [run.zone, run.blockBytes, run.blocks];
    }
  }
  return classes;
}

function panelsOf(map: HeapMap, { width, grid }: Frame): string {
  const figures = figuresOf(map);
  return [
    legendPanel(map, width, cellRule(grid)),
    figuresPanel(figures, width),
    classesPanel(figures, width),
  ]
    .map(({ svg, height }) => `<svg viewBox="0 -2 ${width} ${px(height + 2)}">${svg}</svg>`)
    .join('');
}
