/**
 * The benchmark: `npm run bench`, `npm run bench -- --help`.
 *
 * Runs parts, prints their results, judges them by the targets and writes them down. The file of
 * each part says what it models and what its numbers do not show. Results are ratios to peers on
 * this machine in the same rounds, since absolute times depend more on the machine.
 */

import { fileURLToPath } from 'node:url';
import { measureParts, missingHere } from './measure-parts.js';
import { helpText, type Options, parseOptions, UsageError } from './options.js';
import { ROOT } from './processes.js';
import { printReport, type Report, writePage, writeResults } from './publish.js';
import { evidenceOf, judge, targetsSection } from './targets.js';

const RESULTS = fileURLToPath(new URL('bench/results/', ROOT));
const DOCS = fileURLToPath(new URL('docs/', ROOT));

async function main(args: readonly string[]): Promise<void> {
  const options = parseOptions(args);
  if (options.help) {
    process.stdout.write(helpText());
    return;
  }
  const report = await run(options, args);
  printReport(report);
  if (options.publish) console.log(`\n${writePage(DOCS, 'benchmarks', report)}`);
  console.log(`\n${writeResults(options.output ?? RESULTS, report)}`);
}

async function run(options: Options, args: readonly string[]): Promise<Report> {
  const { label, smoke, rounds } = options;
  const found = await measureParts(options);
  const verdicts = judge(evidenceOf(found));
  return {
    command: ['npm run bench', ...(args.length === 0 ? [] : ['--', ...args])].join(' '),
    label,
    smoke,
    rounds,
    missing: missingHere(options),
    verdicts,
    sections: [targetsSection(verdicts, smoke), ...found],
  };
}

try {
  await main(process.argv.slice(2));
} catch (error) {
  if (!(error instanceof UsageError)) throw error;
  console.error(`bench: ${error.message}\nTry npm run bench -- --help`);
  process.exitCode = 2;
}
