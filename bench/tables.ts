/** Tables as text and as markdown, from the same rows; and the format of numbers in them. */

type Rows = readonly (readonly string[])[];

/** In place of a missing number. */
export const NOTHING = '-';

export function number(value: number | undefined, digits = 1): string {
  return value === undefined || !Number.isFinite(value) ? NOTHING : value.toFixed(digits);
}

/**
 * Three significant digits, at any size: `0.61`, `12.3`, `1,240`. Below that, four decimal places.
 */
export function short(value: number): string {
  if (!Number.isFinite(value)) return NOTHING;
  const size = Math.abs(value);
  if (size >= 100) return Math.round(value).toLocaleString('en-US');
  return value.toFixed(size >= 10 ? 1 : size >= 0.1 || size === 0 ? 2 : 4);
}

/** `±3 %`; empty for a single round. */
export function percent(part: number): string {
  return Number.isFinite(part) ? `±${(100 * part).toFixed(0)} %` : '';
}

/** A number and its spread: `0.61 ±3 %`. */
export function within(value: number, spread: number): string {
  return `${short(value)} ${percent(spread)}`.trimEnd();
}

/** Columns of equal width; the first to the left, the others to the right. */
export function textTable(columns: readonly string[], rows: Rows): string {
  const all = [columns, ...rows];
  const widths = columns.map((_, n) => Math.max(...all.map((row) => (row[n] ?? '').length)));
  const line = (row: readonly string[]) =>
    widths
      .map((width, n) => (n === 0 ? (row[n] ?? '').padEnd(width) : (row[n] ?? '').padStart(width)))
      .join('  ')
      .trimEnd();
  return all.map((row) => `  ${line(row)}\n`).join('');
}

export function markdownTable(columns: readonly string[], rows: Rows): string {
  const line = (cells: readonly string[]) => `| ${cells.map(escapeCell).join(' | ')} |\n`;
  const full = rows.map((row) => columns.map((_, n) => row[n] ?? ''));
  const rule = columns.map((_, n) => (n === 0 ? '---' : '---:'));
  return `${line(columns)}| ${rule.join(' | ')} |\n${full.map(line).join('')}`;
}

/** Escapes characters that would end a cell, or be read as markup. */
function escapeCell(text: string): string {
  return text.replace(/[|<*]/g, (character) => `\\${character}`);
}

/** Text in lines of up to 100 columns, indented. */
export function wrapText(text: string, indent = '  ', columns = 100): string {
  let line = indent;
  let all = '';
  for (const word of text.split(' ')) {
    if (line.length > indent.length && line.length + word.length > columns) {
      all += `${line.trimEnd()}\n`;
      line = indent;
    }
    line += `${word} `;
  }
  return `${all}${line.trimEnd()}\n`;
}
