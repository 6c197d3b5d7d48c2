/**
 * Cells: the address space in rows of cells, one cell for one or several pages, shared by all
 * pictures.
 *
 * Pure arithmetic on maps. Several maps of one heap can be laid out together, as the frames of a
 * film: then an address is in the same cell in all of them.
 *
 * I1  A row begins at a multiple of its length, so that its address is a round number.
 * I2  Rows that are left out are reported: a gap stands for rows of a single ink, the same ink in
 *     all of them.
 */

import { List, PAGE_BYTES, rangeError, roundDown } from '../base/index.js';
import type { HeapMap } from '../inspect/index.js';
import { formatBytes } from '../stats/index.js';
import { fullness } from './figures.js';
import { COLORS, type Color, colorOf, colorOfRun, FILL_LEVELS, levelOf } from './palette.js';

/** A row of cells, or a gap in place of several rows that look the same. */
export interface Line {
  readonly address: number;
  readonly rows: number;
  /** Index of its first cell, counted from the first row of the heap. */
  readonly cell: number;
}

export interface Grid {
  readonly columns: number;
  readonly pagesPerCell: number;
  readonly cellBytes: number;
  readonly rowBytes: number;
  /** Address of the first cell. */
  readonly start: number;
  readonly lines: readonly Line[];
  /** For each map, the ink of each cell, those of gaps included. */
  readonly inks: readonly Uint8Array[];
}

/** The space for a grid. */
export interface Room {
  readonly columns: number;
  /** Maximum lines; if more are needed, a cell stands for more pages. */
  readonly linesMax: number;
}

/** Minimum equal rows that are replaced by a gap. */
const GAP_ROWS_MIN = 4;

/**
 * Lays out one map, or several of one heap.
 * @throws RangeError ERR_SHMALLOC_INVALID_OPTION if the maps are of heaps at different addresses
 */
export function layOut(maps: readonly HeapMap[], { columns, linesMax }: Room): Grid {
  const [first] = maps;
  if (first === undefined || maps.some((m) => m.base !== first.base || m.end !== first.end)) {
    throw rangeError(
      'ERR_SHMALLOC_INVALID_OPTION',
      `cannot draw ${maps.length} maps together: give at least one, all of one heap`,
    );
  }
  const pages = maps.map(paintPages);
  for (let pagesPerCell = 1; ; pagesPerCell *= 2) {
    const cellBytes = pagesPerCell * PAGE_BYTES;
    const rowBytes = columns * cellBytes;
    const start = roundDown(first.base, rowBytes);
    const rows = Math.ceil((first.end - start) / rowBytes);
    const before = (first.base - start) / PAGE_BYTES;
    const inks = pages.map((list) => paintCells(list, before, pagesPerCell, rows * columns));
    const lines = foldRows(inks, rows, columns).map(([row, count]) => ({
      address: start + row * rowBytes,
      rows: count,
      cell: row * columns,
    }));
    if (lines.length > linesMax && rows > 1) continue;
    return { columns, pagesPerCell, cellBytes, rowBytes, start, lines, inks };
  }
}

/** The ink of each page of the heap. */
function paintPages(map: HeapMap): Uint8Array {
  const pages = new Uint8Array((map.end - map.base) / PAGE_BYTES);
  pages.fill(colorOf('metadata'), 0, (map.dataStart - map.base) / PAGE_BYTES);
  for (const run of map.runs) {
    const from = (run.address - map.base) / PAGE_BYTES;
    pages.fill(colorOfRun(run), from, from + run.bytes / PAGE_BYTES);
  }
  return pages;
}

/** The ink of each cell; `before` pages of the first row are below the heap. */
function paintCells(
  pages: Uint8Array,
  before: number,
  pagesPerCell: number,
  length: number,
): Uint8Array {
  const cells = new Uint8Array(length).fill(colorOf('outside'));
  if (pagesPerCell === 1) {
    cells.set(pages, before);
    return cells;
  }
  for (let cell = 0; cell < length; cell++) {
    const from = cell * pagesPerCell - before;
    const to = Math.min(pages.length, from + pagesPerCell);
    if (to > 0 && from < pages.length) cells[cell] = blend(pages, Math.max(0, from), to);
  }
  return cells;
}

