/**
 * What the contexts of one attachment have in common: tables, instances, and the marks that make a
 * change of them repairable.
 *
 * Made by contexts.ts, at most once for each attachment; used by context.ts, the kinds and adoption.ts. Owner
 * thread only.
 *
 * I1  Every context of this thread is the root of a tree in `roots`, or below one.
 */

import {
  callProgram,
  createProbe,
  errorsIn,
  HeapError,
  HeapExhaustedError,
  List,
  type Probe,
  RESCUE_FRAMES,
  SECTION_FRAMES,
  show,
  type WordIndex,
} from '../base/index.js';
import { describeContext } from '../blocks/index.js';
import { atEndOfTurn } from '../heap/index.js';
import * as ContextRecord from '../layout/context-record.js';
import type { ContextIndex, HeapMemory } from '../layout/index.js';
import * as Records from '../layout/record-table.js';
import type { Attachment } from './attachment.js';
import { BumpContext } from './bump-context.js';
import { Chunks } from './chunks.js';
import { Context } from './context.js';
import { type ContextOptions, type ContextType, resolveContext } from './context-options.js';
import { ContextRegistry } from './context-registry.js';
import { type ContextPlace, type ContextState, contextError } from './context-state.js';
import { readContextTree, renderContextTree } from './context-tree.js';
import { ObjectHeaders } from './object-header.js';
import { ObjectRepair } from './repair-objects.js';
import { SetContext } from './set-context.js';

/** A context of either kind: `context.kind` tells which. */
export type AnyContext = BumpContext | SetContext;

/** A context of a kind that is known when the program is compiled. */
export type ContextOf<K extends ContextType> = K extends 'set' ? SetContext : BumpContext;

const NONE = 0 as ContextIndex;

/** Stack frames from a call of a context into a section of the heap. */
const CALL_FRAMES = 2 * SECTION_FRAMES;
/** The same while the heap's functions may run for the first time. */
const COLD_CALL_FRAMES = 2 * RESCUE_FRAMES;
const COLD_CALLS = 256;

export class ContextRuntime {
  readonly memory: HeapMemory;
  readonly attachment: Attachment;
  readonly registry: ContextRegistry;
  readonly chunks: Chunks;
  readonly headers: ObjectHeaders;
  readonly roots = new Set<ContextState>();
  readonly byIndex = new Map<ContextIndex, ContextState>();
  /** The record in which nothing fits (context-record I3). */
  readonly nullRecord: WordIndex;
  /** Throws where a call would come to the stack's end with a record claimed or released. */
  readonly requireHeadroom: Probe;
  readonly #resumeLater: () => void;
  #isClosing = false;
  /** Nesting depth of callbacks under way; those that were cut count until the turn ends. */
  #callbacks = 0;

