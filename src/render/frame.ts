/**
 * Frame: the places of a grid's lines in a picture, in pixels, and the texts beside them.
 *
 * Used by svg.ts, and by html.ts for the page's canvas.
 */

import type { HeapMap } from '../inspect/index.js';
import { formatBytes } from '../stats/index.js';
import { type Grid, type Line, layOut, placeOf, tellGap } from './cells.js';

/** Width of a picture, and the places of its parts. */
export interface Layout {
  /** Width of the picture in pixels, without margins. */
  readonly width: number;
  /** Left edge of the cells; addresses are to the left of it. */
  readonly left: number;
  /** Space to the right of the cells for the names of frontiers; 0 = the names are to the left. */
  readonly right: number;
}

/** Minimum width for the names of frontiers to the right of the cells, in pixels. */
const WIDE_PX = 640;

/** The layout of a picture of this width. */
export const layoutOf = (width: number): Layout =>
  width < WIDE_PX ? { width, left: 76, right: 0 } : { width, left: 84, right: 100 };

const GAP_PX = 26;
/** Maximum lines of a heap whose cells are drawn twice as large. */
const LARGE_CELL_LINES = 24;
/** Minimum widths of a cell, in pixels: in a small heap, and otherwise. */
const CELL_PX_MIN = [16, 8] as const;

/** A grid with the places of its lines. */
export interface Frame extends Layout {
  readonly maps: readonly HeapMap[];
  readonly grid: Grid;
  readonly cellPx: number;
  /** Width of all cells of a row. */
  readonly cellsPx: number;
  /** Top of each line, in pixels. */
  readonly tops: readonly number[];
  readonly heights: readonly number[];
  readonly height: number;
}

/** Lays out maps of one heap, in the largest cells that fit. */
export function frameOf(maps: readonly HeapMap[], width: number, linesMax: number): Frame {
  const layout = layoutOf(width);
  const room = width - layout.left - layout.right;
  for (const cellMin of CELL_PX_MIN) {
    const large = cellMin === CELL_PX_MIN[0];
    // A power of two, so that the addresses of rows are round.
    const columns = 2 ** Math.floor(Math.log2(room / cellMin));
    const cellPx = Math.floor(room / columns);
    const grid = layOut(maps, { columns, linesMax: large ? Number.MAX_SAFE_INTEGER : linesMax });
    if (large && grid.lines.length > LARGE_CELL_LINES) continue;
    const heights = grid.lines.map((line) => (line.rows > 1 ? GAP_PX : cellPx));
    let height = 0;
    const tops = heights.map((one) => {
      height += one;
      return height - one;
    });
    const cellsPx = columns * cellPx;
    return { ...layout, maps, grid, cellPx, cellsPx, tops, heights, height };
  }
  throw new Error('no cell size fits');
}

/** Text of a gap, shorter in narrow pictures. */
export const gapText = ({ maps, grid, right }: Frame, line: Line, map: number): string =>
  tellGap(maps[map], grid, line, { map, short: right === 0 });

/** A frontier: its place in the cells, and its name. */
export interface Mark {
  readonly name: string;
  readonly x: number;
  readonly y: number;
  readonly height: number;
  /** Vertical middle of its name. */
  readonly textY: number;
}

/** Minimum distance of two names, in pixels. */
const NAME_PX = 14;

/** The marks where the reserve begins and ends. In narrow pictures their names are short. */
export function marksOf(frame: Frame, map: HeapMap): Mark[] {
  const { grid, tops, heights, cellsPx, right } = frame;
  let next = Number.NEGATIVE_INFINITY;
  return [
    ['brk', map.brk] as const,
    [right === 0 ? 'map' : 'map frontier', map.mapFrontier] as const,
  ].map(([name, address]) => {
    const { line, part } = placeOf(grid, address);
    const [y, height] = [tops[line] as number, heights[line] as number];
    const textY = Math.max(y + height / 2, next);
    next = textY + NAME_PX;
    return { name, x: part * cellsPx, y, height, textY };
  });
}

/** Text about the scale of the picture. */
export function scaleText({ grid }: Frame): string {
  const { pagesPerCell, cellBytes, rowBytes } = grid;
  const pages = pagesPerCell === 1 ? 'a page' : `${pagesPerCell} pages`;
  return `a cell is ${pages} (${formatBytes(cellBytes)}), a row ${formatBytes(rowBytes)}`;
}
