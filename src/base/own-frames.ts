/**
 * Tells which frames of a call stack belong to this package when a bundler has merged the package
 * and the program into one file: the frames between two places in that file. Bundlers keep modules
 * whole and in the order in which they run; so does a minifier that writes all code into one line.
 *
 * The first and the last module of the package that calls run through mark these places when they
 * are loaded; debug/stacks.ts asks. Any thread.
 */

interface Position {
  readonly file: string;
  readonly line: number;
  readonly column: number;
}

/** Pairs of places, kept as stacks. Reading their text is slow and seldom needed, so it waits. */
const marks: { from: { stack?: unknown }; to: { stack?: unknown } }[] = [];
let ranges: { from: Position; to: Position }[] | undefined;

/** Code from here to the call of the returned function belongs to this package. */
export function beginOwn(): () => void {
  const from = here(beginOwn);
  return function endOwn() {
    marks.push({ from, to: here(endOwn) });
    ranges = undefined;
  };
}

/** True if a frame, `function (file:line:column)`, lies between two marked places. */
export function isOwnFrame(frame: string): boolean {
  ranges ??= marks.flatMap(({ from, to }) => {
    const range = { from: firstOf(from), to: firstOf(to) };
    // A package that is not bundled has several files; debug/stacks.ts then goes by their folder.
    return range.from !== undefined && range.from.file === range.to?.file ? [range as never] : [];
  });
  const at = positionOf(frame);
  if (at === undefined) return false;
  return ranges.some(({ from, to }) => {
    return at.file === from.file && !isBefore(at, from) && !isBefore(to, at);
  });
}

function isBefore(a: Position, b: Position): boolean {
  return a.line < b.line || (a.line === b.line && a.column < b.column);
}

function positionOf(frame: string): Position | undefined {
  const [, file, line, column] = /^(?:.*\()?(?:async )?(.+?):(\d+):(\d+)\)?$/.exec(frame) ?? [];
  return file === undefined ? undefined : { file, line: Number(line), column: Number(column) };
}

/** The stack from the caller of `above` on; engines format its text on first use. */
function here(above: (...of: never[]) => unknown): { stack?: unknown } {
  const holder: { stack?: unknown } = {};
  // If the program has frozen Error, there is no stack, and no place is known.
  try {
    const limit = Error.stackTraceLimit;
    Error.stackTraceLimit = 1;
    Error.captureStackTrace(holder, above);
    Error.stackTraceLimit = limit;
  } catch {
    // As above: no place is known.
  }
  return holder;
}

function firstOf(holder: { stack?: unknown }): Position | undefined {
  try {
    const [, first = ''] = String(holder.stack).split('\n');
    return positionOf(first.trim().replace(/^at /, ''));
  } catch {
    return undefined;
  }
}

/** Marks the end of the package. Called by its last module that appears in call stacks. */
export const endOwnPackage = beginOwn();
