/**
 * Adoption: contexts that one thread has released, and another takes over.
 *
 * Called by contexts.ts. Any thread may try; of several that try at once, one adopts.
 */

import { HeapError, List, show } from '../base/index.js';
import * as ContextRecord from '../layout/context-record.js';
import { type ContextIndex, orderReads } from '../layout/index.js';
import * as Records from '../layout/record-table.js';
import * as Slot from '../layout/slot.js';
import { type ContextHandle, checkContextHandle, makeContextHandle } from './context-handle.js';
import type { AnyContext, ContextRuntime } from './context-runtime.js';

/** The context that a handle names, and all below it, as contexts of this thread. */
export function adoptContext(
  runtime: ContextRuntime,
  call: string,
  given: ContextHandle,
): AnyContext {
  const { attachment, registry, memory } = runtime;
  const { count } = ContextRecord.contextTable(memory.geometry);
  const handle = checkContextHandle(call, given, attachment.heapId, count);
  runtime.requireOpen(call);
  const index = handle.index as ContextIndex;
  const adopted = runtime.change(() => {
    if (!registry.adopt(index, handle.generation, handle.adoptions)) return null;
    const root = runtime.wrapStored(index, null);
    // Grows while it is walked.
    const found = [root];
    for (const above of found) {
      for (const child of registry.childrenOf(above.index)) {
        found.push(runtime.wrapStored(child, above));
      }
    }
    return root;
  });
  if (adopted === null) throw refuseAdoption(runtime, handle);
  return adopted.context as AnyContext;
}

function refuseAdoption({ memory }: ContextRuntime, handle: ContextHandle): HeapError {
  const { i32, u32, geometry } = memory;
  const table = ContextRecord.contextTable(geometry);
  const record = Records.at(table, handle.index);
  const same = ContextRecord.getGeneration(u32, record) === handle.generation;
  const phase = ContextRecord.phaseOf(Records.load(i32, record));
  const what = `cannot adopt context ${show(handle.name)}`;
  if (!same || phase === 0) {
    return new HeapError('ERR_SHMALLOC_CONTEXT_ENDED', `${what}: it has ended`);
  }
  const slot = ContextRecord.ownerOf(i32, u32, table, handle.index);
  const owner =
    phase === ContextRecord.RELEASED || slot < 0
      ? 'another thread was faster, and this handle is good for once'
      : `it belongs to thread ${Slot.getThreadId(u32, Slot.at(geometry.slots, slot))}`;
  return new HeapError('ERR_SHMALLOC_CONTEXT', `${what}: ${owner}`);
}

/** Handles of all contexts of the heap that are released. */
export function listReleased(runtime: ContextRuntime, call: string): ContextHandle[] {
  const { registry, memory, attachment } = runtime;
  const { i32, u32, u8, geometry } = memory;
  runtime.requireOpen(call);
  const handles = new List<ContextHandle>();
  const last = Records.last(i32, ContextRecord.contextTable(geometry));
  for (let index = 1 as ContextIndex; index <= last; index++) {
    const record = registry.at(index);
    const state = Records.load(i32, record);
    if (ContextRecord.phaseOf(state) !== ContextRecord.RELEASED) continue;
    const [generation, adoptions] = [
      ContextRecord.getGeneration(u32, record),
      ContextRecord.getAdoptions(u32, record),
    ];
    const names = {
      name: ContextRecord.readName(u8, record),
      ident: ContextRecord.readIdent(u8, record),
    };
    orderReads();
    // Otherwise it was adopted meanwhile, and what was read may be of another context.
    if (Records.load(i32, record) !== state) continue;
    const { heapId } = attachment;
    handles.push(makeContextHandle({ heapId, index, generation, adoptions, ...names }));
  }
  return [...handles];
}
