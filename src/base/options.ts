/**
 * Options objects: what every call that takes some refuses.
 *
 * Used by observe/, pictures/ and face/. Pure functions.
 */

import { show, typeError } from './errors.js';

/**
 * An object of options that are known, or nothing.
 * @throws TypeError ERR_SHMALLOC_INVALID_OPTION that names the call and the known ones
 */
export function checkOptions(call: string, given: unknown, known: readonly string[]): void {
  if (given === undefined) return;
  if (typeof given !== 'object' || given === null || Array.isArray(given)) {
    throw invalid(`${call}: options are an object with ${listed(known)}, got ${show(given)}`);
  }
  for (const name of Object.keys(given)) {
    if (known.includes(name)) continue;
    throw invalid(`${call}: there is no option '${name}', only ${listed(known)}`);
  }
}

const invalid = (message: string): TypeError => typeError('ERR_SHMALLOC_INVALID_OPTION', message);

/** `'a'`, `'a' and 'b'`, `'a', 'b' and 'c'`. */
function listed(names: readonly string[]): string {
  const quoted = names.map((name) => `'${name}'`);
  const last = quoted.pop() ?? 'none';
  return quoted.length === 0 ? last : `${quoted.join(', ')} and ${last}`;
}
