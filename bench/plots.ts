/**
 * Bars as an SVG picture: groups below each other, each with a bar for every series. Pure text.
 *
 * Horizontal bars leave room for names of any length, and for the value at the end of each bar. On
 * a log axis they start at the reference: a bar to the left of it is a smaller value. The picture
 * follows the reader's light or dark scheme, and needs no external resource.
 */

/** The contents of a plot: plain data. */
export interface BarPlot {
  /** Name of the file, without the suffix. */
  readonly file: string;
  readonly title: string;
  /** Meaning of the axis. */
  readonly axis: string;
  readonly scale: 'log' | 'linear';
  /** Value at which a line is drawn. On a log axis, bars start at it. */
  readonly reference: number;
  readonly groups: readonly string[];
  readonly series: readonly Series[];
}

export interface Series {
  readonly name: string;
  /** Values by group; null = not measured. */
  readonly values: readonly (number | null)[];
  /** Index of the colour: a series has the same colour in all plots. */
  readonly ink: number;
}

/** An axis from `from` to `to`, drawn over a number of pixels. */
export interface Axis {
  readonly from: number;
  readonly to: number;
  readonly ticks: readonly number[];
  place(value: number): number;
}

const WIDTH_PX = 860;
const MARGIN_PX = 20;
const NAME_PX = 130;
/** Space to the right of the axis for the value of the longest bar, in pixels. */
const VALUE_PX = 56;
const AXIS_PX = WIDTH_PX - 2 * MARGIN_PX - NAME_PX - VALUE_PX;
const BAR_PX = 12;
const GROUP_GAP_PX = 12;
const TITLE_PX = 50;
const LEGEND_ROW_PX = 22;
const AXIS_HEIGHT_PX = 46;
/** Approximate width of a letter of 12 pixels. */
const LETTER_PX = 7;

/**
 * Blue (ours), orange, green, purple, yellow, grey: distinct for colour-blind people (Okabe and
 * Ito).
 */
const LIGHT = ['#0a5a9e', '#d07300', '#00745a', '#a3216f', '#b39000', '#7d8594'];
const DARK = ['#5ab0f5', '#ffa63d', '#27b48e', '#ee86c0', '#f4dc5a', '#9aa3b0'];

const scheme = (page: string, text: string, dim: string, line: string, inks: readonly string[]) =>
  [
    // A margin around values separates them from the lines that they cross.
    `.page{fill:${page}}.small{stroke:${page};stroke-width:2px;paint-order:stroke}.text{fill:${text}}.dim{fill:${dim}}`,
    `.line{stroke:${line};fill:none}.reference{stroke:${text};fill:none}`,
    ...inks.map((ink, n) => `.s${n}{fill:${ink}}`),
  ].join('');

const STYLE = [
  'text{font:12px system-ui,"Segoe UI","Helvetica Neue",Arial,sans-serif}',
  '.title{font-size:17px;font-weight:600}.small{font-size:10.5px}',
  '.end{text-anchor:end}.middle{text-anchor:middle}',
  scheme('#ffffff', '#1d2530', '#5d6674', '#d4d8de', LIGHT),
  `@media (prefers-color-scheme:dark){${scheme('#12151a', '#e7eaef', '#9aa3b0', '#363c46', DARK)}}`,
].join('');

export function drawBars(plot: BarPlot): string {
  const { title, axis: axisTitle, scale, groups, reference } = plot;
  const series = plot.series.filter(({ values }) => values.some((value) => value !== null));
  const axis = axisOf(plot, AXIS_PX);
  const legend = legendOf(series);
  const top = TITLE_PX + legend.rows * LEGEND_ROW_PX;
  const groupPx = series.length * BAR_PX + GROUP_GAP_PX;
  const bottom = top + groups.length * groupPx;
  const height = bottom + AXIS_HEIGHT_PX + MARGIN_PX;
  const left = MARGIN_PX + NAME_PX;
  const start = left + axis.place(scale === 'log' ? reference : 0);
  const mark = left + axis.place(reference);
  const bars = groups.flatMap((_, group) =>
    series.flatMap(({ values, ink }, n) => {
      const value = values[group] ?? null;
      const y = top + GROUP_GAP_PX / 2 + group * groupPx + n * BAR_PX;
      return value === null ? [] : [barOf(ink, start, left + axis.place(value), y, value)];
    }),
  );
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH_PX} ${px(height)}" ` +
      `width="${WIDTH_PX}" height="${px(height)}" role="img">`,
    `<title>${escapeText(title)}</title>`,
    `<style>${STYLE}</style>`,
    `<rect class="page" width="${WIDTH_PX}" height="${px(height)}"/>`,
    label('text title', MARGIN_PX, MARGIN_PX + 12, title),
    legend.svg,
    ...axis.ticks.map((tick) => {
      const x = left + axis.place(tick);
      return line('line', x, top, x, bottom) + label('dim middle', x, bottom + 16, tickText(tick));
    }),
    label('dim', left, bottom + 36, axisTitle),
    ...groups.map((name, group) => {
      const middle = top + group * groupPx + groupPx / 2 + 4;
      return label('text end', left - 10, middle, name);
    }),
    ...bars.map(({ svg }) => svg),
    line('reference', mark, top, mark, bottom),
    ...bars.map(({ text }) => text),
    '</svg>',
    '',
  ].join('\n');
}

