/**
 * A thread's contexts: makes them, takes them over from other threads, ends them with the thread.
 *
 * Made by api/ once for each attachment. Owner thread only.
 *
 * I1  Every context of this thread is the root of a tree in `roots`, or below one.
 */

import {
  type Address,
  callProgram,
  createProbe,
  errorsIn,
  HeapError,
  List,
  type Probe,
  RESCUE_FRAMES,
  SECTION_FRAMES,
  show,
  typeError,
  type WordIndex,
} from '../base/index.js';
import { atEndOfTurn } from '../heap/index.js';
import {
  type ContextIndex,
  contextOwner,
  contextPhase,
  contextTable,
  getAdoptions,
  getGeneration,
  getThreadId,
  type HeapMemory,
  lastRecord,
  loadRecord,
  orderReads,
  RELEASED_CONTEXT,
  readIdent,
  readName,
  recordAt,
  slotRecord,
} from '../layout/index.js';
import type { Attachment } from './attachment.js';
import { BumpContext } from './bump-context.js';
import { type Chunks, createChunks } from './chunks.js';
import { Context } from './context.js';
import { type ContextHandle, checkContextHandle, makeContextHandle } from './context-handle.js';
import { type ContextOptions, resolveContext } from './context-options.js';
import { type ContextRegistry, createContextRegistry } from './context-registry.js';
import { createObjectHeaders, LIVE, type ObjectHeaders } from './object-header.js';
import { createRepairObjects } from './repair-objects.js';
import { SetContext } from './set-context.js';

/** What the contexts of one attachment have in common. */
export interface ContextRuntime {
  readonly memory: HeapMemory;
  readonly attachment: Attachment;
  readonly registry: ContextRegistry;
  readonly chunks: Chunks;
  readonly headers: ObjectHeaders;
  readonly roots: Set<Context>;
  readonly byIndex: Map<ContextIndex, Context>;
  /** In which nothing fits (context-record I3). */
  readonly nullRecord: WordIndex;
  /** Throws where a call would come to the stack's end with a record claimed or let go. */
  readonly requireHeadroom: Probe;
  /** Changes records and instances together: what V8 cuts of that is repaired as one (repair-objects.ts). */
  change<T>(work: () => T): T;
  /** Calls a callback of the program in the middle of the end of contexts. */
  callBack(callback: () => void): void;
  /** A call was cut: contexts that were ending go on, unless a callback is called just now. */
  resume(): void;
  /** @param above the parent, where it is the one that is asked */
  create(name: string, options: ContextOptions | undefined, above: Context): Context;
}

export interface Contexts {
  create(name: string, options?: ContextOptions): Context;
  within<T>(name: string, work: (context: Context) => T, options?: ContextOptions): T;
  roots(): Context[];
  adopt(handle: ContextHandle): Context;
  /** Handles of all that nobody has, in the whole heap. */
  released(): ContextHandle[];
  /** The context of this thread that an object of a set lives in. */
  contextOf(address: Address): Context | undefined;
  /** Ends all of them: the thread leaves the heap. */
  close(): void;
  /** Was that begun, and no callback of it is under way? Then it was cut, or is done. */
  isClosed(): boolean;
}

const NONE = 0 as ContextIndex;

/**
 * The way to the heap's section, and what its sections need. The section itself probes when that is too late.
 */
const CALL_FRAMES = 2 * SECTION_FRAMES;
/** The first ones may run the heap's functions for the first time as well, which probes for those. */
const COLD_CALL_FRAMES = 2 * RESCUE_FRAMES;
const COLD_CALLS = 256;

