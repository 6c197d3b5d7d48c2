/**
 * The map as an SVG picture.
 *
 * Used by the command line and by programs. Pure text, any thread. Neighbouring cells of one ink
 * are drawn as one rectangle; a grid of lines over it shows the cells.
 */

import { hex } from '../base/index.js';
import type { HeapMap } from '../inspect/index.js';
import { formatBytes } from '../stats/index.js';
import { cellRule, type Line, stretches } from './cells.js';
import { checkMap, drawing, readSvgOptions } from './check.js';
import { classesPanel } from './class-chart.js';
import { figuresOf } from './figures.js';
import { type Frame, frameOf, gapText, marksOf, scaleText } from './frame.js';
import {
  type Box,
  escapeText,
  HATCH,
  inkClass,
  label,
  labels,
  px,
  rect,
  SMALL_LETTER_PX,
  STYLE,
  wrapText,
} from './markup.js';
import { COLORS, colorOf } from './palette.js';
import { figuresPanel, legendPanel, type Panel } from './panels.js';

export interface SvgOptions {
  /** Title above the picture. Default `Heap map`. */
  title?: string | undefined;
  /**
   * Width in pixels, margins included: 360 to 1,280. Default 1,000. A narrow picture has fewer
   * cells in a row, and letters of the same size.
   */
  width?: number | undefined;
}

/** Maximum lines of cells; if more are needed, a cell stands for more pages. */
const LINES_MAX = 128;
const WIDTH_DEFAULT = 1000;
/** Margins of a wide and of a narrow picture, in pixels. */
const [MARGIN_PX, MARGIN_PX_NARROW] = [24, 12];
const NARROW_PX = 640;
const TITLE_PX = 26;
const LINE_PX = 18;
const SPACE_PX = 32;
/** Minimum distance of two addresses, in pixels. */
const ADDRESS_PX = 14;

/**
 * Draws a map as an SVG document: the address space in rows, one cell per page (or several pages;
 * the picture says how many), with the frontiers, a legend, the main figures and the size classes.
 * It follows the reader's light or dark scheme, and needs no external resource.
 * @returns the document, about 10 to 1,000 KiB
 * @throws TypeError ERR_SHMALLOC_INVALID_OPTION
 *
 * Threads: any. Cost: a few milliseconds; about 60 for a full heap of 1 GiB.
 */
export function renderSvg(map: HeapMap, options: SvgOptions = {}): string {
  return drawing('renderSvg', () => drawSvg(map, options));
}

function drawSvg(map: HeapMap, options: SvgOptions): string {
  checkMap('renderSvg', map);
  const { title, width } = readSvgOptions(options, WIDTH_DEFAULT);
  const margin = width < NARROW_PX ? MARGIN_PX_NARROW : MARGIN_PX;
  const inner = width - 2 * margin;
  const frame = frameOf([map], inner, LINES_MAX);
  const figures = figuresOf(map);
  const panels = [
    legendPanel(map, inner, cellRule(frame.grid)),
    figuresPanel(figures, inner),
    classesPanel(figures, inner),
  ];
  const about = wrapText(`${describe(map)}; ${scaleText(frame)}`, inner);
  // Letters of the title are 1.6 times as wide.
  const titles = wrapText(title, inner / 1.6);
  const aboutY = TITLE_PX * titles.length + 16;
  const top = aboutY + LINE_PX * about.length;
  const placed = stack(panels, top + frame.height + SPACE_PX);
  const height = placed.bottom + 2 * margin;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${px(height)}" ` +
      `width="${width}" height="${px(height)}" role="img">`,
    `<title>${escapeText(title)}</title>`,
    `<style>${STYLE}</style>${HATCH}`,
    rect('page', [0, 0, width, height]),
    `<g transform="translate(${margin} ${margin})">`,
    labels('text title', [0, 18], titles, TITLE_PX),
    labels('dim', [0, aboutY], about, LINE_PX),
    `<g transform="translate(0 ${top})">`,
    ...cellsOf(frame),
    ...margins(frame, map),
    '</g>',
    placed.svg,
    '</g>',
    '</svg>',
    '',
  ].join('\n');
}

