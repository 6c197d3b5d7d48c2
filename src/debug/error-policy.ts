/**
 * The fate of the error of a bad free: thrown, printed, or dropped (the option onError).
 *
 * Used by debug-thread.ts, and alone for heaps without other options that change calls: their frees
 * are the plain ones then, and only the errors of these are treated differently.
 */

import { type ErrorCode, isInvalidAddress } from '../base/index.js';
import type { Calls, ThreadHeap } from '../heap/index.js';
import type { DebugSettings } from '../layout/index.js';
import { FreeingBy } from './freeing-by.js';

/** Treats an error as the options say. */
export function errorPolicy({ onError }: DebugSettings): (error: Error) => void {
  return (error) => {
    if (onError === 'throw') throw error;
    if (onError === 'ignore') return;
    const { code } = error as Error & { code: ErrorCode };
    process.emitWarning(error.message, { type: error.name, code });
  };
}

/** The same attachment, with bad frees treated as the options say. */
export function applyErrorPolicy(core: ThreadHeap, settings: DebugSettings): ThreadHeap {
  if (settings.onError === 'throw') return core;
  const complain = errorPolicy(settings);
  const soften = (calls: Calls): Calls => ({
    ...calls,
    free(address) {
      try {
        calls.free(address);
      } catch (error) {
        if (!isInvalidAddress(error)) throw error;
        complain(error);
      }
    },
  });
  const shared = soften(core.shared);
  return { ...core, shared, ownedBlocks: new FreeingBy(core, shared) };
}
