/** Hand-over as a part of the benchmark: the results of handover.ts as a section. */

import { measureHandOver } from './handover.js';
import type { Part, Setting } from './part.js';
import type { Section } from './section.js';
import { median, ratios, spread } from './statistics.js';
import { within } from './tables.js';

const RECORDS = { smoke: 2000, full: 100_000 };

/** The figure of the target: how many times faster than structured clone. */
export const HAND_OVER = 'hand-over';

export const handOver: Part = {
  name: 'handover',
  about: 'records that go to a worker and back: in the heap, beside clones and transfers',
  measure,
};

function measure({ smoke, rounds, tell }: Setting): Section[] {
  tell('hand-over');
  const { records, milliseconds } = measureHandOver({
    rounds,
    records: RECORDS[smoke ? 'smoke' : 'full'],
  });
  const ways = Object.entries(milliseconds);
  const { clone, heap } = milliseconds;
  return [
    {
      title: `hand-over of ${records.toLocaleString('en-US')} records and back, ms`,
      columns: ['way', 'ms', 'times faster than a clone'],
      rows: ways.map(([way, found]) => {
        const faster = ratios(clone, found);
        return [
          way,
          within(median(found), spread(found)),
          way === 'clone' ? '' : within(median(faster), spread(faster)),
        ];
      }),
      notes: ['bench/handover-ways.ts describes each way.'],
      figures: { [HAND_OVER]: median(ratios(clone, heap)) },
    },
  ];
}
