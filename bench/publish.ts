/**
 * Writes the results of a run: as text on the terminal, as JSON, and as a page of markdown with
 * plots.
 *
 * bench/results/ gets every run, named after what was run. docs/benchmarks.md gets whole runs only,
 * and only with --publish (options.ts).
 */

import { mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { cpus, release } from 'node:os';
import { join } from 'node:path';
import { drawBars } from './plots.js';
import type { Section } from './section.js';
import { markdownTable, textTable, wrapText } from './tables.js';
import type { Verdict } from './targets.js';

/** All results of a run. */
export interface Report {
  readonly command: string;
  readonly label: string;
  readonly smoke: boolean;
  readonly rounds: number;
  /** What this machine lacks, in words. */
  readonly missing: readonly string[];
  readonly verdicts: readonly Verdict[];
  /** Sections, the verdicts first. */
  readonly sections: readonly Section[];
}

export interface Machine {
  readonly date: string;
  readonly node: string;
  readonly platform: string;
  readonly processor: string;
  readonly cores: number;
}

export function thisMachine(): Machine {
  return {
    date: new Date().toISOString(),
    node: process.version,
    platform: `${process.platform} ${process.arch}, ${release()}`,
    processor: cpus()[0]?.model ?? 'unknown',
    cores: cpus().length,
  };
}

export function printReport({ sections, missing }: Report): void {
  for (const { title, columns, rows, notes } of sections) {
    console.log(`\n${title}`);
    if (rows.length > 0) process.stdout.write(textTable(columns, rows));
    for (const note of notes) process.stdout.write(wrapText(note));
  }
  for (const what of missing) console.log(`missing: ${what}`);
}

/** Writes LABEL.json, LABEL.md and its plots; returns the path of the JSON file. */
export function writeResults(folder: string, report: Report): string {
  mkdirSync(folder, { recursive: true });
  const { label, sections, verdicts, ...rest } = report;
  const path = join(folder, `${label}.json`);
  const all = { label, ...rest, machine: thisMachine(), sections, targets: verdicts };
  writeFileSync(path, `${JSON.stringify(all, null, 2)}\n`);
  writePage(folder, label, report);
  return path;
}

/** Writes NAME.md, and its plots as NAME-*.svg in place of earlier ones. */
export function writePage(folder: string, name: string, report: Report): string {
  for (const file of readdirSync(folder)) {
    if (file.startsWith(`${name}-plot-`) && file.endsWith('.svg')) rmSync(join(folder, file));
  }
  for (const plot of report.sections.flatMap(({ plots = [] }) => plots)) {
    writeFileSync(join(folder, plotFile(name, plot.file)), drawBars(plot));
  }
  const path = join(folder, `${name}.md`);
  writeFileSync(path, pageOf(name, report, thisMachine()));
  return path;
}

const plotFile = (name: string, plot: string): string => `${name}-plot-${plot}.svg`;

export function pageOf(name: string, report: Report, machine: Machine): string {
  const { command, rounds, missing, sections, smoke } = report;
  const { date, node, platform, processor, cores } = machine;
  const head = [
    '# Benchmarks',
    `Written by \`${command}\`${smoke ? ', whose numbers are meaningless: it only shows that all runs' : ''}.`,
    '',
    markdownTable(
      ['machine', ''],
      [
        ['date', date.slice(0, 10)],
        ['Node', node],
        ['processor', `${processor}, ${cores} cores`],
        ['system', platform],
        ['rounds', String(rounds)],
        ['missing', missing.length === 0 ? 'nothing' : missing.join('; ')],
      ],
    ),
    'Ratios are our time to the peer’s, so less is better: the median of the ratios of all rounds, and ±',
    'the distance of the quartiles in per cent of it. In each round every allocator runs once. Trust',
    'ratios of one run; absolute times depend more on the machine.',
    '',
  ].join('\n');
  return head + sections.map((section) => sectionOf(name, section)).join('');
}

function sectionOf(name: string, { title, columns, rows, notes, plots = [] }: Section): string {
  return [
    `\n## ${title[0]?.toUpperCase()}${title.slice(1)}\n`,
    ...(rows.length > 0 ? [markdownTable(columns, rows)] : []),
    ...notes.map((note) => `\n${note}\n`),
    ...plots.map((plot) => `\n![${plot.title}](${plotFile(name, plot.file)})\n`),
  ].join('');
}
