/**
 * A thread's program with the books of its blocks, and the parts of a scenario.
 *
 * Used by the scenarios and by deaths.ts.
 */

import type { Address } from 'shmalloc';
import type { VectorHandle, Vectors } from '../../src/collections/index.js';
import type {
  AnyContext,
  Attachment,
  ContextHandle,
  ContextOptions,
  Contexts,
} from '../../src/contexts/index.js';
import type { DebugSettings } from '../../src/layout/index.js';
import type { Library, ThreadHeap } from './simulation.js';

/** Bytes of a block that comes in small batches, so that few stores repeat. */
export const SMALL = 32 * 1024;
/** Bytes of a block that comes in batches of several, with bitmaps of more than one bit a word. */
export const TINY = 2000;
/** Bytes of a number of pages of 8 KiB: large blocks have 9 pages and more, direct ones 16 and more. */
export const PAGES = (pages: number): number => pages * 8192;

/** The id of all heaps here. */
export const HEAP_ID = '0123456789abcdef';

/** The call of a program at the moment of its cut. */
export interface InFlight {
  readonly call: 'malloc' | 'free' | 'realloc';
  /** The block that the call frees or moves. */
  readonly address?: Address;
}

/** A thread's program: its calls, and the books of its blocks. */
export class Program {
  readonly core: ThreadHeap;
  /** Blocks that this program and earlier ones allocated and have not freed. */
  readonly books: Set<Address>;
  inFlight: InFlight | null = null;
  readonly lib: Library;
  #contexts: Contexts | undefined;
  #vectors: Vectors | undefined;

  constructor(lib: Library, core: ThreadHeap, books: Set<Address>) {
    this.lib = lib;
    this.core = core;
    this.books = books;
  }

  get #attachment(): Attachment {
    const { core } = this;
    return { core, heapId: HEAP_ID, threadId: 0, scribble: false };
  }

  get contexts(): Contexts {
    this.#contexts ??= new this.lib.contexts.Contexts(this.#attachment);
    return this.#contexts;
  }

  get vectors(): Vectors {
    this.#vectors ??= new this.lib.collections.Vectors(this.#attachment, this.contexts);
    return this.#vectors;
  }

  /** Makes a context whose chunks stay short: an object of more than 16 KiB gets its own chunk. */
  context(options: ContextOptions = {}): AnyContext {
    return this.contexts.create('test', { maxBytes: 64 * 1024, ...options });
  }

  get calls() {
    return this.core.shared;
  }

  malloc(size: number): Address {
    return this.#take({ call: 'malloc' }, () => this.calls.malloc(size));
  }

  calloc(size: number): Address {
    return this.#take({ call: 'malloc' }, () => this.calls.calloc(1, size));
  }

  aligned(alignment: number, size: number): Address {
    return this.#take({ call: 'malloc' }, () => this.calls.alignedAlloc(alignment, size));
  }

  many(count: number, size: number): Address[] {
    return Array.from({ length: count }, () => this.malloc(size));
  }

  free(address: Address): void {
    this.inFlight = { call: 'free', address };
    this.calls.free(address);
    this.books.delete(address);
    this.inFlight = null;
  }

  /** Frees a block of this program by `work` of another thread. */
  freeBy(address: Address, work: () => void): void {
    this.inFlight = { call: 'free', address };
    work();
    this.books.delete(address);
    this.inFlight = null;
  }

  freeAll(addresses: readonly Address[]): void {
    for (const address of addresses) this.free(address);
  }

  realloc(address: Address, size: number): Address {
    this.inFlight = { call: 'realloc', address };
    const moved = this.calls.realloc(address, size);
    if (moved !== 0) {
      this.books.delete(address);
      this.books.add(moved);
    }
    this.inFlight = null;
    return moved;
  }

  #take(what: InFlight, allocate: () => Address): Address {
    this.inFlight = what;
    const address = allocate();
    if (address !== 0) this.books.add(address);
    this.inFlight = null;
    return address;
  }
}

/** Blocks that setup and preparation leave for the act. */
export interface Blocks {
  a: Address;
  b: Address;
  list: Address[];
  contexts: AnyContext[];
  handles: ContextHandle[];
  vectors: VectorHandle[];
  /** The thread that has run the setup, and lives on. */
  main?: Program;
}

/** A thread that has died at the n-th passage (from 1, default 1) of a point. */
export interface Corpse {
  readonly point: string;
  readonly passage?: number;
  act(program: Program, blocks: Blocks): void;
}

export interface Scenario {
  readonly name: string;
  /** Debug settings of an instrumented heap. */
  readonly debug?: Partial<DebugSettings>;
  /** True if the scenario has contexts and vectors. */
  readonly objects?: true;
  /** Run by a thread that lives on. */
  setup?(program: Program, blocks: Blocks): void;
  /** Run by the victim, before it is cut. */
  prepare?(program: Program, blocks: Blocks): void;
  /** Run by the victim, cut at every point. */
  act(program: Program, blocks: Blocks): void;
  /** Run by a rescuer first, if the usual work would not find a fault. */
  survivor?(program: Program): void;
  /** false = a call that throws may or may not have done its work. */
  readonly throws?: boolean;
  /** Points that the act must pass. */
  readonly hits?: readonly string[];
  /** A thread that died before, in the middle of this: its locks and transits are open. */
  readonly corpse?: Corpse;
}

// ---- Settings of instrumented heaps

/** No block is held back. */
export const GUARDED: Partial<DebugSettings> = { guardBytes: 16, scribble: true };
/** A few small blocks are held back; one larger block is not. */
export const HELD_BACK: Partial<DebugSettings> = {
  ...GUARDED,
  strict: true,
  preScribble: true,
  historyEvents: 4,
  quarantineBytes: 100 * 1024,
};
/** All freed blocks are held back. */
export const ALL_HELD_BACK: Partial<DebugSettings> = {
  ...HELD_BACK,
  quarantineBytes: 4 * 1024 * 1024,
};
