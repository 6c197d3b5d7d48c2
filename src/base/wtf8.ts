/**
 * UTF-8 for every JavaScript text, also one with lone surrogates ("halves" of characters), which
 * UTF-8 cannot encode. Each half takes three bytes, as if it were a character: WTF-8
 * (https://simonsapin.github.io/wtf-8). A text without halves, as nearly all are, is plain UTF-8.
 *
 * Used by contexts/strings.ts. Pure functions; the bytes must not be shared memory.
 */

/** A lone surrogate. With the flag `u`, a surrogate pair does not match. */
const HALF = /\p{Cs}/u;
/** The character that decoders put in place of bytes that are not UTF-8. */
const REPLACED = '\ufffd';

const LEAD = 0xed;
/** Minimum second byte of an encoded half; a lower second byte belongs to an ordinary character. */
const SECOND_MIN = 0xa0;

/** True if a text has halves; a text without halves is plain UTF-8. */
export const hasHalves = (text: string): boolean => HALF.test(text);

/** The bytes of a text that has halves. */
export function encodeHalves(text: string): Uint8Array {
  const encoder = new TextEncoder();
  const parts: Uint8Array[] = [];
  for (const part of text.split(/(\p{Cs})/u)) {
    parts.push(HALF.test(part) ? encodeHalf(part.charCodeAt(0)) : encoder.encode(part));
  }
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

const encodeHalf = (unit: number): Uint8Array =>
  Uint8Array.of(LEAD, 0x80 | ((unit >>> 6) & 0x3f), 0x80 | (unit & 0x3f));

/** The text of some bytes; `decode` decodes plain UTF-8. */
export function decodeText(bytes: Uint8Array, decode: (bytes: Uint8Array) => string): string {
  const text = decode(bytes);
  // A text may have the character U+FFFD itself: then the search finds no halves, and changes
  // nothing.
  return text.includes(REPLACED) ? decodeHalves(bytes, decode) : text;
}

function decodeHalves(bytes: Uint8Array, decode: (bytes: Uint8Array) => string): string {
  let text = '';
  let from = 0;
  for (let at = bytes.indexOf(LEAD); at >= 0; at = bytes.indexOf(LEAD, at + 1)) {
    const [second = 0, third = 0] = bytes.subarray(at + 1, at + 3);
    if (second < SECOND_MIN || second > 0xbf || (third & 0xc0) !== 0x80) continue;
    text += decode(bytes.subarray(from, at));
    text += String.fromCharCode(0xd000 | ((second & 0x3f) << 6) | (third & 0x3f));
    from = at + 3;
  }
  return text + decode(bytes.subarray(from));
}