// Indexed by ink: the first ink of its zone, and its level. Tables, since they are read for every
// page.
const FIRST = Uint8Array.from(COLORS, ({ zone }) => colorOf(zone));
const LEVEL = Uint8Array.from(COLORS, ({ level }) => level);
const pagesOfZone = new Uint32Array(COLORS.length);
const levelsOfZone = new Uint32Array(COLORS.length);

/** One ink for several pages: the zone of most of them, at the level of these together. */
function blend(pages: Uint8Array, from: number, to: number): number {
  pagesOfZone.fill(0);
  levelsOfZone.fill(0);
  let most = FIRST[pages[from]];
  for (let page = from; page < to; page++) {
    const zone = FIRST[pages[page]];
    levelsOfZone[zone] += LEVEL[pages[page]];
    if (++pagesOfZone[zone] > pagesOfZone[most]) most = zone;
  }
  return most + levelOf(levelsOfZone[most], pagesOfZone[most] * FILL_LEVELS);
}

/** The rows to show and the gaps: the first row of each, and the number of rows. */
function foldRows(
  maps: readonly Uint8Array[],
  rows: number,
  columns: number,
): [row: number, count: number][] {
  const alike = (row: number) =>
    maps.every((cells) => {
      const from = row * columns;
      return cells.subarray(from, from + columns).every((ink) => ink === cells[from]);
    });
  const same = (a: number, b: number) =>
    maps.every((cells) => cells[a * columns] === cells[b * columns]);
  const lines = new List<[number, number]>();
  for (let row = 0; row < rows; ) {
    let next = row + 1;
    if (alike(row)) while (next < rows && same(row, next) && alike(next)) next++;
    if (next - row >= GAP_ROWS_MIN) lines.push([row, next - row]);
    else for (let shown = row; shown < next; shown++) lines.push([shown, 1]);
    row = next;
  }
  return lines;
}

/** Parts of one ink in a line of a map: first column, length, ink. */
export function* stretches(
  { columns, inks }: Grid,
  line: Line,
  map = 0,
): Generator<[column: number, cells: number, ink: number]> {
  const cells = inks[map];
  for (let column = 0; column < columns; ) {
    const ink = cells[line.cell + column];
    let next = column + 1;
    while (next < columns && cells[line.cell + next] === ink) next++;
    yield [column, next - column, ink];
    column = next;
  }
}

/** The ink of a gap's cells. */
export const gapInk = ({ inks }: Grid, line: Line, map = 0): Color => COLORS[inks[map][line.cell]];

/** Text of a gap: `2.5 MiB, 5 rows like this: tiny, 99 % of blocks live`; short, `5 rows: ...`. */
export function tellGap(
  heapMap: HeapMap,
  grid: Grid,
  line: Line,
  { map = 0, short = false } = {},
): string {
  const { zone } = gapInk(grid, line, map);
  const bytes = line.rows * grid.rowBytes;
  const full = fullness(heapMap, zone, line.address, line.address + bytes);
  const what = full === '' ? zone : `${zone}, ${short ? full.replace('of blocks ', '') : full}`;
  return `${formatBytes(bytes)}, ${line.rows} rows${short ? '' : ' like this'}: ${what}`;
}

/** Explains a cell of several pages; empty if a cell is one page. */
export const cellRule = ({ pagesPerCell }: Grid): string =>
  pagesPerCell === 1
    ? ''
    : `a cell of ${pagesPerCell} pages shows the zone of most of them, and how full those are`;

/**
 * The line of an address, and how far into the line it is: 0 to 1. The heap's end is in the last.
 */
export function placeOf(
  { lines, rowBytes }: Grid,
  address: number,
): { line: number; part: number } {
  let line = lines.length - 1;
  while (line > 0 && lines[line].address > address) line--;
  const { address: start, rows } = lines[line];
  return { line, part: (address - start) / (rows * rowBytes) };
}
