/**
 * What a context can be made with, checked.
 *
 * Used by context-runtime.ts. Every mistake is an error that says what was given and what is allowed.
 */

import {
  badOption,
  KIB,
  MIB,
  type OptionValue,
  type OptionValues,
  oneOf,
  readOptions,
  show,
  TEXT,
  typeError,
  wholeFrom,
} from '../base/index.js';
import { Context } from './context.js';

/**
 * `bump`: an allocation moves a pointer, objects have no header, and one alone cannot be freed.
 * `set`: objects have a header of 16 bytes and a power of two of bytes; one that is freed is used
 * again in the same context.
 */
export type ContextType = 'bump' | 'set';

/** What a context can be made with. */
export interface ContextOptions<K extends ContextType = ContextType> {
  /** The context that this one ends with. Default none: it is a root. */
  parent?: Context | undefined;
  /** How objects lie in it. Default `bump`. */
  kind?: K | undefined;
  /** Bytes of its first chunk, 256 at least. Default 4 KiB. */
  initialBytes?: number | undefined;
  /**
   * Bytes of its longest chunk: each is twice as long as the one before, up to this. An object of
   * more than a quarter of it gets a chunk of its own. Default 8 MiB, at most 256 MiB.
   */
  maxBytes?: number | undefined;
  /** Which one of its name it is, a request's number say: for people who read statistics. */
  ident?: string | undefined;
}

export interface ResolvedContext {
  readonly parent: Context | undefined;
  readonly kind: ContextType;
  readonly initialBytes: number;
  readonly maxBytes: number;
  readonly ident: string;
}

const INITIAL_BYTES_MIN = 256;
const INITIAL_BYTES_DEFAULT = 4 * KIB;
const MAX_BYTES_DEFAULT = 8 * MIB;
const MAX_BYTES_MAX = 256 * MIB;

const inBytes = (most: number) =>
  wholeFrom(
    `a whole number of bytes from ${INITIAL_BYTES_MIN} to ${most}`,
    INITIAL_BYTES_MIN,
    most,
  );

/** An option that is a context. */
export const CONTEXT_OPTION: OptionValue<Context> = {
  allowed: 'a context',
  types: [],
  fromCode: (given) => (Context.is(given) ? given : undefined),
};

const VALUES: OptionValues<ContextOptions> = {
  parent: CONTEXT_OPTION,
  kind: oneOf<ContextType>('bump', 'set'),
  initialBytes: inBytes(MAX_BYTES_MAX),
  maxBytes: inBytes(MAX_BYTES_MAX),
  ident: TEXT,
};

const { parent: _, ...CHILD_VALUES } = VALUES;

/**
 * @param call the one that makes a context
 * @param above the context whose call it is, and that will be the parent
 * @throws TypeError, RangeError ERR_SHMALLOC_INVALID_OPTION
 */
export function resolveContext(
  call: string,
  name: string,
  options: ContextOptions | undefined,
  above: Context | undefined,
): ResolvedContext {
  if (typeof name !== 'string' || name === '') {
    throw typeError(
      'ERR_SHMALLOC_INVALID_OPTION',
      `${call}: name must be a text that is not empty, got ${show(name)}`,
    );
  }
  const {
    parent = above,
    kind = 'bump',
    ident = '',
    ...bytes
  }: ContextOptions = above === undefined
    ? readOptions(call, options, VALUES)
    : readOptions<Omit<ContextOptions, 'parent'>>(call, options, CHILD_VALUES);
  const { initialBytes = Math.min(INITIAL_BYTES_DEFAULT, bytes.maxBytes ?? MAX_BYTES_DEFAULT) } =
    bytes;
  const { maxBytes = Math.max(MAX_BYTES_DEFAULT, initialBytes) } = bytes;
  if (initialBytes > maxBytes) {
    throw badOption(call, 'initialBytes', initialBytes, inBytes(maxBytes));
  }
  return { parent, kind, initialBytes, maxBytes, ident };
}
