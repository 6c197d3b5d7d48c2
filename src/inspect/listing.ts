/**
 * The classic listing of live blocks, by zones: TINY blocks to 512 bytes, SMALL to 64 KiB, LARGE.
 *
 *     TINY : 0x2c000
 *     0x2c000 - 0x2c030 : 48 bytes
 *     SMALL : 0x2e000
 *     0x2e000 - 0x2e800 : 2048 bytes
 *     Total : 2096 bytes
 *
 * A block that an object of the heap owns has its owner at the end of the line: `, chunk of context
 * 'request' (42)`.
 *
 * Called by api/. Pure text, made and written piece by piece: a heap has up to 268 million blocks.
 */

import { type Address, hex } from '../base/index.js';
import { type Block, type BlockRegion, describeOwner } from '../blocks/index.js';
import { type BlockZone, zoneOf } from './zones.js';

/** Minimum characters of a piece of text that is written. */
const PIECE_CHARS = 64 * 1024;

/** What a listing reads from a heap. */
export interface ListingSource {
  /** Live blocks in rising order of address. */
  readonly blocks: Iterable<Block>;
  /** The pages that a block lies in. */
  regionOf(address: Address): BlockRegion;
  /** Lines below the line of a block. */
  detailsOf?(block: Block): Iterable<string>;
}

/** Lists live blocks: a heading where the zone changes, a line per block, the total. */
export function writeListing(source: ListingSource, write: (text: string) => void): void {
  writeLines(listingLines(source), write);
}

/** Writes lines, each with its line break, some thousand at a time. */
export function writeLines(lines: Iterable<string>, write: (text: string) => void): void {
  let piece = '';
  for (const line of lines) {
    piece += `${line}\n`;
    if (piece.length < PIECE_CHARS) continue;
    write(piece);
    piece = '';
  }
  if (piece !== '') write(piece);
}

function* listingLines({ blocks, regionOf, detailsOf }: ListingSource): Generator<string> {
  let zone: BlockZone | undefined;
  let total = 0;
  for (const block of blocks) {
    const { address, bytes, owned, context } = block;
    const { start, blockBytes } = regionOf(address);
    const found = zoneOf(blockBytes);
    if (found !== zone) yield `${found.toUpperCase()} : ${hex(start)}`;
    zone = found;
    const whose = owned === undefined ? '' : `, ${describeOwner({ context })}`;
    yield `${hex(address)} - ${hex(address + bytes)} : ${bytes} bytes${whose}`;
    if (detailsOf !== undefined) yield* indented(detailsOf(block));
    total += bytes;
  }
  yield `Total : ${total} bytes`;
}

function* indented(lines: Iterable<string>): Generator<string> {
  for (const line of lines) yield `    ${line}`;
}
