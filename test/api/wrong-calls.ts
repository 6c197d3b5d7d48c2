/**
 * Gives wrong values to all calls of something, and collects what is not as it should be.
 *
 * Used by wrong-values.test.ts.
 */

import { Context, SharedHeap, Vector } from 'shmalloc';
import { hex, show } from '../../src/base/index.js';
import type { Random } from '../helpers.js';
import { type Named, UNKNOWN_OPTION } from './wrong-values.js';

/** Something to call, and the heap to watch meanwhile. */
export interface Subject {
  readonly heap: SharedHeap;
  readonly target: object;
}

/** How calls of one kind are tried. */
export interface Target {
  /** As it stands in front of a call: `heap`. */
  readonly title: string;
  make(): Subject;
  names(target: object): (string | symbol)[];
}

/** What stands in the places of a call that are not wrong just then. */
export type Right = (subject: Subject) => unknown[];

/** What an error calls a call that it does not name by its name. */
const CALLED: Readonly<Record<string, RegExp>> = {
  createContext: /createContext|contexts\.create/,
  usableSize: /measure/,
  print_stats: /inspect\.print/,
  show_alloc_mem: /inspect\.print/,
  show_alloc_mem_ex: /inspect\.print/,
  tryMalloc: /malloc/,
  calloc: /calloc|malloc/,
  realloc: /realloc|malloc/,
};
/** Calls of functions that they are given: what these throw is the program's own. */
const CALLS_BACK = /contexts\.run|onReset|forEach|print|show/;
/** Calls that print, to stdout where they are given nothing. */
export const PRINTS = /print|show/;
/** Debug options that write files and texts where they are on. */
const LOUD = ['help', 'trace', 'leaks', 'stats'];
const RANDOM_ROUNDS = 60;

// ---- one call

/** What comes of a call, and of what it promises. */
export async function outcomeOf(
  work: () => unknown,
): Promise<{ value?: unknown; error?: unknown }> {
  try {
    const value = work();
    // What a call gives is seldom a promise: then it is the program's own, of contexts.run.
    return { value: value instanceof Promise ? await value : value };
  } catch (error) {
    return { error };
  }
}

const codeOf = (error: unknown): string => String((error as { code?: unknown } | undefined)?.code);

/** What is wrong with an error: it is to be one of ours, with a code. */
export function foreign(error: unknown): string[] {
  if (!(error instanceof Error)) return [`threw ${show(error)}`];
  if (/^ERR_SHMALLOC_/.test(codeOf(error))) return [];
  return [`has no code of ours: ${error.stack?.split('\n').slice(0, 4).join(' ')}`];
}

/** The same: it is to name the call, and what it was given or the place where that is. */
function untold(error: Error, title: string, value: unknown): string[] {
  // Of what is wrong with the heap or the object, the arguments are no part.
  if (/_(DETACHED|CONTEXT_ENDED|OPTION_OFF)$/.test(codeOf(error))) return [];
  const isAboutArguments = error instanceof TypeError || error instanceof RangeError;
  const { message } = error;
  const bare = title.replace(/^.*\./, '').replace(/^mem_|_ts$/g, '');
  const isNamed = (CALLED[bare] ?? new RegExp(bare)).test(message);
  const texts = [show(value), ...(Number.isInteger(value) ? [hex(value as number)] : [])];
  const isTold =
    value === undefined ||
    title.startsWith('new.') ||
    texts.some((text) => message.includes(text)) ||
    /no option '|got |threw|5n|are .*, not addresses|no map to draw/.test(message);
  return [
    ...(isNamed ? [] : [`does not name the call: ${message}`]),
    ...(isTold || !isAboutArguments ? [] : [`does not tell what it was given: ${message}`]),
  ];
}

/** Is it something that can be called, if it is a function? */
const isNoClass = ([, value]: Named): boolean =>
  typeof value !== 'function' ||
  !/^class|native code/.test(Function.prototype.toString.call(value));

/** Options that say nothing: a call that prints would print to stdout. */
function isNothing(value: unknown): boolean {
  try {
    return value === undefined || Object.keys(value as object).length === 0;
  } catch {
    return false;
  }
}

/** The options that a call says it takes. */
function optionsIn(error: unknown): string[] {
  const { message } = (error ?? { message: '' }) as Error;
  const list = /no option .*; it takes (.*)/.exec(message)?.[1] ?? '';
  return [...list.matchAll(/'(\w+)'/g)].map(([, option]) => option as string);
}

// ---- all calls of a target

/** All that is given to the calls of one target. */
export class Trial {
  /** What was not as it should be. */
  readonly faults: string[] = [];
  /** Calls that take options, each with those that were tried. */
  readonly tried: string[] = [];
  readonly #target: Target;
  readonly #random: Random;
  #subject: Subject;

  constructor(target: Target, random: Random) {
    this.#target = target;
    this.#random = random;
    this.#subject = target.make();
  }

