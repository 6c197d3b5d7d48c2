/**
 * The classic listing of live blocks, by zones: TINY blocks to 512 bytes, SMALL to 64 KiB, LARGE.
 *
 *     TINY : 0x2c000
 *     0x2c000 - 0x2c030 : 48 bytes
 *     SMALL : 0x2e000
 *     0x2e000 - 0x2e800 : 2048 bytes
 *     Total : 2096 bytes
 *
 * Blocks that are no program's have behind that whose they are: `, chunk of context 'request' (42)`.
 *
 * Called by api/. Pure text, made and handed on piece by piece: a heap has up to 268 million blocks.
 */

import { type Address, hex } from '../base/index.js';
import { type Block, type BlockRegion, describeOwner } from '../blocks/index.js';
import { type BlockZone, zoneOf } from './zones.js';

/** A piece of text is handed on when it has so many characters. */
const PIECE_CHARS = 64 * 1024;

/** What a listing needs to know of a heap. */
export interface ListingSource {
  /** Live blocks in rising order of address. */
  readonly blocks: Iterable<Block>;
  /** The pages that a block lies in. */
  regionOf(address: Address): BlockRegion;
  /** Lines below a block's own. */
  detailsOf?(block: Block): Iterable<string>;
}

/** Lists live blocks: a heading where the zone changes, a line a block, the total. */
export function writeListing(source: ListingSource, write: (text: string) => void): void {
  writeLines(listingLines(source), write);
}

/** Hands lines on, each with its line break, some thousand at a time. */
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
