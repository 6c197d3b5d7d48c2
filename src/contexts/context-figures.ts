/**
 * What a context holds, in figures and as a line of text.
 *
 * Called by context.ts. Pure reads of one context's record; owner thread only.
 */

import { nameContext } from '../blocks/index.js';
import * as ContextRecord from '../layout/context-record.js';
import type { Context } from './context.js';
import type { ContextType } from './context-options.js';

/** What a context holds, without its children. */
export interface ContextStats {
  chunks: number;
  /** Bytes of its chunks. */
  bytes: number;
  /** Bytes of them that no object takes. */
  freeBytes: number;
  /** Live objects. */
  objects: number;
}

/** What JSON.stringify shows of a context. */
export interface ContextSummary {
  context: string;
  ident: string;
  kind: ContextType;
  objects: number;
  bytes: number;
}

export function readContextStats(u32: Uint32Array, context: Context): ContextStats {
  // Not in the parameter list: the declaration file would name an internal field.
  const { at } = context;
  const bytes = ContextRecord.getBytes(u32, at);
  const used =
    ContextRecord.getUsedBefore(u32, at) +
    ContextRecord.getCursor(u32, at) -
    ContextRecord.getChunkStart(u32, at);
  return {
    chunks: ContextRecord.getChunkCount(u32, at),
    bytes,
    freeBytes: bytes - used + ContextRecord.getFreedBytes(u32, at),
    objects: ContextRecord.getObjects(u32, at),
  };
}

export function summarizeContext(u32: Uint32Array, context: Context): ContextSummary {
  const { name, ident, kind, at } = context;
  const [objects, bytes] = [ContextRecord.getObjects(u32, at), ContextRecord.getBytes(u32, at)];
  return { context: name, ident, kind, objects, bytes };
}

/** A line for a console. */
export function describeFigures(u32: Uint32Array, context: Context, life: string): string {
  const what = `Context ${nameContext(context)}`;
  if (life === 'ended' || life === 'released') return `${what}, ${life}`;
  const { kind, objects, bytes } = summarizeContext(u32, context);
  return `${what}, ${kind}: ${objects} objects in ${bytes} bytes`;
}