interface Bar {
  readonly svg: string;
  readonly text: string;
}

/** A bar from its start to its value; the value is written behind it. */
function barOf(ink: number, start: number, end: number, y: number, value: number): Bar {
  const [from, to] = start < end ? [start, end] : [end, start];
  const isLess = end < start;
  return {
    svg:
      `<rect class="${inkClass(ink)}" x="${px(from)}" y="${px(y + 1)}" ` +
      `width="${px(Math.max(1, to - from))}" height="${BAR_PX - 2}"/>`,
    text: label(
      isLess ? 'dim small end' : 'dim small',
      isLess ? end - 4 : end + 4,
      y + BAR_PX - 2,
      valueText(value),
    ),
  };
}

/** The axis that contains all values. */
export function axisOf({ scale, series, reference }: BarPlot, pixels: number): Axis {
  const measured = series.flatMap((one) => one.values).filter((value) => value !== null);
  const values = [...measured, reference];
  return scale === 'log' ? logAxis(values, pixels) : linearAxis(values, pixels);
}

function linearAxis(values: readonly number[], pixels: number): Axis {
  const most = Math.max(...values, 0);
  const step = niceStep((most || 1) / 5);
  const to = Math.max(1, Math.ceil(most / step - 1e-9)) * step;
  const ticks = Array.from({ length: Math.round(to / step) + 1 }, (_, n) => n * step);
  return { from: 0, to, ticks, place: (value) => (value / to) * pixels };
}

/** The least of 1, 2 or 5 times a power of ten that is not below a value. */
function niceStep(least: number): number {
  const power = 10 ** Math.floor(Math.log10(least));
  return ([1, 2, 5].find((times) => times * power >= least) ?? 10) * power;
}

/**
 * Ends at 1, 2 or 5 times a power of ten; ticks at all of these, or for long axes at powers only.
 */
function logAxis(values: readonly number[], pixels: number): Axis {
  const positive = values.filter((value) => value > 0);
  const least = Math.min(...positive, 1);
  const most = Math.max(...positive, 1);
  const first = Math.floor(Math.log10(least)) - 2;
  const last = Math.ceil(Math.log10(most)) + 1;
  const stepsFrom = (steps: readonly number[]) =>
    Array.from({ length: last - first + 1 }, (_, n) => steps.map((step) => tenTo(step, first + n)));
  const ends = stepsFrom([1, 2, 5]).flat();
  const to = Math.min(...ends.filter((end) => end >= most && end > least));
  // To the left of a bar that goes to the left there must be room for its text.
  const room = least < 1 ? VALUE_PX / pixels : 0;
  const hasRoom = (from: number) => Math.log(least / from) >= room * Math.log(to / from);
  const from = Math.max(...ends.filter((end) => end <= least && end < to && hasRoom(end)));
  const isWide = Math.log10(to / from) > 3;
  const ticks = (isWide ? stepsFrom([1]).flat() : ends).filter(
    (tick) => tick >= from && tick <= to,
  );
  const length = Math.log(to) - Math.log(from);
  const place = (value: number) =>
    ((Math.log(Math.max(value, from)) - Math.log(from)) / length) * pixels;
  return { from, to, ticks, place };
}

/** Exact, without the rounding error of a negative power of ten. */
const tenTo = (digit: number, power: number): number => Number(`${digit}e${power}`);

interface Legend {
  readonly svg: string;
  readonly rows: number;
}

/** A square and a name for each series, in as many rows as needed. */
function legendOf(series: readonly Series[]): Legend {
  let [x, row] = [MARGIN_PX, 0];
  const parts = series.map(({ name, ink }) => {
    const width = 20 + name.length * LETTER_PX + 20;
    if (x + width > WIDTH_PX - MARGIN_PX && x > MARGIN_PX) [x, row] = [MARGIN_PX, row + 1];
    const y = TITLE_PX + row * LEGEND_ROW_PX;
    const part =
      `<rect class="${inkClass(ink)}" x="${px(x)}" y="${y - 4}" width="12" height="12"/>` +
      label('text', x + 18, y + 6, name);
    x += width;
    return part;
  });
  return { svg: parts.join(''), rows: row + 1 };
}

const inkClass = (ink: number): string => `s${ink % LIGHT.length}`;

const tickText = (tick: number): string =>
  Number(tick.toPrecision(3)).toLocaleString('en-US', TICK);
const TICK = { maximumFractionDigits: 9 };

function valueText(value: number): string {
  if (value >= 100) return Math.round(value).toLocaleString('en-US');
  return value >= 10 ? value.toFixed(1) : value >= 0.1 ? value.toFixed(2) : value.toPrecision(2);
}

/** A coordinate, in as few digits as possible. */
const px = (value: number): string => String(Math.round(value * 10) / 10);

const line = (style: string, x1: number, y1: number, x2: number, y2: number): string =>
  `<path class="${style}" d="M${px(x1)} ${px(y1)}L${px(x2)} ${px(y2)}"/>`;

const label = (style: string, x: number, y: number, text: string): string =>
  `<text class="${style}" x="${px(x)}" y="${px(y)}">${escapeText(text)}</text>`;

function escapeText(text: string): string {
  return text
    .replace(/&/g, '&amp;')
    .replace(/</g, '&lt;')
    .replace(/>/g, '&gt;')
    .replace(/"/g, '&quot;');
}
