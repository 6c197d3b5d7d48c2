/**
 * Options objects: every call that takes some reads them here, and nothing wrong passes in silence.
 *
 * Used by all folders with public calls. Pure functions.
 *
 * I1  An option is read once: what its getter says the second time changes nothing.
 * I2  Whatever is wrong, a getter that throws included, is an error of ours that names the call and
 *     the option.
 */

import { rangeError, show, typeError } from './errors.js';
import { indexIn } from './originals.js';
import { similarTo } from './similar.js';

/** What values an option can have. */
export interface OptionValue<Value> {
  /** What an error says is allowed. */
  readonly allowed: string;
  /** `typeof` of those that are: another value of such a type is a RangeError, else a TypeError. */
  readonly types: readonly string[];
  /** The value that code gave, as it is used; undefined when it is none. */
  fromCode(given: unknown): Value | undefined;
}

/** The values of all options that a call takes, by name. */
export type OptionValues<Options> = {
  readonly [Name in keyof Options]-?: OptionValue<NonNullable<Options[Name]>>;
};

/** What is checked later, by whoever knows more: anything. */
export const ANYTHING: OptionValue<never> = {
  allowed: 'anything',
  types: [],
  fromCode: (given) => given as never,
};

export const FLAG: OptionValue<boolean> = {
  allowed: 'true or false',
  types: [],
  fromCode: (given) => (typeof given === 'boolean' ? given : undefined),
};

export const TEXT: OptionValue<string> = {
  allowed: 'a text',
  types: [],
  fromCode: (given) => (typeof given === 'string' ? given : undefined),
};

/** A function; `what` says which: 'a function that gets the text'. */
export const callback = <Fn>(what: string): OptionValue<Fn> => ({
  allowed: what,
  types: [],
  fromCode: (given) => (typeof given === 'function' ? (given as Fn) : undefined),
});

/** One of some words. */
export const oneOf = <Word extends string>(...words: readonly Word[]): OptionValue<Word> => ({
  allowed: listed(words, 'or'),
  types: [],
  fromCode: (given) => words.find((word) => word === given),
});

/** A whole number; `what` says of what, and its limits: 'a whole number of bytes from 0'. */
export const wholeFrom = (
  what: string,
  least: number,
  most = Number.MAX_SAFE_INTEGER,
): OptionValue<number> => ({
  allowed: what,
  types: ['number'],
  fromCode: (given) =>
    Number.isInteger(given) && (given as number) >= least && (given as number) <= most
      ? (given as number)
      : undefined,
});

/**
 * The options that were given, each as it is used; those that were not, or are undefined, are not in
 * it.
 * @param call stands at the head of every error
 * @param within the option that these are in: `debug`; empty = the call's own
 * @throws TypeError, RangeError ERR_SHMALLOC_INVALID_OPTION
 */
export function readOptions<Options>(
  call: string,
  given: unknown,
  values: OptionValues<Options>,
  within = '',
): { [Name in keyof Options]?: NonNullable<Options[Name]> } {
  const found: Record<string, unknown> = {};
  if (given === undefined) return found as never;
  checkOptions(call, given, Object.keys(values), within);
  let path = within;
  try {
    const names = Object.keys(values);
    for (let n = 0; n < names.length; n++) {
      const name = names[n] as string;
      path = within === '' ? name : `${within}.${name}`;
      const said = (given as Record<string, unknown>)[name];
      if (said === undefined) continue;
      const value = values[name as keyof Options];
      const choice = value.fromCode(said);
      if (choice === undefined) throw badOption(call, path, said, value);
      found[name] = choice;
    }
  } catch (error) {
    throw unreadable(call, `option ${path}`, error);
  }
  return found as never;
}

/**
 * An object of options that are known, or nothing. What values they have is not looked at.
 * @throws TypeError ERR_SHMALLOC_INVALID_OPTION that names the call, and the nearest of the known ones
 */