export function createContexts(attachment: Attachment): Contexts {
  const { memory } = attachment.core;
  const { i32, u32, u8, geometry } = memory;
  const table = contextTable(geometry);
  const registry = createContextRegistry(attachment);
  const requireHeadroom = createProbe(CALL_FRAMES, COLD_CALL_FRAMES, COLD_CALLS);
  const chunks = createChunks(attachment, requireHeadroom);
  const headers = createObjectHeaders(memory);
  const roots = new Set<Context>();
  const byIndex = new Map<ContextIndex, Context>();
  let closed = false;
  /** Callbacks that are under way, one in the other; cut ones count until the turn ends. */
  let callbacks = 0;
  const runtime: ContextRuntime = {
    memory,
    attachment,
    registry,
    chunks,
    headers,
    roots,
    byIndex,
    nullRecord: recordAt(table, NONE),
    requireHeadroom,
    change,
    callBack,
    resume,
    create,
  };
  attachment.core.whenCut(createRepairObjects(runtime, wrapStored));

  function change<T>(work: () => T): T {
    const { core } = attachment;
    core.repairIfCut();
    core.marks.tables = true;
    try {
      return work();
    } finally {
      core.marks.tables = false;
    }
  }

  function callBack(callback: () => void): void {
    // One that is cut says nothing: that it has not ended is seen when the turn has.
    resumeLater();
    callbacks++;
    try {
      callProgram(callback);
    } finally {
      callbacks--;
    }
  }

  const resumeLater = atEndOfTurn(() => {
    // Also where none is under way: it may have been cut between two callbacks.
    callbacks = 0;
    resume();
  });

  function resume(): void {
    if (callbacks > 0) resumeLater();
    else for (const context of byIndex.values()) context.resume();
  }

  function create(
    name: string,
    options: ContextOptions | undefined,
    above?: Context,
    call = 'createContext',
  ): Context {
    const resolved = resolveContext(call, name, options, above);
    requireOpen(call);
    const parent = resolved.parent ?? null;
    const parentIndex =
      parent === null ? NONE : Context.indexOf('create a context in', parent, runtime);
    const context = runtime.change(() => {
      const index = registry.create(name, parentIndex, resolved);
      return index === 0 ? null : wrap(index, parent, name, resolved.ident);
    });
    if (context === null) {
      throw new HeapError(
        'ERR_SHMALLOC_CONTEXT',
        `cannot create context ${show(name)}: this heap was made ` +
          (geometry.contextCount === 0
            ? 'with `contexts: 0`'
            : `for ${geometry.contextCount} contexts, and all are in use; make it with more \`contexts\``),
      );
    }
    return context;
  }

  function wrap(index: ContextIndex, parent: Context | null, name: string, ident: string): Context {
    const Kind = registry.kindOf(index) === 'set' ? SetContext : BumpContext;
    const context = new Kind(runtime, index, parent, name, ident);
    context.enlist();
    return context;
  }

  function within<T>(name: string, work: (context: Context) => T, options?: ContextOptions): T {
    if (typeof work !== 'function') {
      throw typeError(
        'ERR_SHMALLOC_INVALID_OPTION',
        `withContext: work must be a function that gets the context, got ${show(work)}`,
      );
    }
    const context = create(name, options, undefined, 'withContext');
    let result: T;
    try {
      result = callProgram(() => work(context));
    } catch (error) {
      throw endFailed(context, error);
    }
    if (isPromise(result)) {
      // A promise of ours: what a thenable's own then gives back is not its value.
      return Promise.resolve(result).then(
        (value) => {
          context[Symbol.dispose]();
          return value;
        },
        (error) => {
          throw endFailed(context, error);
        },
      ) as T;
    }
    context[Symbol.dispose]();
    return result;
  }

  /** Ends the context of work that has thrown; gives what to throw. */
  function endFailed(context: Context, error: unknown): unknown {
    try {
      context[Symbol.dispose]();
      return error;
    } catch (worse) {
      const errors = [error];
      addErrors(errors, worse);
      return new AggregateError(
        errors,
        `withContext: the work failed, and then callbacks of context ${show(context.name)}`,
      );
    }
  }

  function adopt(given: ContextHandle): Context {
    const handle = checkContextHandle(given, attachment.heapId, table.count);
    requireOpen('adoptContext');
    const index = handle.index as ContextIndex;
    const adopted = runtime.change(() => {
      if (!registry.adopt(index, handle.generation, handle.adoptions)) return null;
      const root = wrapStored(index, null);
      // Grows while it is walked.
      const found = [{ index, context: root }];
      for (const { index: above, context } of found) {
        for (const child of registry.childrenOf(above)) {
          found.push({ index: child, context: wrapStored(child, context) });
        }
      }
      return root;
    });
    if (adopted === null) throw refuseAdoption(handle);
    return adopted;
  }

  /** A context that another thread has made: its name is what the record has of it. */
  function wrapStored(index: ContextIndex, parent: Context | null): Context {
    const record = registry.at(index);
    return wrap(index, parent, readName(u8, record), readIdent(u8, record));
  }

  function refuseAdoption(handle: ContextHandle): HeapError {
    const record = recordAt(table, handle.index);
    const same = getGeneration(u32, record) === handle.generation;
    const phase = contextPhase(loadRecord(i32, record));
    const what = `cannot adopt context ${show(handle.name)}`;
    if (!same || phase === 0) {
      return new HeapError('ERR_SHMALLOC_CONTEXT_ENDED', `${what}: it has ended`);
    }
    const slot = contextOwner(i32, u32, table, handle.index);
    const owner =
      phase === RELEASED_CONTEXT || slot < 0
        ? 'another thread was faster, and this handle is good for once'
        : `it belongs to thread ${getThreadId(u32, slotRecord(geometry.slots, slot))}`;
    return new HeapError('ERR_SHMALLOC_CONTEXT', `${what}: ${owner}`);
  }

  function released(): ContextHandle[] {
    requireOpen('releasedContexts');
    const handles = new List<ContextHandle>();
    for (let index = 1 as ContextIndex; index <= lastRecord(i32, table); index++) {
      const record = registry.at(index);
      const state = loadRecord(i32, record);
      if (contextPhase(state) !== RELEASED_CONTEXT) continue;
      const [generation, adoptions] = [getGeneration(u32, record), getAdoptions(u32, record)];
      const names = { name: readName(u8, record), ident: readIdent(u8, record) };
      orderReads();
      // Otherwise it was adopted meanwhile, and what was read may be of another context.
      if (loadRecord(i32, record) !== state) continue;
      handles.push(makeContextHandle(attachment.heapId, index, generation, adoptions, names));
    }
    return [...handles];
  }

  function contextOf(address: Address): Context | undefined {
    const header = headers.read(address);
    return header?.state === LIVE ? byIndex.get(header.context) : undefined;
  }

  function close(): void {
    const errors = new List<unknown>();
    endRoots(errors);
    // Callbacks may have made new ones. What they make from now on would have no end.
    closed = true;
    endRoots(errors);
    // Left are those that could not end, or are just being ended: a callback of theirs detaches.
    for (const context of [...byIndex.values()].reverse()) context.abort(errors);
    if (errors.length > 0) {
      const what = errors.length === 1 ? 'an error' : `${errors.length} errors`;
      throw new AggregateError(errors, `detach: ${what} as contexts ended`);
    }
  }

  function endRoots(errors: unknown[]): void {
    for (const root of [...roots]) {
      try {
        root[Symbol.dispose]();
      } catch (error) {
        addErrors(errors, error);
      }
    }
  }

  function requireOpen(call: string): void {
    requireHeadroom();
    attachment.core.shared.pass();
    if (!closed) return;
    throw new HeapError('ERR_SHMALLOC_DETACHED', `${call}: this thread is leaving the heap`);
  }

  /** After a cut call they are not what the records say until that is repaired. */
  function listRoots(): Context[] {
    attachment.core.repairIfCut();
    return [...roots];
  }

  const isClosed = (): boolean => closed && callbacks === 0;

  return { create, within, roots: listRoots, adopt, released, contextOf, close, isClosed };
}

/** What was thrown; of what has several errors in it, these. */
function addErrors(errors: unknown[], thrown: unknown): void {
  // One by one: there may be more of them than a call can have arguments.
  for (const error of errorsIn(thrown) ?? [thrown]) errors.push(error);
}

const isPromise = (value: unknown): value is Promise<unknown> =>
  typeof (value as { then?: unknown } | null)?.then === 'function';
