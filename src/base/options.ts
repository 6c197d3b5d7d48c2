/**
 * Options objects: every call that takes options reads them here, and reports every mistake.
 *
 * Used by all folders with public calls. Pure functions.
 *
 * I1  An option is read once: if its getter returns another value the second time, nothing changes.
 * I2  Every mistake is an error of ours that names the call and the option, also when a getter
 *     throws.
 */

import { rangeError, show, typeError } from './errors.js';
import { indexIn } from './originals.js';
import { similarTo } from './similar.js';

/** The values that an option can have. */
export interface OptionValue<Value> {
  /** The text after "must be" in an error. */
  readonly allowed: string;
  /**
   * `typeof` of the allowed values. A wrong value of such a type is a RangeError, else a TypeError.
   */
  readonly types: readonly string[];
  /** Converts the caller's value to the one that is used; undefined if it is not allowed. */
  fromCode(given: unknown): Value | undefined;
}

/** The values of all options that a call takes, by name. */
export type OptionValues<Options> = {
  readonly [Name in keyof Options]-?: OptionValue<NonNullable<Options[Name]>>;
};

/** Any value: a later step, which knows more, checks it. */
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

/** A function; `what` describes it in errors: 'a function that gets the text'. */
export const callback = <Fn>(what: string): OptionValue<Fn> => ({
  allowed: what,
  types: [],
  fromCode: (given) => (typeof given === 'function' ? (given as Fn) : undefined),
});

/** One of the given words. */
export const oneOf = <Word extends string>(...words: readonly Word[]): OptionValue<Word> => ({
  allowed: listed(words, 'or'),
  types: [],
  fromCode: (given) => words.find((word) => word === given),
});

/** A whole number; `what` gives its unit and limits in errors: 'a whole number of bytes from 0'. */
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
 * The options that the caller gave, converted to the values that are used. Options that are missing
 * or undefined are not in the result.
 * @param call the call's name, which begins every error
 * @param within the option that contains these options, such as `debug`; empty = the call's own
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
 * Checks that `given` is an object with known options only, or undefined. Does not check their
 * values.
 * @throws TypeError ERR_SHMALLOC_INVALID_OPTION that names the call and the most similar known
 * option
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

/** The error for an option with a value that is not allowed. */
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
 * Runs `look`, which reads a value that the caller gave. If a getter or a proxy throws, the error
 * names the call.
 * @param what the name of the value in the error, such as `option size`
 */
export function lookAt<T>(call: string, what: string, look: () => T): T {
  try {
    return look();
  } catch (error) {
    throw unreadable(call, what, error);
  }
}

/** Turns an error from a getter or a proxy into one of ours; an error of ours stays as it is. */
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
    // Reading the error throws, too.
  }
  return show(error);
}

const invalid = (message: string): TypeError => typeError('ERR_SHMALLOC_INVALID_OPTION', message);

/** Suggests the most similar option; if no option is similar, lists all. */
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

/** Maximum characters of an object's or array's content in a message. */
const SHOWN_CHARS_MAX = 120;

/** A value as text; plain objects and arrays with their content: `{ depth: 3, evry: 2 }`. */
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
    // A getter of the value throws: the message shows its kind only.
    return show(value);
  }
}
