/** Growth as a part of the benchmark: the results of growth.ts as sections. */

import { type GrowthRow, measureGrowth } from './growth.js';
import { NATIVE } from './native.js';
import type { Part, Setting } from './part.js';
import { OURS, type Section } from './section.js';
import { NOTHING, short } from './tables.js';

/** Maximum rounds: the best of each counts, and ten million blocks take seconds. */
const ROUNDS_MAX = 3;

export const growth: Part = {
  name: 'growth',
  about: 'does a call get slower with live blocks, with the heap’s size, with free runs?',
  measure,
};

function measure({ peers, smoke, rounds, tell }: Setting): Section[] {
  const rows = measureGrowth(peers, { smoke, rounds: Math.min(rounds, ROUNDS_MAX) }, tell);
  const shown = [OURS, ...NATIVE].filter((one) => rows.some(({ ns }) => one in ns));
  const first = (series: string) => rows.find((row) => row.series === series) as GrowthRow;
  const growthOf = ({ series, ns }: GrowthRow, allocator: string) =>
    (ns[allocator] ?? Number.NaN) / (first(series).ns[allocator] ?? Number.NaN);
  return [
    {
      title: 'growth, ns of a malloc and a free, and times that of the first of the series',
      columns: ['series', 'at', ...shown.flatMap((one) => [one, ''])],
      rows: rows.map((row) => [
        row.series,
        row.at.toLocaleString('en-US'),
        ...shown.flatMap((one) => [
          one in row.ns ? short(row.ns[one] as number) : NOTHING,
          row === first(row.series) ? '' : short(growthOf(row, one)),
        ]),
      ]),
      notes: ['bench/growth.ts describes the series.'],
      figures: Object.fromEntries(
        rows.map(({ series }) => [
          `growth of ${series}`,
          Math.max(
            ...rows.filter((row) => row.series === series).map((row) => growthOf(row, OURS)),
          ),
        ]),
      ),
    },
  ];
}
