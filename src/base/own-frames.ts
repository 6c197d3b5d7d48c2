/**
 * Which frames of a call stack are this package's, where a bundler has put it into one file with the
 * program: those between two places in that file. Bundlers keep modules whole and in the order in which
 * they run, and so does a minifier that makes one line of them.
 *
 * Marked by the first and the last module that calls run through, each as it loads; asked by
 * debug/stacks.ts. Any thread.
 */

interface Position {
  readonly file: string;
  readonly line: number;
  readonly column: number;
}

/** Two places, as stacks; they are read when they are asked for, which is seldom. */
const marks: { from: { stack?: unknown }; to: { stack?: unknown } }[] = [];
let ranges: { from: Position; to: Position }[] | undefined;

/** What follows in the caller's file is this package's, until the function that it gives is called. */
export function beginOwn(): () => void {
  const from = here(beginOwn);
  return function endOwn() {
    marks.push({ from, to: here(endOwn) });
    ranges = undefined;
  };
}

/** Is a frame, `function (file:line:column)`, in one of those places? */
export function isOwnFrame(frame: string): boolean {
  ranges ??= marks.flatMap(({ from, to }) => {
    const range = { from: firstOf(from), to: firstOf(to) };
    // In files of their own modules are known by their folder.
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

/** The stack from the caller of a function on; engines make its text when it is asked for. */
function here(above: (...of: never[]) => unknown): { stack?: unknown } {
  const holder: { stack?: unknown } = {};
  // A program may have frozen Error: then nothing is known, as of a program that formats stacks.
  try {
    const limit = Error.stackTraceLimit;
    Error.stackTraceLimit = 1;
    Error.captureStackTrace(holder, above);
    Error.stackTraceLimit = limit;
  } catch {
    // As above.
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

/** Ends what begins here: called by the last of this package's modules that stand in stacks. */
export const endOwnPackage = beginOwn();