  async run(kinds: readonly Named[], right: Readonly<Record<string, Right>>): Promise<void> {
    for (const name of this.#target.names(this.#subject.target)) {
      const title = `${this.#target.title}.${String(name)}`;
      const values = CALLS_BACK.test(title) ? kinds.filter(isNoClass) : kinds;
      await this.#tryOne(name, title, values, right[title] ?? (() => []));
      await this.#trySeveral(name, title, values);
      this.#end();
      this.#subject = this.#target.make();
    }
    this.#end();
  }

  /** One wrong value at a time, in each place. */
  async #tryOne(
    name: string | symbol,
    title: string,
    values: readonly Named[],
    right: Right,
  ): Promise<void> {
    const places = Math.max(right(this.#fresh()).length, 1);
    for (let place = 0; place < places; place++) {
      let options: string[] = [];
      for (const [what, wrong] of values) {
        if (PRINTS.test(title) && place === places - 1 && isNothing(wrong)) continue;
        const at = this.#fresh();
        const args = right(at);
        args[place] = wrong;
        const error = await this.#attempt(name, args, at, `${title} with ${what} at ${place}`);
        if (error instanceof Error) {
          for (const fault of untold(error, title, wrong)) {
            this.faults.push(`${title} with ${what} at ${place}: ${fault}`);
          }
        }
        if (what === UNKNOWN_OPTION) options = optionsIn(error);
      }
      await this.#tryOptions(name, title, values, options, (subject, option, value) => {
        const args = right(subject);
        args[place] = { ...(args[place] as object), [option]: value };
        return args;
      });
    }
  }

  /** One wrong value at a time in each option, and in the options that these take. */
  async #tryOptions(
    name: string | symbol,
    title: string,
    values: readonly Named[],
    options: readonly string[],
    argsWith: (subject: Subject, option: string, value: unknown) => unknown[],
  ): Promise<void> {
    if (options.length > 0) this.tried.push(`${title}: ${options.join(', ')}`);
    for (const option of options) {
      for (const [what, value] of values) {
        if (option === 'write' && value === undefined) continue;
        if (LOUD.includes(option) && (value === true || typeof value === 'string')) continue;
        const at = this.#fresh();
        const said = `${title} with ${option}: ${what}`;
        const error = await this.#attempt(name, argsWith(at, option, value), at, said);
        if (error === undefined && (value === null || typeof value === 'symbol')) {
          this.faults.push(`${said}: passes in silence`);
        }
        const isNamed = (error as Error | undefined)?.message.includes(option.replace(/s$/, ''));
        if (/INVALID_OPTION/.test(codeOf(error)) && !isNamed) {
          this.faults.push(`${said}: does not name it: ${(error as Error).message}`);
        }
        if (what !== UNKNOWN_OPTION) continue;
        await this.#tryOptions(
          name,
          `${title} ${option}`,
          values,
          optionsIn(error),
          (subject, inner, wrong) => argsWith(subject, option, { [inner]: wrong }),
        );
      }
    }
  }

  /** Too few arguments, too many, and several wrong ones. */
  async #trySeveral(name: string | symbol, title: string, values: readonly Named[]): Promise<void> {
    if (PRINTS.test(title)) return;
    for (let round = 0; round < RANDOM_ROUNDS; round++) {
      const count = this.#random.below(5);
      const some = Array.from({ length: count }, () => this.#random.pick(values));
      const what = some.map(([one]) => one).join(', ');
      const args = some.map(([, value]) => value);
      await this.#attempt(name, args, this.#fresh(), `${title} with (${what})`);
    }
  }

  /** One call; gives the error of a refusal, which has changed nothing. */
  async #attempt(
    name: string | symbol,
    args: unknown[],
    at: Subject,
    what: string,
  ): Promise<unknown> {
    const on = at.target as Record<string | symbol, (...args: unknown[]) => unknown>;
    const before = at.heap.stats().inUseBytes;
    const { value, error } = await outcomeOf(() => on[name](...args));
    if (value instanceof SharedHeap && value !== at.heap) value.detach();
    if (error === undefined) return undefined;
    for (const fault of foreign(error)) this.faults.push(`${what}: ${fault}`);
    const bytes = at.heap.stats().inUseBytes - before;
    if (bytes !== 0) this.faults.push(`${what}: was refused, and took ${bytes} bytes`);
    return error;
  }

  /** The subject; another one where a call has ended it. */
  #fresh(): Subject {
    const { heap, target } = this.#subject;
    const isObject = target instanceof Context || target instanceof Vector;
    if (/detached|ended|gone|released/.test(`${heap} ${isObject ? target : ''}`)) {
      this.#end();
      this.#subject = this.#target.make();
    }
    return this.#subject;
  }

  /** Nothing that was given has broken the heap. */
  #end(): void {
    const { heap } = this.#subject;
    if (`${heap}`.includes('detached')) return;
    const { problems } = heap.verify({ quiet: true });
    this.faults.push(...problems.map(({ message }) => `the heap is broken: ${message}`));
    // The default heap is shared with all who ask.
    if (this.#target.title !== 'mem') heap.detach();
  }
}
