/**
 * UTF-8 for all texts that JavaScript can have: halves of characters (lone surrogates) too, which UTF-8
 * has no place for. They take three bytes each, as if they were characters: WTF-8
 * (https://simonsapin.github.io/wtf-8). A text without any, and that is nearly every one, is UTF-8.
 *
 * Used by contexts/strings.ts. Pure functions; of bytes that are not shared.
 */

/** Half a character. With the flag `u` two halves that make one are none. */
const HALF = /\p{Cs}/u;
/** What decoders put in place of what is not UTF-8. */
const REPLACED = '\ufffd';

const LEAD = 0xed;
/** The second byte of a half, from this on; below it are the characters before them. */
const SECOND_MIN = 0xa0;

/** Has a text halves of characters in it? Else it is UTF-8 as it is. */
export const hasHalves = (text: string): boolean => HALF.test(text);

/** The bytes of a text with halves in it. */
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

/** The text that bytes are; `decode` does it for those that are UTF-8. */
export function decodeText(bytes: Uint8Array, decode: (bytes: Uint8Array) => string): string {
  const text = decode(bytes);
  // Of a text that has that character in it the search finds no halves, and all is as it was.
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
