/**
 * The error for a wrong address in an instrumented call: like blocks/explain-address.ts, but in
 * terms of the program's blocks, with the threads that allocated and freed them.
 *
 * Used by debug-calls.ts. Any thread; takes the page lock for a moment.
 */

import {
  type Address,
  GRANULE_BYTES,
  GRANULE_SHIFT,
  hex,
  InvalidAddressError,
  NULL,
} from '../base/index.js';
import type { ThreadHeap } from '../heap/index.js';
import * as BlockRecord from '../layout/block-record.js';
import { provenance } from './block-checks.js';
import type { FindBlock } from './find-block.js';
import type { Records } from './records.js';

export function createRefusals(
  core: ThreadHeap,
  records: Records,
  findBlock: FindBlock,
): (asked: string, address: unknown) => Error {
  const { i32, u32, tags } = core.memory;

  return (asked, address) => {
    const aligned = typeof address === 'number' && address % GRANULE_BYTES === 0;
    const start = aligned ? findBlock(address) : NULL;
    if (start === 0) return core.diagnose(asked, address);
    return refuse(
      asked,
      address as Address,
      start,
      BlockRecord.getState(i32, records.recordOf(start)),
    );
  };

  function refuse(asked: string, address: Address, start: Address, state: number): Error {
    const user = start + BlockRecord.frontBytesOf(state);
    const bytes = BlockRecord.getRequested(u32, records.recordOf(start));
    const block = `block at ${hex(user)}, ${bytes} bytes`;
    const story = provenance(records, start);
    const error = (reason: 'freed' | 'interior', text: string) =>
      new InvalidAddressError(asked, address, reason, `${text}${story}`);
    const gone =
      BlockRecord.kindOf(state) === BlockRecord.FREED || tags[start >>> GRANULE_SHIFT] === 0;
    if (address === user) {
      if (gone) return error('freed', `the ${block}, is freed already`);
      return error('freed', `the ${block}, is live now, and was not a moment ago`);
    }
    if (gone) return error('freed', `inside the freed ${block}`);
    if (address < user) return error('interior', `in the red zone before the ${block}`);
    const inside = address < user + Math.max(bytes, 1);
    return error(
      'interior',
      inside ? `inside the ${block}` : `in the red zone behind the ${block}`,
    );
  }
}
