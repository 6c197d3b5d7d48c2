/** Proves the plots' structure: well-formed, one bar for each value, and the places of values. */

import test, { type ExecutionContext } from 'ava';
import { axisOf, type BarPlot, drawBars } from '../../bench/plots.js';

const PLOT: BarPlot = {
  file: 'plot',
  title: 'larson & <others>',
  axis: 'ratio',
  scale: 'log',
  reference: 1,
  groups: ['larson', 'mstress'],
  series: [
    { name: 'to glibc', ink: 1, values: [0.5, 2] },
    { name: 'to mimalloc', ink: 2, values: [1.2, null] },
  ],
};

const withValues = (scale: BarPlot['scale'], ...values: number[]): BarPlot => ({
  ...PLOT,
  scale,
  groups: values.map(String),
  series: [{ name: 'to glibc', ink: 1, values }],
});

/** Checks that every element is closed in order, and that text has no bare characters of markup. */
function assertWellFormed(t: ExecutionContext, svg: string): void {
  const open: string[] = [];
  const rest = svg.replace(
    /<(\/?)([a-z]+)((?:\s[\w:-]+="[^"<]*")*)\s*(\/?)>/gi,
    (_, end, name, __, empty) => {
      if (end === '/') t.is(open.pop(), name);
      else if (empty !== '/') open.push(name);
      return '';
    },
  );
  t.deepEqual(open, []);
  t.notRegex(rest, /[<>]|&(?!(amp|lt|gt|quot);)/);
}

const bars = (svg: string) =>
  [
    ...svg.matchAll(/<rect class="s(\d)" x="([\d.]+)" y="[\d.]+" width="([\d.]+)" height="10"/g),
  ].map(([, ink, x, width]) => ({
    ink: Number(ink),
    from: Number(x),
    to: Number(x) + Number(width),
  }));

test('drawBars: well-formed; a bar for each value, in its colour, and none for a missing value', (t) => {
  const svg = drawBars(PLOT);
  assertWellFormed(t, svg);
  t.deepEqual(
    bars(svg).map(({ ink }) => ink),
    [1, 2, 1],
  );
  t.regex(svg, /larson &amp; &lt;others&gt;/);
  t.regex(svg, /prefers-color-scheme:dark/);
});

test('drawBars: on a log axis bars start at the reference, half and twice equally far from it', (t) => {
  const [half, , twice] = bars(drawBars(PLOT));
  t.true(Math.abs((half?.to ?? 0) - (twice?.from ?? 1)) < 0.2);
  const [left, right] = [half, twice].map((one) => (one?.to ?? 0) - (one?.from ?? 0));
  t.true(Math.abs((left ?? 0) - (right ?? 1)) < 0.2);
});

test('drawBars: on a linear axis bars start at 0', (t) => {
  const [one, two] = bars(drawBars(withValues('linear', 1, 2)));
  t.is(one?.from, two?.from);
  t.true(
    Math.abs(((two?.to ?? 0) - (two?.from ?? 0)) / ((one?.to ?? 0) - (one?.from ?? 0)) - 2) < 0.01,
  );
});

test('drawBars: names and values do not overlap, and all of it is inside of the picture', (t) => {
  const names = Array.from({ length: 14 }, (_, n) => `a-workload-${n}`);
  const svg = drawBars({
    ...PLOT,
    groups: names,
    series: Array.from({ length: 9 }, (_, n) => ({
      name: `an allocator of a long name ${n}`,
      ink: n,
      values: names.map((_, place) => 10 ** ((place % 7) - 4)),
    })),
  });
  const [, width, height] = /viewBox="0 0 ([\d.]+) ([\d.]+)"/.exec(svg) as RegExpExecArray;
  const texts = [...svg.matchAll(/<text class="[^"]*" x="([\d.-]+)" y="([\d.-]+)">([^<]*)</g)];
  t.true(
    texts.every(
      ([, x, y]) => Number(x) > 0 && Number(x) < Number(width) && Number(y) < Number(height),
    ),
  );
  const ys = texts
    .filter(([, , , text]) => text?.startsWith('a-workload'))
    .map(([, , y]) => Number(y));
  t.true(ys.every((y, n) => n === 0 || y - (ys[n - 1] as number) > 14));
});

test('axisOf: a log axis has room for all values, and not too many ticks', (t) => {
  for (const values of [
    [0.3, 2.7],
    [1],
    [0.9, 1.1],
    [0.0004, 0.2],
    [0.006, 11],
    [1.3, 15],
    [3, 40_000],
  ]) {
    const axis = axisOf(withValues('log', ...values), 600);
    t.true(axis.from <= Math.min(...values, 1) && axis.to >= Math.max(...values, 1), `${values}`);
    const least = Math.min(...values);
    if (least < 1) t.true(axis.place(least) > 50, `room left of ${least}`);
    t.true(axis.ticks.every((tick) => tick >= axis.from && tick <= axis.to));
    t.is(axis.place(axis.from), 0);
    t.true(Math.abs(axis.place(axis.to) - 600) < 1e-9);
    t.true(axis.ticks.length >= 2 && axis.ticks.length <= 13, `${axis.ticks}`);
  }
});

test('axisOf: equal ratios are equally far apart on a log axis', (t) => {
  const axis = axisOf(withValues('log', 0.1, 10), 600);
  const decade = axis.place(1) - axis.place(0.1);
  t.true(Math.abs(axis.place(10) - axis.place(1) - decade) < 1e-9);
});

test('axisOf: a linear axis begins at 0 and ends at a tick', (t) => {
  t.deepEqual(axisOf(withValues('linear', 1.7), 100).ticks, [0, 0.5, 1, 1.5, 2]);
  t.is(axisOf(withValues('linear', 1.7), 100).place(1), 50);
});
