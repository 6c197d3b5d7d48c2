/**
 * The chart of size classes: a bar for each, with its bytes and its blocks.
 *
 * Used by svg.ts and html.ts. Pure text.
 *
 * A heap may have a class of 8 KiB beside one of 100 MiB: the lengths are logarithmic, so that all
 * bars are visible. The parts of a bar are in proportion to its length: how much of the class is
 * live.
 */

import { times } from '../base/index.js';
import { formatBytes, formatCount } from '../stats/index.js';
import {
  BAR_BYTES_MIN,
  barLength,
  type ClassFigures,
  type Figures,
  many,
  percent,
} from './figures.js';
import { inkClass, label, labels, type Point, px, SMALL_LETTER_PX, wrapText } from './markup.js';
import { colorOf, FILL_LEVELS } from './palette.js';
import type { Panel } from './panels.js';

const ROW_PX = 19;
const BAR_PX = 13;
const NAME_PX = 62;
/** Minimum width for two columns of rows, in pixels. */
const TWO_COLUMNS_PX = 900;
const COLUMN_SPACE_PX = 40;
/** Minimum width of a column for long texts behind the bars, in pixels. */
const LONG_PX = 560;
/** Minimum length of the axis, in bytes. */
const AXIS_BYTES_MIN = 2 ** 16;
/** Factor from one line of the axis to the next. */
const TICK = 16;

/** A row for each size class that has spans, and for large blocks. */
export function classesPanel({ classes, contextBytes }: Figures, width: number): Panel {
  const title = label('text', [0, 14], 'Size classes: bytes in spans, by block size');
  if (classes.length === 0) {
    return { svg: `${title}${label('dim', [0, 40], 'no spans and no large blocks')}`, height: 48 };
  }
  const ofContexts = contextBytes > 0 ? 'first: contexts · ' : '';
  const keys =
    `Bars are on a logarithmic scale. Shades say what part of a class is what: ${ofContexts}` +
    'strong: live · middle: cached · pale: free · grey: tails';
  const lines = wrapText(keys, width, SMALL_LETTER_PX);
  const top = 24 + lines.length * 16 + 22;
  const columns = width < TWO_COLUMNS_PX ? 1 : 2;
  const columnPx = (width - (columns - 1) * COLUMN_SPACE_PX) / columns;
  const perColumn = Math.ceil(classes.length / columns);
  const isLong = columnPx >= LONG_PX;
  const texts = classes.map((c) => tellRow(c, isLong));
  const textPx = Math.max(...texts.map((text) => text.length)) * SMALL_LETTER_PX + 8;
  const barPx = columnPx - NAME_PX - textPx;
  const most = Math.max(...classes.map(({ bytes }) => bytes));
  const scale: Scale = { barPx, most: Math.max(most, AXIS_BYTES_MIN) };
  const rows = classes.map((c, i) => {
    const x = Math.floor(i / perColumn) * (columnPx + COLUMN_SPACE_PX);
    const told = isLong && c.contextBytes === 0 ? '' : `<title>${tellAll(c)}</title>`;
    return `<g>${told}${row(c, texts[i] as string, [x, top + (i % perColumn) * ROW_PX], scale)}</g>`;
  });
  const bottom = top + perColumn * ROW_PX;
  const axes = times(Math.min(columns, classes.length), (n) =>
    axis(n * (columnPx + COLUMN_SPACE_PX), top, bottom, scale),
  );
  return {
    svg:
      `<g class="classes">${title}${labels('dim small', [0, 32], lines, 16)}` +
      `${axes.join('')}${rows.join('')}</g>`,
    height: bottom + 4,
  };
}

interface Scale {
  /** Length of the bar of `most` bytes, in pixels. */
  readonly barPx: number;
  readonly most: number;
}

/** Lines at round numbers of bytes, with the numbers above them. */
function axis(x: number, top: number, bottom: number, scale: Scale): string {
  let svg = '';
  let next = Number.NEGATIVE_INFINITY;
  for (let bytes = BAR_BYTES_MIN; bytes <= scale.most; bytes *= TICK) {
    const tickX = x + NAME_PX + scale.barPx * barLength(bytes, scale.most);
    svg += `<path class="line" d="M${px(tickX)} ${px(top - 4)}V${px(bottom)}"/>`;
    const text = formatBytes(bytes);
    const half = (text.length * SMALL_LETTER_PX) / 2;
    if (tickX - half < next) continue;
    svg += label('dim small middle', [tickX, top - 9], text);
    next = tickX + half + 6;
  }
  return svg;
}

/** `1.2 MiB · 12,345 live`, and if there is room ` · 20 cached · 100 free`. */
function tellRow(c: ClassFigures, isLong: boolean): string {
  const text = `${formatBytes(c.bytes)} · ${formatCount(c.live)} live`;
  const more = isLong && c.zone !== 'large';
  return more ? `${text} · ${formatCount(c.cached)} cached · ${formatCount(c.free)} free` : text;
}

function row(c: ClassFigures, text: string, [x, y]: Point, scale: Scale): string {
  const isLarge = c.zone === 'large';
  const inks = isLarge
    ? [colorOf('large')]
    : [FILL_LEVELS, 4, 1].map((level) => colorOf(c.zone, level));
  const parts = [
    [c.contextBytes, colorOf('context', FILL_LEVELS)],
    [c.liveBytes - c.contextBytes, inks[0]],
    [c.cachedBytes, inks[1]],
    [c.freeBytes, inks[2]],
    [c.tailBytes, colorOf('metadata')],
  ] as const;
  const left = x + NAME_PX;
  const length = scale.barPx * barLength(c.bytes, scale.most);
  let at = left;
  let svg = '';
  for (const [bytes, ink] of parts) {
    if (bytes === 0 || ink === undefined) continue;
    const partPx = (length * bytes) / c.bytes;
    // A path is shorter than a rect element: a film has thousands.
    svg += `<path class="${inkClass(ink)}" d="M${px(at)} ${px(y + 1)}h${px(partPx)}v${BAR_PX}H${px(at)}z"/>`;
    at += partPx;
  }
  return (
    label('text small end', [left - 6, y + 11], isLarge ? 'large' : formatBytes(c.blockBytes)) +
    svg +
    label('text small', [left + length + 6, y + 11], text)
  );
}

/** All figures of a class. */
function tellAll(c: ClassFigures): string {
  const isLarge = c.zone === 'large';
  const part = (bytes: number): string => `${formatBytes(bytes)}, ${percent(bytes, c.bytes)}`;
  return (
    `${isLarge ? 'large blocks' : `blocks of ${formatCount(c.blockBytes)} bytes`}: ` +
    `${many(c.spans, isLarge ? 'run' : 'span')}, ${formatBytes(c.bytes)}; ` +
    `${formatCount(c.live)} live (${part(c.liveBytes)}), ` +
    `${formatCount(c.cached)} cached (${part(c.cachedBytes)}), ` +
    `${formatCount(c.free)} free (${part(c.freeBytes)})` +
    (c.contextBytes > 0 ? `; ${formatBytes(c.contextBytes)} in chunks of contexts` : '')
  );
}
