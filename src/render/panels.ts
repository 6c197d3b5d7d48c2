/**
 * Panels: the parts below the cells in the SVG picture and in the page: the legend and the figures;
 * class-chart.ts has the size classes. Each is a piece of SVG for a given width.
 *
 * Used by svg.ts and html.ts. Pure text.
 */

import type { HeapMap } from '../inspect/index.js';
import { formatBytes } from '../stats/index.js';
import { type Figures, headlines, many, percent } from './figures.js';
import { type Box, inkClass, label, labels, rect, SMALL_LETTER_PX, wrapText } from './markup.js';
import { colorOf, drawnZones, FILL_LEVELS, isShaded } from './palette.js';

/** A piece of SVG of a given width, from (0, 0) on. */
export interface Panel {
  readonly svg: string;
  readonly height: number;
}

const SWATCH_PX = 12;
/** Shades in the legend's sample of a span. */
const SWATCH_LEVELS = [0, 2, 4, 6, FILL_LEVELS];
const LINE_PX = 18;
const ITEM_PX = 44;
/** Minimum width of a column of the legend, and of the headlines, in pixels. */
const COLUMN_PX_MIN = 175;

/** Minimum width for the full number of columns, in pixels. */
const WIDE_PX = 900;

const columnsIn = (width: number, most: number): number =>
  Math.max(1, Math.min(most, Math.floor(width / COLUMN_PX_MIN)));

/** A swatch in a zone's ink, hatched if the zone is free. */
function swatch(ink: number, x: number, y: number, width: number): string {
  const box: Box = [x, y, width, SWATCH_PX];
  const plain = rect(inkClass(ink), box);
  if (ink === colorOf('free')) return plain + rect('free', box);
  return ink === colorOf('untouched') ? plain + rect('line', box) : plain;
}

/** The legend: each colour with its zone and amount; below it, an explanation of the cells. */
export function legendPanel(map: HeapMap, width: number, rule: string): Panel {
  const columns = width < WIDE_PX ? columnsIn(width, 3) : 4;
  const step = width / columns;
  const shadePx = columns === 2 ? 4 : 7;
  const parts = drawnZones(map).map(({ zone, name, bytes, runs }, i) => {
    const x = (i % columns) * step;
    const y = Math.floor(i / columns) * ITEM_PX;
    const ramp = isShaded(zone);
    const inks = ramp ? SWATCH_LEVELS.map((level) => colorOf(zone, level)) : [colorOf(zone)];
    const cell = ramp ? shadePx : SWATCH_PX;
    const swatches = inks.map((ink, n) => swatch(ink, x + n * cell, y, cell));
    const what = zone === 'metadata' ? 'region' : ramp && zone !== 'context' ? 'span' : 'run';
    const amount = `${formatBytes(bytes)} · ${many(runs, what)}`;
    return (
      swatches.join('') +
      label('dim small', [x + inks.length * cell + 8, y + 11], amount) +
      label('text small', [x, y + 28], name)
    );
  });
  const bottom = Math.ceil(parts.length / columns) * ITEM_PX - 10;
  const said = `Shades: how many of a span's blocks are live, from none to all${rule && `; ${rule}`}`;
  const lines = wrapText(said, width, SMALL_LETTER_PX);
  return {
    svg: `<g class="legend">${parts.join('')}${labels('dim small', [0, bottom + 18], lines, 16)}</g>`,
    height: bottom + 4 + lines.length * 16,
  };
}

const BAR_PX = 22;
const TILE_PX = 112;

/** The footprint as one bar, and figures about the state of the heap. */
export function figuresPanel(f: Figures, width: number): Panel {
  const title =
    `Footprint ${formatBytes(f.footprintBytes)}: ${formatBytes(f.mappedBytes)} mapped in spans ` +
    `and large blocks, ${formatBytes(f.freeRunBytes)} in ${many(f.freeRuns, 'free run')}` +
    (f.freeRuns > 0 ? `, the largest ${formatBytes(f.largestFreeRunBytes)}` : '');
  const lines = wrapText(title, width);
  const barY = (lines.length - 1) * LINE_PX + 26;
  const bar = footprintBar(f, barY, width);
  const tilesY = bar.bottom + 42;
  const columns = width < WIDE_PX ? columnsIn(width, 3) : 5;
  const step = width / columns;
  const tiles = headlines(f).map(({ value, bytes, meaning }, i, all) => {
    const x = (i % columns) * step;
    const y = tilesY + Math.floor(i / columns) * TILE_PX;
    const isLast = i === all.length - 1;
    const room = isLast ? width - x : step - 12;
    return (
      label('text big', [x, y], value) +
      label('text', [x, y + 21], bytes) +
      labels('dim small', [x, y + 38], wrapText(meaning, room, SMALL_LETTER_PX), 15)
    );
  });
  const svg = labels('text', [0, 14], lines, LINE_PX) + bar.svg + tiles.join('');
  const rows = Math.ceil(tiles.length / columns);
  return {
    svg: `<g class="figures">${svg}</g>`,
    height: tilesY + rows * TILE_PX - 40,
  };
}

function footprintBar(f: Figures, y: number, width: number): { svg: string; bottom: number } {
  const { tiny, small, large } = f.liveByZone;
  const parts = [
    ['live, tiny', tiny, inkClass(colorOf('tiny', FILL_LEVELS))],
    ['live, small', small, inkClass(colorOf('small', FILL_LEVELS))],
    ['live, large', large, inkClass(colorOf('large'))],
    ['live, contexts', f.contextBytes, inkClass(colorOf('context', FILL_LEVELS))],
    ['cached', f.cachedBytes, 'grey2'],
    ['free in spans', f.freeBlockBytes, 'grey1'],
    ['span tails', f.tailBytes, 'grey3'],
    ['on its way', f.reservedBytes, inkClass(colorOf('reserved'))],
    ['free runs', f.freeRunBytes, 'free'],
  ] as const;
  let x = 0;
  let keyX = 0;
  let keyY = y + BAR_PX + 10;
  let svg = '';
  for (const [name, bytes, style] of parts) {
    if (bytes === 0) continue;
    const length = (width * bytes) / f.footprintBytes;
    const text = `${name} ${formatBytes(bytes)}, ${percent(bytes, f.footprintBytes)}`;
    svg += rect(style, [x, y, length, BAR_PX]);
    const keyWidth = SWATCH_PX + 6 + text.length * SMALL_LETTER_PX;
    if (keyX > 0 && keyX + keyWidth > width) {
      keyX = 0;
      keyY += LINE_PX;
    }
    svg += rect(style, [keyX, keyY, SWATCH_PX, SWATCH_PX]);
    svg += label('text small', [keyX + SWATCH_PX + 6, keyY + 10], text);
    x += length;
    keyX += keyWidth + 16;
  }
  return { svg: svg + rect('line', [0, y, width, BAR_PX]), bottom: keyY + SWATCH_PX };
}
