/**
 * Loads the tests of whole folders into one process, for `npm test`: to start a process and to load the
 * library take longer than most files of tests.
 *
 * Their tests run one after the other. What changes or counts something of the whole process is called
 * `*.alone.test.ts` and gets a process of its own.
 */

import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { filesTogether } from '../test-files.js';

const ROOT = new URL('../../../', import.meta.url);
const require = createRequire(import.meta.url);

/** Declares all tests of these folders of test/, but the long ones and those that must be alone. */
export function together(...folders: readonly string[]): void {
  for (const folder of folders) {
    for (const path of filesTogether(folder)) {
      // Not import(): ava wants all tests of a process declared before it starts the first.
      require(fileURLToPath(new URL(path, ROOT)));
    }
  }
}