export function checkOptions(
  call: string,
  given: unknown,
  known: readonly string[],
  within = '',
): void {
  if (given === undefined) return;
  try {
    if (typeof given !== 'object' || given === null || Array.isArray(given)) {
      const what = within === '' ? 'options are' : `${within} is`;
      throw invalid(`${call}: ${what} an object with ${listed(known, 'and')}, got ${show(given)}`);
    }
    const names = Object.keys(given);
    for (let n = 0; n < names.length; n++) {
      const name = names[n] as string;
      if (indexIn(known, name) >= 0) continue;
      const has = within === '' ? 'there is' : `${within} has`;
      throw invalid(`${call}: ${has} no option ${show(name)}; ${hint(name, known)}`);
    }
  } catch (error) {
    throw unreadable(call, within === '' ? 'the options' : `option ${within}`, error);
  }
}

/** An option that cannot be what it was given. */
export function badOption(
  call: string,
  path: string,
  got: unknown,
  { allowed, types }: Pick<OptionValue<unknown>, 'allowed' | 'types'>,
): TypeError | RangeError {
  const make = types.includes(typeof got) ? rangeError : typeError;
  return make(
    'ERR_SHMALLOC_INVALID_OPTION',
    `${call}: ${path} must be ${allowed}, got ${showWithin(got)}`,
  );
}

/**
 * Looks into something that a caller gave: what its getters and traps throw is an error of the call.
 * @param what of the caller's it is: `option size`
 * @throws what `look` throws on purpose; TypeError ERR_SHMALLOC_INVALID_OPTION
 */
export function lookAt<T>(call: string, what: string, look: () => T): T {
  try {
    return look();
  } catch (error) {
    throw unreadable(call, what, error);
  }
}

/** What to throw for what was thrown meanwhile. */
function unreadable(call: string, what: string, error: unknown): unknown {
  if (isOurs(error)) return error;
  const text = `${call}: cannot read ${what}: looking at it threw ${textOfError(error)}`;
  return Object.assign(invalid(text), { cause: error });
}

function isOurs(error: unknown): boolean {
  try {
    return /^ERR_SHMALLOC_/.test((error as { code: string }).code);
  } catch {
    return false;
  }
}

function textOfError(error: unknown): string {
  try {
    const { name, message } = error as { name?: unknown; message?: unknown };
    if (typeof name === 'string' && typeof message === 'string') return `${name}: ${message}`;
  } catch {
    // It cannot be looked at either.
  }
  return show(error);
}

const invalid = (message: string): TypeError => typeError('ERR_SHMALLOC_INVALID_OPTION', message);

/** Which option was meant; where that is a riddle, all there are. */
function hint(name: string, known: readonly string[]): string {
  const similar = similarTo(name, known);
  if (similar !== undefined) return `the nearest is '${similar}'`;
  return known.length === 0 ? 'it takes none' : `it takes ${listed(known, 'and')}`;
}

/** `'a'`, `'a' and 'b'`, `'a', 'b' and 'c'`. */
function listed(names: readonly string[], and: 'and' | 'or'): string {
  const quoted = names.map((name) => `'${name}'`);
  const last = quoted.pop() ?? 'none';
  return quoted.length === 0 ? last : `${quoted.join(', ')} ${and} ${last}`;
}

/** Maximum characters of what is in an object or array that a message shows. */
const SHOWN_CHARS_MAX = 120;

/** Plain objects and arrays with what is in them: `{ depth: 3, evry: 2 }`. */
function showWithin(value: unknown): string {
  try {
    if (typeof value !== 'object' || value === null) return show(value);
    const isArray = Array.isArray(value);
    if (!isArray && show(value) !== 'an object') return show(value);
    const parts = Object.entries(value).map(([name, part]) => {
      return isArray ? show(part) : `${name}: ${show(part)}`;
    });
    const [open, close] = isArray ? '[]' : '{}';
    const text = parts.length === 0 ? `${open}${close}` : `${open} ${parts.join(', ')} ${close}`;
    return text.length <= SHOWN_CHARS_MAX ? text : `${text.slice(0, SHOWN_CHARS_MAX)}...`;
  } catch {
    // A getter of it throws: its kind is what can be told.
    return show(value);
  }
}
