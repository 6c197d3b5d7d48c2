/**
 * Panels: what stands beside the cells in the SVG picture and in the page: the legend, how the heap
 * does, and the size classes as a histogram. Each is a piece of SVG of a known size.
 *
 * Used by svg.ts and html.ts. Pure text.
 */

import { formatBytes, formatCount, type HeapMap } from '../observe/index.js';
import {
  type ClassFigures,
  type Figures,
  headlines,
  many,
  percent,
  shortBytes,
} from './figures.js';
import { drawnZones, FILL_LEVELS, inkOf, isShaded } from './inks.js';
import { inkClass, label, px, rect } from './markup.js';

/** A piece of SVG that fills a width from (0, 0) on. */
export interface Panel {
  readonly svg: string;
  readonly height: number;
}

const SWATCH = 12;
const LINE_PX = 18;

/** A rectangle in a zone's ink, hatched where it is free. */
function zoneRect(ink: number, x: number, y: number, width: number, height: number): string {
  const plain = rect(inkClass(ink), x, y, width, height);
  if (ink === inkOf('free')) return plain + rect('free', x, y, width, height);
  return ink === inkOf('untouched') ? plain + rect('line', x, y, width, height) : plain;
}

/** Which colour is what, and how much of it there is; below, what there is to say of cells. */
export function legendPanel(map: HeapMap, width: number, rule: string): Panel {
  const columns = 4;
  const step = width / columns;
  const parts = drawnZones(map).map(({ zone, name, bytes, runs }, i) => {
    const x = (i % columns) * step;
    const y = Math.floor(i / columns) * 2.4 * LINE_PX;
    const ramp = isShaded(zone);
    const inks = ramp
      ? Array.from({ length: FILL_LEVELS + 1 }, (_, level) => inkOf(zone, level))
      : [inkOf(zone)];
    const cell = ramp ? 7 : SWATCH;
    const swatches = inks.map((ink, n) => zoneRect(ink, x + n * cell, y, cell, SWATCH)).join('');
    const textX = x + inks.length * cell + 8;
    const what = zone === 'metadata' ? 'region' : ramp && zone !== 'context' ? 'span' : 'run';
    const amount = `${formatBytes(bytes)} · ${many(runs, what)}${ramp ? ', from empty to full' : ''}`;
    return (
      swatches + label('text', textX, y + 11, name) + label('dim small', textX, y + 27, amount)
    );
  });
  const height = Math.ceil(parts.length / columns) * 2.4 * LINE_PX - 10;
  if (rule === '') return { svg: `<g class="legend">${parts.join('')}</g>`, height };
  return {
    svg: `<g class="legend">${parts.join('')}${label('dim', 0, height + 20, rule)}</g>`,
    height: height + 24,
  };
}

const BAR_PX = 22;

/** The footprint as one bar, and figures that say how the heap does. */
export function figuresPanel(f: Figures, width: number): Panel {
  const y = 30;
  const tiles = headlines(f).map(([value, meaning], i, all) => {
    const x = (i * width) / all.length;
    // Two lines, parted at the blank next to the middle.
    const cut = meaning.indexOf(' ', meaning.length / 2 - 4);
    return (
      label('text big', x, y + BAR_PX + 84, value) +
      label('dim small', x, y + BAR_PX + 104, meaning.slice(0, cut)) +
      label('dim small', x, y + BAR_PX + 119, meaning.slice(cut + 1))
    );
  });
  const title =
    `Footprint ${formatBytes(f.footprintBytes)}: ${formatBytes(f.mappedBytes)} mapped in spans ` +
    `and large blocks, ${formatBytes(f.freeRunBytes)} in ${many(f.freeRuns, 'free run')}` +
    (f.freeRuns > 0 ? `, the largest ${formatBytes(f.largestFreeRunBytes)}` : '');
  const svg = label('text', 0, 14, title) + footprintBar(f, y, width) + tiles.join('');
  return { svg: `<g class="figures">${svg}</g>`, height: y + BAR_PX + 124 };
}

