/**
 * The map as text, for a terminal or a log file.
 *
 * Used by the command line and by programs. Pure text, any thread.
 */

import { FLAG, type OptionValues, readOptions, wholeFrom } from '../base/index.js';
import type { HeapMap } from '../inspect/index.js';
import { formatBytes, formatCount, table } from '../stats/index.js';
import { cellRule, type Grid, gapInk, type Line, layOut, stretches, tellGap } from './cells.js';
import { checkMap, drawing } from './check.js';
import { barLength, type ClassFigures, type Figures, figuresOf, headlines } from './figures.js';
import { COLORS, colorOf, drawnZones, FILL_LEVELS, isShaded, levelOf } from './palette.js';

export interface TextOptions {
  /** Use the colours of a terminal; otherwise plain letters. Default false. */
  color?: boolean | undefined;
  /** Columns of the terminal, at least 40; more than 144 are not used. Default 80. */
  width?: number | undefined;
}

const WIDTH_DEFAULT = 80;
const WIDTH_MIN = 40;
const COLUMNS_MAX = 128;
const LINES_MAX = 48;
const BAR_CELLS = 24;
/** Width of a row's address and the space behind it, in characters. */
const MARGIN = 11;
/** Width of the longest mark behind a row, in characters. */
const MARK = ' both'.length;
/** Maximum hexadecimal digits of an address: it is below 4 GiB. */
const ADDRESS_DIGITS = 8;

const VALUES: OptionValues<TextOptions> = {
  color: FLAG,
  width: wholeFrom(`a whole number from ${WIDTH_MIN}`, WIDTH_MIN),
};

/** Writes a text in an ink, given by index, or without any. */
type Pen = (ink: number, text: string) => string;

/** How cells are written. */
interface Style {
  readonly pen: Pen;
  /** What a cell of an ink shows. */
  glyph(ink: number): string;
}

/**
 * Draws a map as text: the address space in rows, one cell per page (or several pages; the text
 * says how many), a legend, the main figures, and the size classes. Equal rows are left out, and a
 * line says how many.
 * @throws TypeError, RangeError ERR_SHMALLOC_INVALID_OPTION
 *
 * Threads: any. Cost: a few milliseconds; about 60 for a full heap of 1 GiB.
 */
export function renderText(map: HeapMap, options: TextOptions = {}): string {
  return drawing('renderText', () => drawText(map, options));
}

function drawText(map: HeapMap, options: TextOptions): string {
  checkMap('renderText', map);
  const { color = false, width = WIDTH_DEFAULT } = readOptions('renderText', options, VALUES);
  const room = width - MARGIN - MARK;
  const columns = Math.min(COLUMNS_MAX, 2 ** Math.floor(Math.log2(room)));
  const grid = layOut([map], { columns, linesMax: LINES_MAX });
  const figures = figuresOf(map);
  const pen: Pen = color ? (ink, text) => paint(COLORS[ink].terminal, text) : (_, text) => text;
  const glyph = (ink: number) => (color ? COLORS[ink].glyph : COLORS[ink].letter);
  return [
    ...headOf(map, grid),
    ...grid.lines.map((line) => drawLine(map, grid, line, { pen, glyph })),
    '',
    ...legend(map, { pen, glyph }),
    ...(cellRule(grid) === '' ? [] : [`  ${cellRule(grid)}`]),
    '',
    ...headlineRows(figures),
    ...sums(figures),
    ...(figures.classes.length > 0 ? ['', ...histogram(figures.classes, pen, color)] : []),
  ].join('\n');
}

/** Control sequence introducer: what follows is for the terminal. */
const CSI = '\u001b[';

const paint = (terminal: number, text: string): string => `${CSI}38;5;${terminal}m${text}${CSI}0m`;

const addressOf = (address: number): string =>
  `0x${address.toString(16).padStart(ADDRESS_DIGITS, '0')}`;

function headOf(map: HeapMap, { pagesPerCell, cellBytes, rowBytes }: Grid): string[] {
  const pages = pagesPerCell === 1 ? '1 page' : `${pagesPerCell} pages`;
  return [
    `heap map: ${formatBytes(map.end - map.base)} from ${addressOf(map.base)}; ` +
      `a cell is ${pages} (${formatBytes(cellBytes)}), a row ${formatBytes(rowBytes)}`,
    `brk ${addressOf(map.brk)}, map frontier ${addressOf(map.mapFrontier)}`,
    '',
  ];
}

function drawLine(map: HeapMap, grid: Grid, line: Line, { pen, glyph }: Style): string {
  if (line.rows > 1) {
    const { zone, level } = gapInk(grid, line);
    const ink = colorOf(zone, level);
    const sample = pen(ink, `${glyph(ink)} `.repeat(3));
    return `${' '.repeat(MARGIN)}${sample} ${tellGap(map, grid, line)}`;
  }
  let cells = '';
  for (const [, count, ink] of stretches(grid, line)) cells += pen(ink, glyph(ink).repeat(count));
  return `${addressOf(line.address)} ${cells}${frontierMark(map, line.address, grid.rowBytes)}`;
}

