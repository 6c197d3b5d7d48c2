/**
 * The buffer of a heap: it must be shared and of fixed length.
 *
 * Used by SharedHeap.create and SharedHeap.attach. Pure.
 */

import { builtinTag, isGrowable, isSharedBuffer, show, typeError } from '../base/index.js';

/** Advice for values that are nearly such a buffer. */
const ADVICE: Readonly<Record<string, string>> = {
  '[object WebAssembly.Memory]':
    ': pass memory.buffer of a new WebAssembly.Memory({ initial, maximum, shared: true })',
  '[object ArrayBuffer]':
    ', which no other thread sees: that of a WebAssembly.Memory is shared if it was made with ' +
    'shared: true',
};

/** @throws TypeError ERR_SHMALLOC_INVALID_OPTION */
export function requireFixedBuffer(call: string, buffer: unknown): void {
  const growable = isGrowable(buffer);
  if (isSharedBuffer(buffer) && !growable) return;
  const got = growable
    ? 'a growable one: every access through it would be slow'
    : `${show(buffer)}${ADVICE[builtinTag(buffer)] ?? ''}`;
  throw typeError(
    'ERR_SHMALLOC_INVALID_OPTION',
    `SharedHeap.${call}: the buffer must be a SharedArrayBuffer of fixed length, got ${got}`,
  );
}