function footprintBar(f: Figures, y: number, width: number): string {
  const { tiny, small, large } = f.liveByZone;
  const parts = [
    ['live, tiny', tiny, inkClass(inkOf('tiny', FILL_LEVELS))],
    ['live, small', small, inkClass(inkOf('small', FILL_LEVELS))],
    ['live, large', large, inkClass(inkOf('large'))],
    ['live, contexts', f.contextBytes, inkClass(inkOf('context', FILL_LEVELS))],
    ['cached', f.cachedBytes, 'grey2'],
    ['free in spans', f.freeBlockBytes, 'grey1'],
    ['span tails', f.tailBytes, 'grey3'],
    ['on its way', f.reservedBytes, inkClass(inkOf('reserved'))],
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
    svg += rect(style, x, y, length, BAR_PX);
    // Text cannot be measured here; its letters are about that wide.
    const keyWidth = SWATCH + 22 + text.length * 5.9;
    if (keyX + keyWidth > width + 22) {
      keyX = 0;
      keyY += LINE_PX;
    }
    svg += rect(style, keyX, keyY, SWATCH, SWATCH);
    svg += label('text small', keyX + SWATCH + 6, keyY + 10, text);
    x += length;
    keyX += keyWidth;
  }
  return svg + rect('line', 0, y, width, BAR_PX);
}

const CHART_PX = 150;
const BAR_STEP_MAX = 64;

/** A column for each size class: its bytes, parted in live, cached and free. */
export function classesPanel({ classes, contextBytes }: Figures, width: number): Panel {
  const title = label('text', 0, 14, 'Size classes: bytes in spans, by block size');
  if (classes.length === 0) {
    return { svg: `${title}${label('dim', 0, 40, 'no spans and no large blocks')}`, height: 48 };
  }
  const most = Math.max(...classes.map((c) => c.bytes));
  const step = Math.min(BAR_STEP_MAX, (width - 60) / classes.length);
  const bottom = 34 + CHART_PX;
  const columns = classes.map((c, i) => column(c, 60 + i * step, step, bottom, CHART_PX / most));
  const scale = [0, 0.5, 1].map((part) => {
    const y = bottom - part * CHART_PX;
    return (
      `<path class="line" d="M60 ${px(y)}H${px(60 + classes.length * step)}"/>` +
      label('dim small end', 52, y + 4, formatBytes(Math.round(part * most)))
    );
  });
  const ofContexts = contextBytes > 0 ? 'at the foot: contexts · ' : '';
  const shades = `${ofContexts}strong: live · middle: cached · pale: free · grey: tails`;
  const keys = label('dim small end', width, 14, shades);
  return {
    svg: `<g class="classes">${title}${keys}${scale.join('')}${columns.join('')}</g>`,
    height: bottom + 40,
  };
}

function column(c: ClassFigures, x: number, step: number, bottom: number, scale: number): string {
  const inks =
    c.zone === 'large'
      ? [inkOf('large')]
      : [FILL_LEVELS, 4, 1].map((level) => inkOf(c.zone, level));
  const context = inkOf('context', FILL_LEVELS);
  const parts = [
    [c.contextBytes, context],
    [c.liveBytes - c.contextBytes, inks[0]],
    [c.cachedBytes, inks[1]],
    [c.freeBytes, inks[2]],
    [c.tailBytes, inkOf('metadata')],
  ] as const;
  const barWidth = Math.max(4, step - Math.max(2, step * 0.25));
  const left = x + (step - barWidth) / 2;
  let y = bottom;
  let svg = '';
  for (const [bytes, ink] of parts) {
    if (bytes === 0 || ink === undefined) continue;
    // What is there shows, if by half a pixel.
    const height = Math.max(0.5, bytes * scale);
    y -= height;
    svg += rect(inkClass(ink), left, y, barWidth, height);
  }
  const middle = x + step / 2;
  const name = c.zone === 'large' ? 'large' : shortBytes(c.blockBytes);
  const told =
    `${c.zone === 'large' ? 'large blocks' : `blocks of ${formatCount(c.blockBytes)} bytes`}: ` +
    `${many(c.spans, c.zone === 'large' ? 'run' : 'span')}, ${formatCount(c.live)} live, ` +
    `${formatCount(c.cached)} cached, ${formatCount(c.free)} free` +
    (c.contextBytes > 0 ? `; ${formatBytes(c.contextBytes)} in chunks of contexts` : '');
  const text =
    step >= 34
      ? label('text small middle', middle, bottom + 16, name)
      : `<text class="text small end" transform="translate(${px(middle + 4)} ${bottom + 8}) ` +
        `rotate(-60)">${name}</text>`;
  return `<g><title>${told}</title>${svg}${text}</g>`;
}
