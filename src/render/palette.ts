/**
 * Inks: what a cell of a picture can show, and how each kind of picture shows it.
 *
 * Used by all pictures. A cell holds the index of its ink. Zones differ by colours that
 * colour-blind people can distinguish too (blue, orange, a dark green and a reddish purple, after
 * Okabe and Ito); the shade shows how full a span is: the more live blocks, the stronger.
 */

import { times } from '../base/index.js';
import { type HeapMap, isSpan, type MapRun, type RunZone } from '../inspect/index.js';

/**
 * What a picture distinguishes. `context`: a run whose live blocks are mostly chunks of contexts.
 */
export type DrawnZone = RunZone | 'metadata' | 'context';

/** The look of a cell. */
export interface Color {
  /** `outside`: not part of the heap. */
  readonly zone: DrawnZone | 'outside';
  /** How full a span is: 0 = no live block, FILL_LEVELS = all live. */
  readonly level: number;
  /** Colours on a light and on a dark background. */
  readonly light: string;
  readonly dark: string;
  /** On a terminal with colours: a character, and its colour of the 256. */
  readonly glyph: string;
  readonly terminal: number;
  /** On a terminal without colours. */
  readonly letter: string;
}

/** Number of shades of a span that has live blocks. */
export const FILL_LEVELS = 8;

const GLYPHS = '·░░▒▒▓▓▓█';

interface Shades {
  readonly light: readonly [pale: number, full: number];
  readonly dark: readonly [pale: number, full: number];
}

/** Inks of a span from no live block to all live. */
function shades(
  zone: 'tiny' | 'small' | 'context',
  { light, dark }: Shades,
  terminal: number,
): Color[] {
  return times(FILL_LEVELS + 1, (level) => ({
    zone,
    level,
    light: mix(light, level / FILL_LEVELS),
    dark: mix(dark, level / FILL_LEVELS),
    glyph: GLYPHS[level],
    terminal,
    letter: 2 * level < FILL_LEVELS ? zone[0] : zone[0].toUpperCase(),
  }));
}

/** The colour at a fraction `part` of the way from one colour to the other, as `#rrggbb`. */
function mix([from, to]: readonly [number, number], part: number): string {
  const channel = (shift: number) => {
    const start = (from >>> shift) & 0xff;
    const value = Math.round(start + (((to >>> shift) & 0xff) - start) * part);
    return value.toString(16).padStart(2, '0');
  };
  return `#${channel(16)}${channel(8)}${channel(0)}`;
}

/** An ink of a zone without shades. */
const plain = (color: Omit<Color, 'level'>): Color => ({ ...color, level: 0 });

/** All inks; a cell names one by its index. */
export const COLORS: readonly Color[] = [
  plain({ zone: 'outside', light: 'none', dark: 'none', glyph: ' ', terminal: 0, letter: ' ' }),
  plain({
    zone: 'metadata',
    light: '#7d8594',
    dark: '#68707f',
    glyph: '▒',
    terminal: 103,
    letter: 'm',
  }),
  ...shades('tiny', { light: [0xd3e6f7, 0x0a5a9e], dark: [0x1d4468, 0x5ab0f5] }, 33),
  ...shades('small', { light: [0xfbe3bf, 0xd07300], dark: [0x55391c, 0xffa63d] }, 214),
  ...shades('context', { light: [0xf3d8e7, 0xa3216f], dark: [0x4d2440, 0xee86c0] }, 170),
  plain({
    zone: 'large',
    light: '#00745a',
    dark: '#27b48e',
    glyph: '█',
    terminal: 36,
    letter: 'L',
  }),
  plain({
    zone: 'free',
    light: '#e9ebef',
    dark: '#2a2f37',
    glyph: '-',
    terminal: 247,
    letter: '-',
  }),
  plain({
    zone: 'untouched',
    light: '#f7f8fa',
    dark: '#1b1f26',
    glyph: '·',
    terminal: 240,
    letter: '.',
  }),
  plain({
    zone: 'reserved',
    light: '#e0b800',
    dark: '#f4dc5a',
    glyph: '?',
    terminal: 226,
    letter: '?',
  }),
];

const firstOf = new Map(COLORS.map((ink, i) => [ink.zone, i] as const).reverse());

/** The ink of a zone; for spans, at a level. */
export const colorOf = (zone: Color['zone'], level = 0): number =>
  (firstOf.get(zone) as number) + level;

/** The level of a span: 0 only if no block is live, the maximum only if all are. */
export function levelOf(live: number, whole: number): number {
  if (live <= 0) return 0;
  if (live >= whole) return FILL_LEVELS;
  return Math.min(FILL_LEVELS - 1, Math.max(1, Math.round((FILL_LEVELS * live) / whole)));
}

/** True if a zone has shades. */
export const isShaded = (zone: Color['zone']): boolean =>
  zone === 'tiny' || zone === 'small' || zone === 'context';

/** The zone that a run is drawn as. */
export function zoneOfRun(run: MapRun): RunZone | 'context' {
  if (isSpan(run)) return run.contexts > 0 && 2 * run.contexts >= run.live ? 'context' : run.zone;
  return run.owned === 'context' ? 'context' : run.zone;
}

/** The ink of a run. */
export function colorOfRun(run: MapRun): number {
  const zone = zoneOfRun(run);
  if (isSpan(run)) return colorOf(zone, levelOf(run.live, run.blocks));
  return colorOf(zone, zone === 'context' ? FILL_LEVELS : 0);
}

const ZONE_NAMES: readonly (readonly [zone: DrawnZone, name: string])[] = [
  ['tiny', 'tiny: blocks to 512 B'],
  ['small', 'small: blocks to 64 KiB'],
  ['large', 'large: a block of its own'],
  ['context', 'chunks of memory contexts'],
  ['free', 'free run'],
  ['untouched', 'untouched reserve'],
  ['metadata', 'metadata'],
  ['reserved', 'on its way'],
];

/** A zone in the legend. */
export interface Drawn {
  readonly zone: DrawnZone;
  readonly name: string;
  bytes: number;
  /** Number of runs; for metadata, of regions. */
  runs: number;
}

/** Zones in the order of legends. Rare zones are listed only if they have runs. */
export function drawnZones(map: HeapMap): Drawn[] {
  const { bytes, runs } = map.zones.metadata;
  const drawn = ZONE_NAMES.map(
    ([zone, name]): Drawn => ({
      zone,
      name,
      bytes: 0,
      runs: 0,
      ...(zone === 'metadata' && { bytes, runs }),
    }),
  );
  const byZone = new Map(drawn.map((one) => [one.zone, one]));
  for (const run of map.runs) {
    const one = byZone.get(zoneOfRun(run)) as Drawn;
    one.bytes += run.bytes;
    one.runs++;
  }
  return drawn.filter(({ zone, runs }) => (zone !== 'reserved' && zone !== 'context') || runs > 0);
}
