/**
 * Escapes texts that a program has chosen (names, paths, labels) for printing. Characters that
 * command a terminal, or that change how the rest of a line is read, become escape sequences.
 *
 * Used by all messages, listings and pictures. Pure functions.
 */

/** Control characters, line and paragraph separators, bidirectional controls, lone surrogates. */
const UNPRINTABLE = /[\p{Cc}\p{Cs}\p{Zl}\p{Zp}\p{Bidi_Control}]/gu;

const SHORT: Readonly<Record<string, string>> = { '\n': '\\n', '\r': '\\r', '\t': '\\t' };

/** The text as one printable line, such as `a\u001b[2J`. */
export const printable = (text: string): string => text.replace(UNPRINTABLE, escaped);

/** The text with each of its lines printable; line breaks stay. */
export const printableLines = (text: string): string => text.split('\n').map(printable).join('\n');

const escaped = (character: string): string =>
  SHORT[character] ?? `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
