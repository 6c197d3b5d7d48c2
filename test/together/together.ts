/**
 * Loads the tests of whole folders into one process, for `npm test`: to start a process and to load the
 * library take longer than most files of tests.
 *
 * Their tests run one after the other. What changes or counts something of the whole process is called
 * `*.alone.test.ts` and gets a process of its own.
 */

import { readdirSync } from 'node:fs';
import { createRequire } from 'node:module';

const require = createRequire(import.meta.url);

/** Declares all tests of these folders of test/, but the long ones and those that must be alone. */
export function together(...folders: readonly string[]): void {
  for (const folder of folders) {
    const names = readdirSync(new URL(`../${folder}`, import.meta.url)).sort();
    for (const name of names) {
      if (!name.endsWith('.test.js') || /\.(alone|long)\.test\.js$/.test(name)) continue;
      // Not import(): ava wants all tests of a process declared before it starts the first.
      require(`../${folder}/${name}`);
    }
  }
}
