/**
 * Hexdumps: the bytes of a block as text, as `hexdump -C` prints them.
 *
 * Called by api/. Pure text from bytes that other threads may write meanwhile.
 */

import {
  ANYTHING,
  hex,
  KIB,
  LARGE,
  MIB,
  type OptionValues,
  rangeError,
  readOptions,
  show,
} from '../base/index.js';
import { type BlockDetails, describeOwner } from '../blocks/index.js';

const ROW_BYTES = 16;
const GROUP_BYTES = 8;
const ADDRESS_DIGITS = 8;
/** Width in characters: `00 ` for each byte, a space between the two groups, none at the end. */
const HEX_WIDTH = ROW_BYTES * 3;

/** Default maximum length in bytes: a block can have 4 GiB. */
const LENGTH_DEFAULT_MAX = 64 * KIB;
/** Maximum length in bytes: the text of more would exceed the longest string. */
const LENGTH_MAX = 64 * MIB;

/** The part of the memory at a block that a dump shows. */
export interface HexdumpOptions {
  /**
   * Bytes to show. Default: up to the block's end, at most 64 KiB. A greater length goes past the
   * block and ends at the heap's end. At most 64 MiB.
   */
  length?: number | undefined;
  /**
   * Start of the dump, in bytes from the block's address. Default 0. A negative offset shows memory
   * before the block, down to the heap's first data page: `-16` shows a red zone. An offset past
   * the block needs a `length`.
   */
  offset?: number | undefined;
}

/** Each value is checked later: its limits depend on the block. */
const VALUES: OptionValues<HexdumpOptions> = { length: ANYTHING, offset: ANYTHING };

/** Bounds of a dump: the first byte, and the byte after the last. */
export interface HexdumpBounds {
  readonly dataStart: number;
  readonly end: number;
}

/**
 * A header and the rows of bytes.
 * @throws RangeError ERR_SHMALLOC_INVALID_SIZE for an offset or a length out of range; TypeError
 *   ERR_SHMALLOC_INVALID_OPTION for an unknown option
 */
export function renderHexdump(
  u8: Uint8Array,
  { dataStart, end }: HexdumpBounds,
  details: BlockDetails,
  options: HexdumpOptions,
): string {
  const { length, offset = 0 } = readOptions('inspect.hexdump', options, VALUES);
  const { inside: start = details.address } = details;
  const bytes = details.address + details.bytes - start;
  const [offsetMax, why] =
    length === undefined
      ? [bytes, "the block's end; a length reaches past it"]
      : [end - start, "the heap's end"];
  requireWhole('offset', offset, { min: dataStart - start, max: offsetMax, why });
  if (length !== undefined) requireWhole('length', length, LENGTH_RANGE);
  const from = start + offset;
  const shown = length ?? Math.min(bytes - offset, LENGTH_DEFAULT_MAX);
  const to = Math.min(from + shown, end);
  const left = length === undefined ? bytes - offset - shown : 0;
  return [
    describeBlock(details),
    ...hexRows(u8, from, to),
    ...(left > 0 ? [`... and ${left} more bytes: set length to see them`] : []),
  ].join('\n');
}

interface Range {
  readonly min: number;
  readonly max: number;
  /** What stands at `max`. */
  readonly why: string;
}

const LENGTH_RANGE: Range = { min: 0, max: LENGTH_MAX, why: '64 MiB' };

function requireWhole(what: string, got: number, { min, max, why }: Range): void {
  if (Number.isInteger(got) && got >= min && got <= max) return;
  throw rangeError(
    'ERR_SHMALLOC_INVALID_SIZE',
    `inspect.hexdump: ${what} must be a whole number of bytes from ${min} to ${max} (${why}), ` +
      `got ${show(got)}`,
  );
}

/**
 * Describes a block: `block at 0x10000: class 3, 48 bytes usable, thread 0, live`. A block that an
 * object of the heap owns: `chunk of context 'request' (42), 4096 bytes, at 0x10000`, and the
 * offset of the inspected address in it.
 */
export function describeBlock(details: BlockDetails): string {
  const { ownership, inside = details.address } = details;
  if (ownership !== undefined) {
    const into = inside - details.address;
    const where = into === 0 ? '' : `; ${hex(inside)} is ${into} bytes into it`;
    return `${describeOwner(ownership)}, ${details.bytes} bytes, at ${hex(details.address)}${where}`;
  }
  const { address, bytes, sizeClass, state, requested, allocatedBy, freedBy } = details;
  const kind = sizeClass === LARGE ? 'large' : `class ${sizeClass}`;
  const asked = requested === undefined ? '' : ` (${requested} asked for)`;
  const thread = allocatedBy === undefined ? 'unknown' : allocatedBy.threadId;
  const by = freedBy === undefined ? '' : `, freed by thread ${freedBy.threadId}`;
  const end = state === 'quarantined' ? 'free (in quarantine)' : state;
  return `block at ${hex(address)}: ${kind}, ${bytes} bytes usable${asked}, thread ${thread}, ${end}${by}`;
}

/**
 * The bytes from `from` up to, not including, `to`: 16 a row, with addresses and as ASCII. Of four
 * or more equal rows only the first and the last are shown, with a `*` between them.
 */
export function* hexRows(u8: Uint8Array, from: number, to: number): Generator<string> {
  for (let at = from; at < to; at += ROW_BYTES) {
    yield hexRow(u8, at, Math.min(ROW_BYTES, to - at));
    let last = at;
    while (last + 2 * ROW_BYTES <= to && equalRows(u8, at, last + ROW_BYTES)) last += ROW_BYTES;
    if (last - at <= 2 * ROW_BYTES) continue;
    yield '*';
    at = last - ROW_BYTES;
  }
}

function equalRows(u8: Uint8Array, a: number, b: number): boolean {
  for (let n = 0; n < ROW_BYTES; n++) if (u8[a + n] !== u8[b + n]) return false;
  return true;
}

function hexRow(u8: Uint8Array, at: number, bytes: number): string {
  let codes = '';
  let text = '';
  for (let n = 0; n < bytes; n++) {
    const byte = u8[at + n] as number;
    if (n === GROUP_BYTES) codes += ' ';
    codes += `${byte.toString(16).padStart(2, '0')} `;
    text += byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : '.';
  }
  const address = at.toString(16).padStart(ADDRESS_DIGITS, '0');
  return `${address}  ${codes.padEnd(HEX_WIDTH + 1)} |${text}|`;
}
