/**
 * Frame: where the lines of a grid stand in a picture, in pixels, and what is written beside them.
 *
 * Used by svg.ts, and by html.ts for the page's canvas.
 */

import { formatBytes, type HeapMap } from '../observe/index.js';
import { type Grid, type Line, layOut, placeOf, tellGap } from './cells.js';

/** A width that both kinds of picture have, margins included. */
export const PICTURE_PX = 1260;
/** Beside the cells: addresses to the left, frontiers to the right. */
export const LEFT_PX = 96;
export const CELLS_PX = 1024;

const GAP_PX = 26;
/** A heap that small has cells twice as large. */
const LARGE_CELL_LINES = 24;

/** A grid with room for its lines. */
export interface Frame {
  readonly maps: readonly HeapMap[];
  readonly grid: Grid;
  readonly cellPx: number;
  /** Top of each line. */
  readonly tops: readonly number[];
  readonly heights: readonly number[];
  readonly height: number;
}

/** Lays out maps of one heap in cells as large as there is room for. */
export function frameOf(maps: readonly HeapMap[], linesMax: number): Frame {
  for (const cellPx of [16, 8]) {
    const large = cellPx === 16;
    const columns = CELLS_PX / cellPx;
    const grid = layOut(maps, { columns, linesMax: large ? Number.MAX_SAFE_INTEGER : linesMax });
    if (large && grid.lines.length > LARGE_CELL_LINES) continue;
    const heights = grid.lines.map((line) => (line.rows > 1 ? GAP_PX : cellPx));
    let height = 0;
    const tops = heights.map((one) => {
      height += one;
      return height - one;
    });
    return { maps, grid, cellPx, tops, heights, height };
  }
  throw new Error('no cell size fits');
}

/** What a gap says. */
export const gapText = ({ maps, grid }: Frame, line: Line, map: number): string =>
  tellGap(maps[map], grid, line, map);

/** A frontier: a place in the cells, and the line that says which it is. */
export interface Mark {
  readonly name: string;
  readonly x: number;
  readonly y: number;
  readonly height: number;
}

/** Where the reserve begins and ends. */
export function marksOf(frame: Frame, map: HeapMap): Mark[] {
  const { grid, tops, heights } = frame;
  return [['brk', map.brk] as const, ['map frontier', map.mapFrontier] as const].map(
    ([name, address]) => {
      const { line, part } = placeOf(grid, address);
      return { name, x: part * CELLS_PX, y: tops[line], height: heights[line] };
    },
  );
}

/** What the picture says about its own scale. */
export function scaleText({ grid }: Frame): string {
  const { pagesPerCell, cellBytes, rowBytes } = grid;
  const pages = pagesPerCell === 1 ? 'a page' : `${pagesPerCell} pages`;
  return `a cell is ${pages} (${formatBytes(cellBytes)}), a row ${formatBytes(rowBytes)}`;
}
