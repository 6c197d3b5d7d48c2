/**
 * What a context can be made with, checked.
 *
 * Used by contexts.ts. Every mistake is an error that says what was given and what is allowed.
 */

import { checkOptions, KIB, MIB, rangeError, show, typeError } from '../base/index.js';
import { Context } from './context.js';

/**
 * `bump`: an allocation moves a pointer, objects have no header, and one alone cannot be freed.
 * `set`: objects have a header of 16 bytes and a power of two of bytes; one that is freed is used
 * again in the same context.
 */
export type ContextType = 'bump' | 'set';

/** What `createContext` can be told. */
export interface ContextOptions {
  /** The context that this one ends with. Default none: it is a root. */
  parent?: Context;
  /** How objects lie in it. Default `bump`. */
  kind?: ContextType;
  /** Bytes of its first chunk, 256 at least. Default 4 KiB. */
  initialBytes?: number;
  /**
   * Bytes of its longest chunk: each is twice as long as the one before, up to this. An object of
   * more than a quarter of it gets a chunk of its own. Default 8 MiB, at most 256 MiB.
   */
  maxBytes?: number;
  /** Which one of its name it is, a request's number say: for people who read statistics. */
  ident?: string;
}

export interface ResolvedContext {
  readonly parent: Context | undefined;
  readonly kind: ContextType;
  readonly initialBytes: number;
  readonly maxBytes: number;
  readonly ident: string;
}

const KNOWN: readonly (keyof ContextOptions)[] = [
  'parent',
  'kind',
  'initialBytes',
  'maxBytes',
  'ident',
];
const INITIAL_BYTES_MIN = 256;
const INITIAL_BYTES_DEFAULT = 4 * KIB;
const MAX_BYTES_DEFAULT = 8 * MIB;
const MAX_BYTES_MAX = 256 * MIB;

/** @throws TypeError, RangeError ERR_SHMALLOC_INVALID_OPTION */
export function resolveContext(name: string, options: ContextOptions): ResolvedContext {
  if (typeof name !== 'string' || name === '') {
    throw bad('name', name, 'a text that is not empty');
  }
  checkOptions('createContext', options, KNOWN);
  const { parent, kind = 'bump', ident = '' } = options;
  if (parent !== undefined && !(parent instanceof Context))
    throw bad('parent', parent, 'a context');
  if (kind !== 'bump' && kind !== 'set') throw bad('kind', kind, "'bump' or 'set'");
  if (typeof ident !== 'string') throw bad('ident', ident, 'a text');
  const { initialBytes = Math.min(INITIAL_BYTES_DEFAULT, options.maxBytes ?? MAX_BYTES_DEFAULT) } =
    options;
  const { maxBytes = Math.max(MAX_BYTES_DEFAULT, initialBytes) } = options;
  requireBytes('maxBytes', maxBytes, INITIAL_BYTES_MIN, MAX_BYTES_MAX);
  requireBytes('initialBytes', initialBytes, INITIAL_BYTES_MIN, maxBytes);
  return { parent, kind, initialBytes, maxBytes, ident };
}

function requireBytes(option: string, value: unknown, from: number, to: number): void {
  if (Number.isInteger(value) && (value as number) >= from && (value as number) <= to) return;
  throw bad(option, value, `a whole number of bytes from ${from} to ${to}`);
}

function bad(option: string, value: unknown, allowed: string): TypeError | RangeError {
  const make = typeof value === 'number' && option.endsWith('Bytes') ? rangeError : typeError;
  return make(
    'ERR_SHMALLOC_INVALID_OPTION',
    `createContext: ${option} must be ${allowed}, got ${show(value)}`,
  );
}
