/**
 * Inks: what a cell of a picture can show, and how each kind of picture shows it.
 *
 * Used by all pictures. A cell holds the index of its ink. Zones are told apart by colours that
 * colour-blind people can tell apart too (blue, orange and a dark green, after Okabe and Ito); how
 * full a span is, by the shade: the more live blocks, the stronger.
 */

import type { HeapMap, RunZone } from '../observe/index.js';

/** How a cell looks. */
export interface Ink {
  /** `outside`: no part of the heap. */
  readonly zone: RunZone | 'metadata' | 'outside';
  /** Of spans how full: 0 = no live block, FILL_LEVELS = all live. */
  readonly level: number;
  /** Colours on a light and on a dark background. */
  readonly light: string;
  readonly dark: string;
  /** On a terminal with colours: a character, in a colour of the 256. */
  readonly glyph: string;
  readonly terminal: number;
  /** On one without. */
  readonly letter: string;
}

/** Shades of a span that has live blocks. */
export const FILL_LEVELS = 8;

const GLYPHS = '·░░▒▒▓▓▓█';

interface Shades {
  readonly light: readonly [pale: number, full: number];
  readonly dark: readonly [pale: number, full: number];
}

/** Inks of a span from no live block to all live. */
function shades(zone: 'tiny' | 'small', { light, dark }: Shades, terminal: number): Ink[] {
  return Array.from({ length: FILL_LEVELS + 1 }, (_, level) => ({
    zone,
    level,
    light: mix(light, level / FILL_LEVELS),
    dark: mix(dark, level / FILL_LEVELS),
    glyph: GLYPHS[level],
    terminal,
    letter: 2 * level < FILL_LEVELS ? zone[0] : zone[0].toUpperCase(),
  }));
}

/** The colour so far on the way from one to the other, as `#rrggbb`. */
function mix([from, to]: readonly [number, number], part: number): string {
  const channel = (shift: number) => {
    const start = (from >>> shift) & 0xff;
    const value = Math.round(start + (((to >>> shift) & 0xff) - start) * part);
    return value.toString(16).padStart(2, '0');
  };
  return `#${channel(16)}${channel(8)}${channel(0)}`;
}

const plain = (
  zone: Ink['zone'],
  light: string,
  dark: string,
  glyph: string,
  terminal: number,
  letter: string,
): Ink => ({ zone, level: 0, light, dark, glyph, terminal, letter });

/** All inks; a cell names one by its index. */
export const INKS: readonly Ink[] = [
  plain('outside', 'none', 'none', ' ', 0, ' '),
  plain('metadata', '#7d8594', '#68707f', '▒', 103, 'm'),
  ...shades('tiny', { light: [0xd3e6f7, 0x0a5a9e], dark: [0x1d4468, 0x5ab0f5] }, 33),
  ...shades('small', { light: [0xfbe3bf, 0xd07300], dark: [0x55391c, 0xffa63d] }, 214),
  plain('large', '#00745a', '#27b48e', '█', 36, 'L'),
  plain('free', '#e9ebef', '#2a2f37', '-', 247, '-'),
  plain('untouched', '#f7f8fa', '#1b1f26', '·', 240, '.'),
  plain('reserved', '#b8327f', '#f27cb8', '?', 205, '?'),
];

const firstOf = new Map(INKS.map((ink, i) => [ink.zone, i] as const).reverse());

/** The ink of a zone; of spans by their level. */
export const inkOf = (zone: Ink['zone'], level = 0): number =>
  (firstOf.get(zone) as number) + level;

/** The shade of a span of which this part is live: weakest and strongest mean none and all. */
export function levelOf(live: number, whole: number): number {
  if (live <= 0) return 0;
  if (live >= whole) return FILL_LEVELS;
  return Math.min(FILL_LEVELS - 1, Math.max(1, Math.round((FILL_LEVELS * live) / whole)));
}

const ZONE_NAMES: readonly (readonly [zone: RunZone | 'metadata', name: string])[] = [
  ['tiny', 'tiny: blocks to 512 B'],
  ['small', 'small: blocks to 64 KiB'],
  ['large', 'large: a block of its own'],
  ['free', 'free run'],
  ['untouched', 'untouched reserve'],
  ['metadata', 'metadata'],
  ['reserved', 'on its way'],
];

/** Zones in the order in which legends have them, and what they are. The rare one only if it is. */
export const zoneNames = ({ zones }: HeapMap): typeof ZONE_NAMES =>
  ZONE_NAMES.filter(([zone]) => zone !== 'reserved' || zones.reserved.runs > 0);