  constructor(attachment: Attachment) {
    const { memory } = attachment.core;
    this.memory = memory;
    this.attachment = attachment;
    this.requireHeadroom = createProbe(CALL_FRAMES, COLD_CALL_FRAMES, COLD_CALLS);
    this.registry = new ContextRegistry(attachment.core);
    this.chunks = new Chunks(this);
    this.headers = new ObjectHeaders(memory);
    this.nullRecord = Records.at(ContextRecord.contextTable(memory.geometry), NONE);
    this.#resumeLater = atEndOfTurn(() => {
      // Also where no callback is under way: the call may have been cut between two of them.
      this.#callbacks = 0;
      this.resume();
    });
  }

  /** Repairs what a cut call of this thread has left of contexts, chunks and vectors. */
  repair(): void {
    new ObjectRepair(this).run();
  }

  /** Changes records and instances together: what V8 cuts of that is repaired as one (repair-objects.ts). */
  change<T>(work: () => T): T {
    const { core } = this.attachment;
    core.repairIfCut();
    core.marks.tables = true;
    // Where it throws, the mark stays: the stack may have ended in the middle, and the next call repairs it.
    const done = work();
    core.marks.tables = false;
    return done;
  }

  /**
   * Does what calls the heap. Whoever subscribes to its events is told at the end of that: they may
   * end the context that is worked on.
   */
  deferring<T>(work: () => T): T {
    return this.attachment.core.events.deferring(work);
  }

  /** Counts a malloc that found no room; the error to throw, null where 0 is the answer (`quietly`). */
  exhausted(context: Context, size: number, quietly: boolean): HeapExhaustedError | null {
    this.attachment.core.events.addExhausted(size);
    if (quietly) return null;
    const tree = renderContextTree(readContextTree(this.memory));
    const problem = `malloc: no room for ${size} bytes in ${describeContext(context)}`;
    return new HeapExhaustedError(`${problem}\n${tree}`, size);
  }

  /** Calls a callback of the program in the middle of the end of contexts. */
  callBack(callback: () => void): void {
    // A cut ends the call without a trace; the end of the turn shows that it has ended.
    this.#resumeLater();
    this.#callbacks++;
    try {
      callProgram(callback);
    } finally {
      this.#callbacks--;
    }
  }

  /** After a cut call: contexts that were ending go on, unless a callback is under way just now. */
  resume(): void {
    if (this.#callbacks > 0) this.#resumeLater();
    else for (const state of this.byIndex.values()) state.resume();
  }

  /**
   * Makes a context.
   * @param call the public call that asks for it
   * @param above the parent, where the call is that context's own
   */
  create<K extends ContextType>(
    call: string,
    name: string,
    options: ContextOptions<K> | undefined,
    above?: Context,
  ): ContextOf<K> {
    const resolved = resolveContext(call, name, options, above);
    this.requireOpen(call);
    const { ident } = resolved;
    const parent =
      resolved.parent === undefined ? null : this.liveState('create a context in', resolved.parent);
    const state = this.change(() => {
      const index = this.registry.create(name, parent?.index ?? NONE, resolved);
      return index === 0 ? null : this.#wrap({ index, parent, name, ident });
    });
    if (state === null) throw this.#noRecord(name);
    return state.context as ContextOf<K>;
  }

  /** The state of a live context of this attachment. @throws HeapError ERR_SHMALLOC_CONTEXT, _ENDED */
  liveState(call: string, context: Context): ContextState {
    const state = Context.stateOf(context);
    if (state?.runtime === this) {
      state.requireLive(call);
      return state;
    }
    const why = 'it belongs to another heap, or to an attachment that has ended';
    throw contextError(call, context, why);
  }

  #noRecord(name: string): HeapError {
    const { contextCount } = this.memory.geometry;
    return new HeapError(
      'ERR_SHMALLOC_CONTEXT',
      `cannot create context ${show(name)}: this heap was made ` +
        (contextCount === 0
          ? 'with `contexts: 0`'
          : `for ${contextCount} contexts, and all are in use; make it with more \`contexts\``),
    );
  }

  #wrap(place: ContextPlace): ContextState {
    const Kind = this.registry.kindOf(place.index) === 'set' ? SetContext : BumpContext;
    const state = Context.stateOf(new Kind(this, place)) as ContextState;
    state.enlist();
    return state;
  }

  /** The instance of a context whose record another thread has made, or a call that was cut. */
  wrapStored(index: ContextIndex, parent: ContextState | null): ContextState {
    const { u8 } = this.memory;
    const record = this.registry.at(index);
    const [name, ident] = [ContextRecord.readName(u8, record), ContextRecord.readIdent(u8, record)];
    return this.#wrap({ index, parent, name, ident });
  }

  /** @throws HeapError ERR_SHMALLOC_DETACHED, where the thread leaves or has left the heap */
  requireOpen(call: string): void {
    this.requireHeadroom();
    this.attachment.core.shared.pass();
    if (!this.#isClosing) return;
    throw new HeapError('ERR_SHMALLOC_DETACHED', `${call}: this thread is leaving the heap`);
  }

  /** Ends all contexts: the thread leaves the heap. @throws AggregateError of what callbacks threw */
  close(): void {
    const errors = new List<unknown>();
    this.#endRoots(errors);
    // Callbacks may have made new contexts. From now on nothing would end what they make.
    this.#isClosing = true;
    this.#endRoots(errors);
    // Left are contexts that could not end, or that are ending now: a callback of theirs detaches.
    for (const state of [...this.byIndex.values()].reverse()) state.abort(errors);
    if (errors.length > 0) {
      const what = errors.length === 1 ? 'an error' : `${errors.length} errors`;
      throw new AggregateError(errors, `detach: ${what} as contexts ended`);
    }
  }

  #endRoots(errors: unknown[]): void {
    for (const root of [...this.roots]) {
      try {
        root.dispose();
      } catch (error) {
        addErrors(errors, error);
      }
    }
  }

  /** True once close has begun and no callback is under way: it was cut, or is done. */
  isClosed(): boolean {
    return this.#isClosing && this.#callbacks === 0;
  }
}

/** Adds what was thrown to a list; of an AggregateError the errors in it. */
export function addErrors(errors: unknown[], thrown: unknown): void {
  // One by one: there may be more of them than a call can have arguments.
  for (const error of errorsIn(thrown) ?? [thrown]) errors.push(error);
}
