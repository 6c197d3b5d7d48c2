/**
 * Handles of contexts: how one gets from its thread to another.
 *
 * Made by Context.release, taken by adoption.ts.
 */

import { HeapError, lookAt, show, typeError } from '../base/index.js';

const HANDLE_KIND = 'shmalloc context';

/** A context that no thread owns: a plain object, for postMessage. */
export interface ContextHandle {
  readonly kind: typeof HANDLE_KIND;
  /** The heap that it is in, as in `heap.handle.id`. */
  readonly heapId: string;
  readonly index: number;
  readonly generation: number;
  /** How often it had been adopted when it was released: a handle is good for once. */
  readonly adoptions: number;
  readonly name: string;
  readonly ident: string;
}

export const makeContextHandle = (fields: Omit<ContextHandle, 'kind'>): ContextHandle => ({
  kind: HANDLE_KIND,
  ...fields,
});

/**
 * What a handle names, read once.
 * @throws TypeError ERR_SHMALLOC_INVALID_OPTION; HeapError ERR_SHMALLOC_CONTEXT
 */
export function checkContextHandle(
  call: string,
  given: unknown,
  heapId: string,
  count: number,
): ContextHandle {
  const handle = lookAt(call, 'the handle', () => {
    const isHandle = typeof given === 'object' && given !== null;
    return isHandle ? { ...(given as ContextHandle) } : undefined;
  });
  if (handle?.kind !== HANDLE_KIND || !Number.isInteger(handle.index) || handle.index < 1) {
    throw typeError(
      'ERR_SHMALLOC_INVALID_OPTION',
      `${call}: give it what context.release() returned, got ${show(given)}`,
    );
  }
  if (handle.heapId === heapId && handle.index <= count) return handle;
  throw new HeapError(
    'ERR_SHMALLOC_CONTEXT',
    `${call}: cannot adopt context ${show(handle.name)}: it is in heap ${show(handle.heapId)}, ` +
      `this one is '${heapId}'`,
  );
}
