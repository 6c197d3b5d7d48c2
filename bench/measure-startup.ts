/** Startup as a part of the benchmark: runs of startup.ts, each in a new process. */

import type { Part, Setting } from './part.js';
import { runModule } from './processes.js';
import { MIB, type Section } from './section.js';
import type { StartupResult } from './startup.js';
import { median, spread } from './statistics.js';
import { short, within } from './tables.js';

const STARTUP = new URL('./startup.js', import.meta.url);

export const startup: Part = {
  name: 'startup',
  about: 'the first heap of a process, and the first attach of a worker, cold',
  measure,
};

function measure({ rounds, tell }: Setting): Section[] {
  tell('startup');
  // One run takes a tenth of a second, and varies more than any other measurement here.
  const all = Array.from({ length: rounds * 2 + 1 }, () => runModule<StartupResult>(STARTUP, []));
  const resident = all.map(({ createResidentBytes }) => (createResidentBytes ?? Number.NaN) / MIB);
  const found: Record<string, number[]> = {
    'create 1 GiB, ms': all.map(({ createMs }) => createMs),
    'create 1 GiB, resident MiB': resident.filter((value) => !Number.isNaN(value)),
    'attach, ms': all.map(({ attachMs }) => attachMs),
  };
  return [
    {
      title: 'startup, cold',
      columns: ['', 'median', 'least'],
      rows: Object.entries(found).map(([name, values]) => [
        name,
        within(median(values), spread(values)),
        short(Math.min(...values)),
      ]),
      notes: ['Targets are for the minimum: other work of the machine can only add to it.'],
      figures: Object.fromEntries(
        Object.entries(found)
          .filter(([, values]) => values.length > 0)
          .map(([name, values]) => [name, Math.min(...values)]),
      ),
    },
  ];
}