/** The heap's addresses and its frontiers. */
export const describe = (map: HeapMap): string =>
  `${formatBytes(map.end - map.base)}, ${hex(map.base)} to ${hex(map.end)}; ` +
  `brk ${hex(map.brk)}, map frontier ${hex(map.mapFrontier)}`;

/** Places panels one below the other. */
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
  const { grid, tops, heights, cellPx, cellsPx, left } = frame;
  const bands = grid.lines.map((line, i) =>
    line.rows > 1 ? band(frame, line, tops[i], heights[i]) : row(frame, line, tops[i]),
  );
  const rows = grid.lines
    .map((line, i) => (line.rows > 1 ? '' : columnLines(frame, tops[i])))
    .join('');
  const lines = tops
    .slice(1)
    .map((top) => `M0 ${top}H${cellsPx}`)
    .join('');
  return [
    `<g class="cells" data-pages-per-cell="${grid.pagesPerCell}" transform="translate(${left} 0)">`,
    ...bands,
    rect('line', [-0.5, -0.5, cellsPx + 1, frame.height + 1]),
    `<path class="gridline" stroke-width="${cellPx / 16 + 0.5}" d="${rows}${lines}"/>`,
    '</g>',
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
    if (COLORS[ink].zone === 'outside') continue;
    svg += inked(ink, [column * cellPx, top, cells * cellPx, cellPx]);
  }
  return svg;
}

/** A gap: a band of its ink, with a text on a plate in its middle. */
function band(frame: Frame, line: Line, top: number, height: number): string {
  const { grid, cellsPx } = frame;
  const text = gapText(frame, line, 0);
  const plate = Math.min(cellsPx - 8, text.length * SMALL_LETTER_PX + 20);
  return (
    inked(grid.inks[0][line.cell], [0, top, cellsPx, height]) +
    `<rect class="page" rx="8" x="${px((cellsPx - plate) / 2)}" y="${top + 4}" ` +
    `width="${px(plate)}" height="${height - 8}"/>` +
    label('dim small middle', [cellsPx / 2, top + height / 2 + 4], text)
  );
}

/** A rectangle in an ink, hatched if the ink is that of free runs. */
const inked = (ink: number, box: Box): string =>
  rect(inkClass(ink), box) + (ink === colorOf('free') ? rect('free', box) : '');

/** The address of each line, if there is space to write it and no frontier's name is there. */
function addresses({ grid, tops, heights, left }: Frame, taken: readonly number[]): string[] {
  let next = 0;
  return grid.lines.map((line, i) => {
    const middle = tops[i] + heights[i] / 2;
    const isRound = i === 0 || line.rows > 1 || grid.lines[i - 1].rows > 1;
    // A round address takes precedence over its neighbours.
    if (middle < next || (!isRound && grid.lines[i + 1]?.rows > 1)) return '';
    if (taken.some((y) => Math.abs(y - middle) < ADDRESS_PX)) return '';
    next = middle + ADDRESS_PX;
    return label('dim mono end', [left - 8, middle + 4], hex(Math.max(line.address, 0)));
  });
}

/** Addresses, and the frontiers: a stroke through the row, and the name beside it. */
function margins(frame: Frame, map: HeapMap): string[] {
  const { left, right, cellsPx } = frame;
  const named = marksOf(frame, map);
  return [
    ...addresses(frame, right === 0 ? named.map(({ textY }) => textY) : []),
    ...named.map(({ name, x, y, height, textY }) => {
      const stroke = rect('mark', [left + x - 1.25, y - 3, 2.5, height + 6]);
      return right === 0
        ? stroke + label('mark small end', [left - 8, textY + 4], `${name} ▸`)
        : stroke + label('mark small', [left + cellsPx + 10, textY + 4], `◂ ${name}`);
    }),
  ];
}
