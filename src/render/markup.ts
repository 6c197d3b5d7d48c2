/**
 * Markup: what the SVG picture and the page share: escaping, measures, and one style sheet for
 * light and dark backgrounds.
 *
 * Used by panels.ts, svg.ts and html.ts. Pure text.
 */

import { List, printable } from '../base/index.js';
import { COLORS } from './palette.js';

/** Text for an element or an attribute. */
export function escapeText(text: string): string {
  return (
    printable(text)
      .replace(/&/g, '&amp;')
      .replace(/</g, '&lt;')
      .replace(/>/g, '&gt;')
      .replace(/"/g, '&quot;')
      .replace(/'/g, '&#39;')
      // XML forbids these characters, even escaped.
      .replace(/[\ufffe\uffff]/g, ' ')
  );
}

export type Point = readonly [x: number, y: number];
export type Box = readonly [x: number, y: number, width: number, height: number];

/** A coordinate, in as few digits as possible. */
export const px = (value: number): string => String(Math.round(value * 10) / 10);

/** A rectangle of a style class. */
export const rect = (style: string, [x, y, width, height]: Box): string =>
  `<rect class="${style}" x="${px(x)}" y="${px(y)}" width="${px(width)}" height="${px(height)}"/>`;

/** A line of text; `style` is one or several classes. */
export const label = (style: string, [x, y]: Point, text: string): string =>
  `<text class="${style}" x="${px(x)}" y="${px(y)}">${escapeText(text)}</text>`;

/**
 * Mean widths of a normal and of a small letter in the widest of the fonts, in pixels: text cannot
 * be measured here.
 */
export const LETTER_PX = 7.9;
export const SMALL_LETTER_PX = 7;

/** A text as lines that fit a width, broken at spaces. */
export function wrapText(text: string, width: number, letterPx = LETTER_PX): string[] {
  const room = width / letterPx;
  const lines = new List<string>();
  for (const word of text.split(' ')) {
    const last = lines.at(-1);
    if (last === undefined || last.length + 1 + word.length > room) lines.push(word);
    else lines[lines.length - 1] = `${last} ${word}`;
  }
  return lines;
}

/** Lines of text below each other, from a baseline down. */
export const labels = (
  style: string,
  [x, y]: Point,
  lines: readonly string[],
  step: number,
): string => lines.map((line, i) => label(style, [x, y + i * step], line)).join('');

/** The style class of an ink, by its index. */
export const inkClass = (ink: number): string => `i${ink}`;

interface Scheme {
  readonly page: string;
  readonly text: string;
  readonly dim: string;
  readonly line: string;
  readonly hatch: string;
  readonly mark: string;
  /** Three greys that differ visibly beside each other. */
  readonly greys: readonly [string, string, string];
}

const LIGHT: Scheme = {
  page: '#ffffff',
  text: '#1d2530',
  dim: '#5d6674',
  line: '#d4d8de',
  hatch: '#a9b0bb',
  mark: '#c11a2b',
  greys: ['#d5d9e0', '#9aa3b1', '#5d6674'],
};
const DARK: Scheme = {
  page: '#12151a',
  text: '#e7eaef',
  dim: '#9aa3b0',
  line: '#363c46',
  hatch: '#565e6b',
  mark: '#ff7a7a',
  greys: ['#3d4450', '#6c7583', '#a9b1bd'],
};

/** Colours of the page by name, for code that draws without style classes. */
export const SCHEMES = { light: LIGHT, dark: DARK };

function colours(scheme: Scheme, of: 'light' | 'dark'): string {
  return [
    ...COLORS.map((ink, i) => `.${inkClass(i)}{fill:${ink[of]}}`),
    `.page,.gridline{fill:${scheme.page}}`,
    `.gridline{stroke:${scheme.page};fill:none}`,
    `.text{fill:${scheme.text}}`,
    `.dim{fill:${scheme.dim}}`,
    `.line{stroke:${scheme.line};fill:none}`,
    `.hatch{stroke:${scheme.hatch};fill:none}`,
    `.mark{fill:${scheme.mark}}`,
    ...scheme.greys.map((grey, i) => `.grey${i + 1}{fill:${grey}}`),
  ].join('');
}

/** The style sheet: light by default, dark if the reader prefers dark. */
export const STYLE = [
  'text{font-family:system-ui,"Segoe UI","Helvetica Neue",Arial,sans-serif;font-size:13.5px}',
  '.mono{font-family:ui-monospace,"DejaVu Sans Mono",Menlo,Consolas,monospace;font-size:11.5px}',
  '.title{font-size:20px;font-weight:600}.big{font-size:24px;font-weight:600}',
  '.small{font-size:12px}.end{text-anchor:end}.middle{text-anchor:middle}',
  '.free{fill:url(#hatch)}',
  colours(LIGHT, 'light'),
  `@media (prefers-color-scheme:dark){${colours(DARK, 'dark')}}`,
].join('\n');

/**
 * The pattern that `.free` refers to: lines over free runs, so that they do not look like a pale
 * span.
 */
export const HATCH =
  '<defs><pattern id="hatch" width="6" height="6" patternUnits="userSpaceOnUse">' +
  '<path class="hatch" d="M-1 7 7 -1M-1 1 1 -1M5 7 7 5"/></pattern></defs>';
