/**
 * The environment: the values of SHMALLOC_ variables. A wrong or unknown one is never ignored
 * silently.
 *
 * Used by debug-options.ts. Any thread: a worker's environment is a copy made at its start.
 */

import { show, similarTo, threadState } from '../base/index.js';
import type { OptionKind } from './option-kinds.js';

const PREFIX = 'SHMALLOC_';
/** Prefix of the test suite's variables. */
const TEST_PREFIX = 'SHMALLOC_TEST_';
const WARNING_CODE = 'SHMALLOC_DEBUG_OPTION';

/** The type of `process.env`. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** A known variable. */
export interface Variable {
  readonly variable: string;
  readonly kind: OptionKind<unknown>;
}

/** Variables that this thread has already warned about. */
const warned = threadState('warned', () => new Set<string>());

/** Values by variable. A wrong value causes a warning and is left out. */
export function readEnvironment(
  environment: Environment,
  known: readonly Variable[],
): Map<string, unknown> {
  const said = new Map<string, unknown>();
  for (const [name, text = ''] of Object.entries(environment)) {
    if (!name.startsWith(PREFIX) || name.startsWith(TEST_PREFIX)) continue;
    const kind = known.find(({ variable }) => variable === name)?.kind;
    if (kind === undefined) {
      warn(name, `${name} is not a variable of shmalloc: ${hint(name, known)}`);
      continue;
    }
    const value = text.trim() === '' ? kind.off : kind.fromText(text.trim());
    if (value !== undefined) said.set(name, value);
    else warn(name, `${name} must be ${kind.allowed}, got ${show(text)}: it is ignored`);
  }
  return said;
}

/** The most similar variable; if none is similar, the variable that lists all of them. */
function hint(name: string, known: readonly Variable[]): string {
  const bare = ({ variable }: Variable): string => variable.slice(PREFIX.length);
  const similar = similarTo(name.slice(PREFIX.length), known.map(bare));
  return similar === undefined
    ? `${PREFIX}HELP=1 lists all of them`
    : `the nearest is ${PREFIX}${similar}`;
}

function warn(name: string, message: string): void {
  if (warned.has(name)) return;
  warned.add(name);
  process.emitWarning(message, { code: WARNING_CODE });
}
