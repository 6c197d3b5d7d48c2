/**
 * Texts in the heap: four bytes that say how many bytes follow, UTF-8, a zero byte. Halves of
 * characters are three bytes each (base/wtf8.ts): every text comes back as it was.
 *
 * Used by Context.allocString and SharedHeap.readString. Any thread may read what another has
 * written, once it was told the address.
 */

import {
  type Address,
  decodeText,
  encodeHalves,
  GRANULE_BYTES,
  hasHalves,
  hex,
  rangeError,
  show,
  typeError,
  WORD_BYTES,
} from '../base/index.js';
import { type HeapMemory, isDataAddress } from '../layout/index.js';

/** Writes a text into the block that `allocate` gives for its bytes; the block's address, 0 where it gave none. */
export function writeString(
  { buffer, u32 }: HeapMemory,
  text: string,
  allocate: (bytes: number) => Address,
): Address {
  if (typeof text !== 'string') {
    throw typeError(
      'ERR_SHMALLOC_INVALID_OPTION',
      `allocString: give it a text, got ${show(text)}`,
    );
  }
  const halves = hasHalves(text) ? encodeHalves(text) : undefined;
  const bytes = halves?.length ?? Buffer.byteLength(text);
  const address = allocate(WORD_BYTES + bytes + 1);
  if (address === 0) return address;
  const target = Buffer.from(buffer, address, WORD_BYTES + bytes + 1);
  u32[address >>> 2] = bytes;
  if (halves === undefined) target.write(text, WORD_BYTES, bytes, 'utf8');
  else target.set(halves, WORD_BYTES);
  target[WORD_BYTES + bytes] = 0;
  return address;
}

/**
 * Reads one.
 * @throws RangeError ERR_SHMALLOC_INVALID_ADDRESS where no text can be
 */
export function readString({ buffer, u32, geometry }: HeapMemory, address: number): string {
  const isBlock = isDataAddress(geometry, address as Address) && address % GRANULE_BYTES === 0;
  const bytes = isBlock ? u32[address >>> 2] : -1;
  if (bytes < 0 || address + WORD_BYTES + bytes >= geometry.end) {
    const where = Number.isInteger(address) ? hex(address) : show(address);
    throw rangeError(
      'ERR_SHMALLOC_INVALID_ADDRESS',
      `readString: ${where} is no text's address: give it what allocString returned`,
    );
  }
  return decodeText(Buffer.from(buffer, address + WORD_BYTES, bytes), decodeUtf8);
}

const decodeUtf8 = ({ buffer, byteOffset, length }: Uint8Array): string =>
  Buffer.from(buffer, byteOffset, length).toString('utf8');
