/**
 * The map as an SVG picture.
 *
 * Used by the command line and by programs. Pure text, any thread. Neighbouring cells that look the
 * same are one rectangle; a grid of lines over them makes them cells again.
 */

import { hex } from '../base/index.js';
import { formatBytes, type HeapMap } from '../observe/index.js';
import { cellRule, type Line, stretches } from './cells.js';
import { checkMap, drawing, readTitle } from './check.js';
import { figuresOf } from './figures.js';
import {
  CELLS_PX,
  type Frame,
  frameOf,
  gapText,
  LEFT_PX,
  marksOf,
  PICTURE_PX,
  scaleText,
} from './frame.js';
import { INKS, inkOf } from './inks.js';
import { escapeText, HATCH, inkClass, label, px, rect, STYLE } from './markup.js';
import { classesPanel, figuresPanel, legendPanel, type Panel } from './panels.js';

export interface SvgOptions {
  /** Stands above the picture. Default `Heap map`. */
  title?: string;
}

/** More lines of cells than that, and a cell stands for more pages. */
const LINES_MAX = 128;
const MARGIN_PX = 24;
const TITLE_PX = 64;
const SPACE_PX = 32;

/**
 * Draws a map as an SVG document: the address space in rows, one cell a page (or, where it says so,
 * several), with the frontiers, a legend, how the heap does, and its size classes. It follows the
 * reader's light or dark scheme, and needs nothing from outside.
 * @returns the document, some 10 to 1,000 KiB
 * @throws TypeError ERR_SHMALLOC_INVALID_OPTION
 *
 * Threads: any. Cost: some milliseconds; about 60 for a full heap of 1 GiB.
 */
export function renderSvg(map: HeapMap, options: SvgOptions = {}): string {
  return drawing('renderSvg', () => drawSvg(map, options));
}

function drawSvg(map: HeapMap, options: SvgOptions): string {
  checkMap('renderSvg', map);
  const title = readTitle('renderSvg', options);
  const frame = frameOf([map], LINES_MAX);
  const figures = figuresOf(map);
  const panels = [
    legendPanel(map, PICTURE_PX, cellRule(frame.grid)),
    figuresPanel(figures, PICTURE_PX),
    classesPanel(figures, PICTURE_PX),
  ];
  const stacked = stack(panels, TITLE_PX + frame.height + SPACE_PX);
  const width = PICTURE_PX + 2 * MARGIN_PX;
  const height = stacked.bottom + 2 * MARGIN_PX;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${px(height)}" ` +
      `width="${width}" height="${px(height)}" role="img">`,
    `<title>${escapeText(title)}</title>`,
    `<style>${STYLE}</style>${HATCH}`,
    rect('page', 0, 0, width, height),
    `<g transform="translate(${MARGIN_PX} ${MARGIN_PX})">`,
    label('text title', 0, 18, title),
    label('dim', 0, 42, `${describe(map)}; ${scaleText(frame)}`),
    `<g transform="translate(0 ${TITLE_PX})">`,
    ...cellsOf(frame),
    ...marks(frame, map),
    '</g>',
    stacked.svg,
    '</g>',
    '</svg>',
    '',
  ].join('\n');
}

/** Where the heap is, and its frontiers. */
export const describe = (map: HeapMap): string =>
  `${formatBytes(map.end - map.base)}, ${hex(map.base)} to ${hex(map.end)}; ` +
  `brk ${hex(map.brk)}, map frontier ${hex(map.mapFrontier)}`;

/** Panels one below the other. */
function stack(panels: readonly Panel[], top: number): { svg: string; bottom: number } {
  let bottom = top;
  const parts = panels.map(({ svg, height }) => {
    const part = `<g transform="translate(0 ${px(bottom)})">${svg}</g>`;
    bottom += height + SPACE_PX;
    return part;
  });
  return { svg: parts.join('\n'), bottom: bottom - SPACE_PX };
}

function cellsOf(frame: Frame): string[] {
  const { grid, tops, heights, cellPx } = frame;
  const bands = grid.lines.map((line, i) =>
    line.rows > 1 ? band(frame, line, tops[i], heights[i]) : row(frame, line, tops[i]),
  );
  const rows = grid.lines
    .map((line, i) => (line.rows > 1 ? '' : columnLines(frame, tops[i])))
    .join('');
  const lines = tops
    .slice(1)
    .map((top) => `M0 ${top}H${CELLS_PX}`)
    .join('');
  return [
    `<g class="cells" data-pages-per-cell="${grid.pagesPerCell}" transform="translate(${LEFT_PX} 0)">`,
    ...bands,
    rect('line', -0.5, -0.5, CELLS_PX + 1, frame.height + 1),
    `<path class="gridline" stroke-width="${cellPx / 16 + 0.5}" d="${rows}${lines}"/>`,
    '</g>',
    ...addresses(frame),
  ];
}

/** Lines between the cells of a row. */
function columnLines({ grid, cellPx }: Frame, top: number): string {
  let path = '';
  for (let column = 1; column < grid.columns; column++) {
    path += `M${column * cellPx} ${top}v${cellPx}`;
  }
  return path;
}

function row({ grid, cellPx }: Frame, line: Line, top: number): string {
  let svg = '';
  for (const [column, cells, ink] of stretches(grid, line)) {
    if (INKS[ink].zone === 'outside') continue;
    svg += inked(ink, column * cellPx, top, cells * cellPx, cellPx);
  }
  return svg;
}

/** A gap: a band of its ink, with what it stands for on a plate in its middle. */
function band(frame: Frame, line: Line, top: number, height: number): string {
  const { grid } = frame;
  const text = gapText(frame, line, 0);
  const plate = text.length * 6.6 + 20;
  return (
    inked(grid.inks[0][line.cell], 0, top, CELLS_PX, height) +
    `<rect class="page" rx="8" x="${px((CELLS_PX - plate) / 2)}" y="${top + 4}" ` +
    `width="${px(plate)}" height="${height - 8}"/>` +
    label('dim small middle', CELLS_PX / 2, top + height / 2 + 4, text)
  );
}

/** A rectangle in an ink, hatched where it is free. */
const inked = (ink: number, x: number, y: number, width: number, height: number): string =>
  rect(inkClass(ink), x, y, width, height) +
  (ink === inkOf('free') ? rect('free', x, y, width, height) : '');

/** The address of each line, where there is room to write it. */
function addresses({ grid, tops, heights }: Frame): string[] {
  let next = 0;
  return grid.lines.map((line, i) => {
    const middle = tops[i] + heights[i] / 2;
    const isRound = i === 0 || line.rows > 1 || grid.lines[i - 1].rows > 1;
    // Round ones have their place kept for them.
    if (middle < next || (!isRound && grid.lines[i + 1]?.rows > 1)) return '';
    next = middle + 14;
    return label('dim mono end', LEFT_PX - 10, middle + 4, hex(Math.max(line.address, 0)));
  });
}

/** The frontiers: a stroke through the row, and the name beside it. */
function marks(frame: Frame, map: HeapMap): string[] {
  let next = Number.NEGATIVE_INFINITY;
  return marksOf(frame, map).map(({ name, x, y, height }) => {
    const textY = Math.max(y + height / 2 + 4, next);
    next = textY + 13;
    return (
      rect('mark', LEFT_PX + x - 1.25, y - 3, 2.5, height + 6) +
      label('mark small', LEFT_PX + CELLS_PX + 10, textY, `◂ ${name}`)
    );
  });
}