/** The name of the frontier that lies in a row, written behind the row. */
function frontierMark(map: HeapMap, address: number, rowBytes: number): string {
  const isHere = (frontier: number) => frontier > address && frontier <= address + rowBytes;
  if (isHere(map.brk)) return isHere(map.mapFrontier) ? ' both' : ' brk';
  return isHere(map.mapFrontier) ? ' map' : '';
}

function legend(map: HeapMap, { pen, glyph }: Style): string[] {
  const rows = drawnZones(map).map(({ zone, name, bytes, runs }) => {
    const inks = isShaded(zone) ? [0, 0.25, 0.5, 0.75, 1] : [0];
    const keys = [...new Set(inks.map((part) => colorOf(zone, levelOf(part, 1))))];
    const glyphs = new Map(keys.map((ink) => [glyph(ink), ink]));
    const key = [...glyphs].map(([text, ink]) => pen(ink, text)).join('');
    const pad = ' '.repeat(6 - glyphs.size);
    return { key: key + pad, cells: [name, formatBytes(bytes), formatCount(runs)] };
  });
  const cells = table([['', 'bytes', 'runs'], ...rows.map((row) => row.cells)]);
  return cells.map((line, i) => `  ${i === 0 ? ' '.repeat(6) : rows[i - 1].key}${line}`);
}

function headlineRows(figures: Figures): string[] {
  const all = headlines(figures);
  const bytesWidth = Math.max(...all.map(({ bytes }) => bytes.length));
  return all.map(
    ({ value, bytes, meaning }) =>
      `  ${value.padStart(7)}  ${bytes.padStart(bytesWidth)} ${meaning}`,
  );
}

function sums(f: Figures): string[] {
  const largest = `largest ${formatBytes(f.largestFreeRunBytes)}`;
  return [
    '',
    `  ${formatCount(f.liveBlocks)} live blocks, ${formatBytes(f.liveBytes)}; cached ` +
      `${formatBytes(f.cachedBytes)}; free in spans ${formatBytes(f.freeBlockBytes)}, tails ` +
      formatBytes(f.tailBytes),
    `  mapped ${formatBytes(f.mappedBytes)}; free runs ${formatCount(f.freeRuns)}, ` +
      `${formatBytes(f.freeRunBytes)}, ${largest}; untouched ${formatBytes(f.untouchedBytes)}`,
    ...(f.contextBlocks + f.vectorBlocks === 0
      ? []
      : [
          `  of the live blocks ${formatCount(f.contextBlocks)} are chunks of contexts, ` +
            `${formatBytes(f.contextBytes)}; ${formatCount(f.vectorBlocks)} are vectors', ` +
            formatBytes(f.vectorBytes),
        ]),
  ];
}

function histogram(classes: readonly ClassFigures[], pen: Pen, color: boolean): string[] {
  const most = Math.max(...classes.map((c) => c.bytes));
  const rows = classes.map((c) => [
    c.sizeClass === 0 ? 'large' : formatCount(c.blockBytes),
    ...[c.spans, c.live, c.cached, c.free].map(formatCount),
    formatBytes(c.bytes),
  ]);
  const lines = table([['block bytes', 'spans', 'live', 'cached', 'free', 'bytes'], ...rows]);
  const parts = color ? '█▒░' : '#+-';
  const context = colorOf('context', FILL_LEVELS);
  const own = color ? pen(context, '█') : COLORS[context].letter;
  const first = classes.some((c) => c.contextBytes > 0) ? `${own} contexts ` : '';
  return lines.map((line, i) => {
    if (i === 0) return `  ${line}   ${first}${parts[0]} live ${parts[1]} cached ${parts[2]} free`;
    const c = classes[i - 1];
    const ink = colorOf(c.zone, c.zone === 'large' ? 0 : FILL_LEVELS);
    const cells = bar(c, most, parts);
    const chunks = Math.round((cells.length * c.contextBytes) / c.bytes);
    const mark = color ? parts[0] : COLORS[context].letter;
    const contexts = chunks === 0 ? '' : pen(context, mark.repeat(chunks));
    return `  ${line}   ${contexts}${pen(ink, cells.slice(chunks))}`;
  });
}

/**
 * A bar of logarithmic length with parts in proportion. A part that is not empty has at least one
 * cell.
 */
function bar(c: ClassFigures, most: number, parts: string): string {
  const cells = Math.max(1, Math.round(BAR_CELLS * barLength(c.bytes, most)));
  const live = Math.round((cells * c.liveBytes) / c.bytes);
  const held = Math.round((cells * (c.liveBytes + c.cachedBytes)) / c.bytes);
  return parts[0].repeat(live) + parts[1].repeat(held - live) + parts[2].repeat(cells - held);
}
