/**
 * Texts that a program has chosen (names, paths, labels), as they may be printed: what is a command to
 * a terminal, or changes how the rest of a line is read, is shown as an escape sequence instead.
 *
 * Used by whatever makes messages, listings and pictures. Pure.
 */

/** Control characters, line and paragraph separators, bidirectional controls, halves of characters. */
const UNPRINTABLE = /[\p{Cc}\p{Cs}\p{Zl}\p{Zp}\p{Bidi_Control}]/gu;

const SHORT: Readonly<Record<string, string>> = { '\n': '\\n', '\r': '\\r', '\t': '\\t' };

/** The text in one line that is what it looks like: `a\u001b[2J`. */
export const printable = (text: string): string => text.replace(UNPRINTABLE, escaped);

/** The same of a text of several lines, which stay. */
export const printableLines = (text: string): string => text.split('\n').map(printable).join('\n');

const escaped = (character: string): string =>
  SHORT[character] ?? `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
