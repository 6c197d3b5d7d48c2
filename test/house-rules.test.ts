/**
 * Proves the rules of the house on the source itself: who imports whom, where Atomics are, that
 * workers, benchmarks, examples and the tests of the contract use what users use, and what no source
 * file has in it.
 */

import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { basename, dirname, join, normalize, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import test from 'ava';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));

/** Each folder of src/ imports from itself and from those before it. */
const LAYERS = [
  'base',
  'layout',
  'sync',
  'pages',
  'recovery',
  'blocks',
  'verify',
  'heap',
  'trace',
  'debug',
  'contexts',
  'collections',
  'stats',
  'inspect',
  'render',
  'options',
  'api',
  'pool',
  'cli',
];

interface Import {
  readonly from: string;
  readonly typeOnly: boolean;
  /** The name of `import * as Name`. */
  readonly namespace: string | undefined;
}

interface Source {
  /** From the project's root, with slashes. */
  readonly path: string;
  readonly text: string;
  /** Without comments, and with empty strings. */
  readonly code: string;
  readonly imports: readonly Import[];
}

function readSources(folder: string): Source[] {
  if (!existsSync(join(ROOT, folder))) return [];
  return readdirSync(join(ROOT, folder), { withFileTypes: true }).flatMap((entry) => {
    const path = `${folder}/${entry.name}`;
    if (entry.isDirectory()) return entry.name === 'node_modules' ? [] : readSources(path);
    if (!/\.[mc]?tsx?$/.test(entry.name)) return [];
    const text = readFileSync(join(ROOT, path), 'utf8');
    return [{ path, text, code: strip(text), imports: importsOf(text) }];
  });
}

/** Everything named by import, export ... from, or import(). */
function importsOf(text: string): Import[] {
  const code = strip(text, true);
  const pattern =
    /(?:^|[;\n])\s*(import|export)\s+(type\b)?(?:\s*\*\s*as\s+(\w+)\s+)?[^;'"]*?from\s*(['"])([^'"]+)\4|^\s*import\s*(['"])([^'"]+)\6|\bimport\(\s*(['"`])([^'"`]+)\8/gm;
  return [...code.matchAll(pattern)].map((match) => ({
    from: match[5] ?? match[7] ?? match[9],
    typeOnly: match[2] !== undefined,
    namespace: match[3],
  }));
}

/** Source text without its comments; strings stay or become empty. Line breaks stay. */
function strip(text: string, keepStrings = false): string {
  const token =
    /\/\/[^\n]*|\/\*[\s\S]*?\*\/|'(?:[^'\\\n]|\\.)*'|"(?:[^"\\\n]|\\.)*"|(?<=[=(,:[!&|?{};\n]\s*)\/(?![/*])(?:[^/\\\n[]|\\.|\[(?:[^\]\\\n]|\\.)*\])+\/[a-z]*/g;
  return text.replace(token, (found) => {
    if (found.startsWith('//') || found.startsWith('/*')) return found.replace(/[^\n]/g, '');
    if (found.startsWith('/')) return '/./';
    return keepStrings ? found : "''";
  });
}

const src = readSources('src');
const users = [...readSources('workers'), ...readSources('bench'), ...readSources('examples')];
const layerOf = (path: string): string => path.split('/')[1];

/** The file that a relative import names, from the project's root. */
function resolve(source: Source, from: string): string {
  return normalize(join(dirname(source.path), from))
    .split(sep)
    .join('/');
}

/** A structure of layout/ has one namespace: the name of its file in capitals, but for two plain words. */
function namespaceOf(path: string): string {
  const file = basename(path, '.js');
  if (file === 'record-table') return 'Records';
  return file.replace(/(?:^|-)(\w)/g, (_, letter: string) => letter.toUpperCase());
}

/** What is wrong with an import of a file in src/; null when nothing is. */
function findFault(source: Source, { from, typeOnly, namespace }: Import): string | null {
  if (!from.startsWith('.')) return from.startsWith('shmalloc') ? 'imports its own package' : null;
  if (!from.endsWith('.js')) return 'names no .js file';
  const target = resolve(source, from);
  const layer = layerOf(source.path);
  if (target.startsWith('workers/')) {
    return layer === 'cli' && typeOnly ? null : 'only cli may name a worker, and only its types';
  }
  if (!target.startsWith('src/')) return 'leaves src/';
  const targetLayer = layerOf(target);
  if (targetLayer === layer) {
    return target.split('/').length === 3 ? null : 'not a file of its own folder';
  }
  const isStructure = targetLayer === 'layout' && namespace === namespaceOf(target);
  if (!isStructure && target !== `src/${targetLayer}/index.js`) {
    return 'goes past the index.js of another folder';
  }
  // Files of src/ itself are the entries: they may show anything.
  if (source.path.split('/').length === 2) return null;
  return LAYERS.indexOf(targetLayer) < LAYERS.indexOf(layer) ? null : 'imports a later layer';
}

test('src: every folder is one of the layers, and there is something in it', (t) => {
  const folders = new Set(
    src.filter(({ path }) => path.split('/').length > 2).map((s) => layerOf(s.path)),
  );
  t.deepEqual(
    [...folders].filter((folder) => !LAYERS.includes(folder)),
    [],
  );
  for (const folder of LAYERS) {
    t.true(folders.has(folder), folder);
  }
});

test('src: imports go up the layers only, to other folders through their index.js', (t) => {
  const faults = src.flatMap((source) =>
    source.imports.flatMap((one) => {
      const fault = findFault(source, one);
      return fault === null ? [] : [`${source.path}: '${one.from}' ${fault}`];
    }),
  );
  t.deepEqual(faults, []);
  const imports = src.reduce((sum, { imports }) => sum + imports.length, 0);
  t.true(imports > 80, `${imports} imports looked at`);
});

test('src: no import cycle inside a folder', (t) => {
  const graph = new Map(
    src.map((source) => [
      source.path.replace(/\.ts$/, '.js'),
      source.imports
        .filter(({ from, typeOnly }) => from.startsWith('.') && !typeOnly)
        .map(({ from }) => resolve(source, from)),
    ]),
  );
  const done = new Set<string>();
  const cycles: string[] = [];
  const visit = (path: string, above: string[]): void => {
    if (above.includes(path)) cycles.push([...above.slice(above.indexOf(path)), path].join(' > '));
    if (done.has(path) || above.includes(path)) return;
    for (const target of graph.get(path) ?? []) visit(target, [...above, path]);
    done.add(path);
  };
  for (const path of graph.keys()) visit(path, []);
  t.deepEqual(cycles, []);
});

test('src: only pool/ loads a package, and only piscina; the rest loads Node modules', (t) => {
  const foreign = src.flatMap(({ path, imports }) =>
    imports
      .filter(({ from }) => !from.startsWith('.') && !from.startsWith('node:'))
      .filter(({ from }) => !(layerOf(path) === 'pool' && from === 'piscina'))
      .map(({ from }) => `${path}: '${from}'`),
  );
  t.deepEqual(foreign, []);
});

test('src: base/ and layout/ load nothing at all from outside', (t) => {
  const foreign = src
    .filter(({ path }) => ['base', 'layout'].includes(layerOf(path)))
    .flatMap(({ path, imports }) =>
      imports.filter(({ from }) => !from.startsWith('.')).map(({ from }) => `${path}: ${from}`),
    );
  t.deepEqual(foreign, []);
});

test('src: Atomics are in layout/ and sync/ only, and the global is looked at once', (t) => {
  const uses = src
    .filter(({ code }) => /\batomics\.|= atomics\b/.test(code))
    .map(({ path }) => path);
  t.true(uses.length > 0);
  t.deepEqual(
    uses.filter((path) => !['layout', 'sync'].includes(layerOf(path))),
    [],
  );
  const ofGlobal = src.filter(({ code }) => /\bAtomics\b/.test(code)).map(({ path }) => path);
  t.deepEqual(ofGlobal, ['src/layout/atomics.ts']);
});

/** What a program may put a double in the place of; the commands are programs themselves. */
const REPLACED =
  /\b(performance\.|Date\.|new Date|Math\.random|setTimeout|setInterval|setImmediate|queueMicrotask)/;

/**
 * Where they are taken, also by what a pool's worker runs before it can import anything; and the script
 * of a page that runs in a browser.
 */
const EXEMPT = ['src/base/originals.ts', 'src/pool/worker-entry.cts', 'src/render/page-script.ts'];

test('src: clocks, timers and random are taken from base/originals.ts', (t) => {
  const faults = src
    .filter(({ path }) => layerOf(path) !== 'cli' && !EXEMPT.includes(path))
    .filter(({ code }) => REPLACED.test(code))
    .map(({ path }) => path);
  t.deepEqual(faults, []);
});

test('workers, bench, examples: import the public entries, packages, Node modules and neighbours only', (t) => {
  const faults = users.flatMap((source) =>
    source.imports
      .filter(({ from }) => from.startsWith('..') || from.startsWith('/') || from.includes('/src/'))
      .map(({ from }) => `${source.path}: '${from}'`),
  );
  t.true(users.length > 0);
  t.deepEqual(faults, []);
});

const contract = readSources('test/contract');
const PUBLIC = /^(ava|fast-check|node:.+|shmalloc|shmalloc\/(mem|pool|pictures)|\.\/[\w.-]+\.js)$/;

test('test/contract: imports the public entries, ava, fast-check, Node modules and neighbours only', (t) => {
  const faults = contract.flatMap(({ path, imports }) =>
    imports.filter(({ from }) => !PUBLIC.test(from)).map(({ from }) => `${path}: '${from}'`),
  );
  t.true(contract.length > 0);
  t.deepEqual(faults, []);
  for (const from of [
    '../helpers.js',
    '../../src/index.js',
    './a/../../b.js',
    'shmalloc/src',
    'x',
  ]) {
    t.false(PUBLIC.test(from), from);
  }
});

test('test/contract: no file has more than 300 lines', (t) => {
  const long = contract.filter(({ text }) => text.split('\n').length - 1 > 300);
  t.deepEqual(
    long.map(({ path }) => path),
    [],
  );
});

const FORBIDDEN: Record<string, RegExp> = {
  any: /[:<|&,(=]\s*any\b|\bas\s+any\b|\bany\[\]/,
  enum: /\benum\b/,
  namespace: /\bnamespace\s+\w+\s*\{/,
  'default exports': /\bexport\s+default\b/,
  // Values of another realm, or of another copy of this package, are told by base/kinds.ts.
  'instanceof, or comparison with a constructor or prototype':
    /\binstanceof\b|[=!]== *\w+\.prototype\b|\.constructor\s*[=!]==/,
};
const FORBIDDEN_ANYWHERE: Record<string, RegExp> = {
  'switched-off type checks': /@ts-(ignore|nocheck|expect-error)/,
  'notes to self': /\b(TODO|FIXME|XXX|HACK)\b/,
};

for (const [what, pattern] of Object.entries(FORBIDDEN)) {
  test(`src: no ${what}`, (t) => {
    const found = src.flatMap(({ path, code }) =>
      code
        .split('\n')
        .flatMap((line, n) => (pattern.test(line) ? [`${path}:${n + 1}: ${line.trim()}`] : [])),
    );
    t.deepEqual(found, []);
  });
}

for (const [what, pattern] of Object.entries(FORBIDDEN_ANYWHERE)) {
  test(`src, workers, bench, examples: no ${what}`, (t) => {
    const found = [...src, ...users].flatMap(({ path, text }) =>
      text
        .split('\n')
        .flatMap((line, n) => (pattern.test(line) ? [`${path}:${n + 1}: ${line.trim()}`] : [])),
    );
    t.deepEqual(found, []);
  });
}

test('src: every file begins with what it is', (t) => {
  const silent = src.filter(({ text }) => !/^(#!.*\n)?\/\*\*/.test(text)).map(({ path }) => path);
  t.deepEqual(silent, []);
});

// ---- Sizes

interface Shape {
  /** The function's, after that of its file. */
  readonly name: string;
  readonly parameters: number;
  readonly lines: number;
}

const NO_FUNCTION = /^(if|for|while|switch|catch|return|function|super|await|typeof|new)$/;

/** Index after the bracket that closes the one at `open`. */
function endOf(code: string, open: number): number {
  let depth = 0;
  for (let at = open; at < code.length; at++) {
    if ('([{'.includes(code[at])) depth++;
    else if (')]}'.includes(code[at]) && --depth === 0) return at + 1;
  }
  return code.length;
}

/** How many parameters stand between two brackets: commas on the outermost level. */
function countParameters(list: string): number {
  let depth = 0;
  let commas = 0;
  for (const sign of list.replace(/=>/g, '').replace(/,\s*$/, '')) {
    if ('([{<'.includes(sign)) depth++;
    else if (')]}>'.includes(sign)) depth--;
    else if (sign === ',' && depth === 0) commas++;
  }
  return list.trim() === '' ? 0 : commas + 1;
}

/** Index after the expression at `start`: of the comma, semicolon or bracket that ends it. */
function endOfExpression(code: string, start: number): number {
  let at = start;
  while (at < code.length && !',;)]}'.includes(code[at])) {
    at = '([{'.includes(code[at]) ? endOf(code, at) : at + 1;
  }
  return at;
}

/** Every function and method of a file that has a body, and every signature of a method. */
function functionsOf(code: string): Shape[] {
  const head =
    /\bfunction\*?\s+(\w+)\s*(?:<[^()]*>)?\(|^ +(?:(?:static|async|get|set|override) +)*\*?(#?\w+)\??(?:<[^()\n]*>)?\(/gm;
  return [...code.matchAll(head)].flatMap((match) => {
    const name = match[1] ?? match[2];
    if (NO_FUNCTION.test(name)) return [];
    const open = match.index + match[0].length - 1;
    const close = endOf(code, open);
    const parameters = countParameters(code.slice(open + 1, close - 1));
    // A return type may be an object.
    const type = /^\s*:\s*(?=\{)/.exec(code.slice(close));
    const after = type === null ? close : endOf(code, close + type[0].length);
    const body = /^\s*(?::[^;={}]*)?\{/.exec(code.slice(after));
    if (body === null) return code[close] === ':' ? [{ name, parameters, lines: 1 }] : [];
    const end = endOf(code, after + body[0].length - 1);
    return [{ name, parameters, lines: linesOf(code, match.index, end) }];
  });
}

/** What may stand between the parameters of an arrow function, or of its type, and its body. */
const ARROW = /^(?:\s*:\s*(?:[^=;(){}]|\{[^{}]*\})+?)?\s*=>\s*/;
/** What gives an arrow function its name. */
const ARROW_NAME =
  /(?:(#?\w+)\s*(?::[^=;,(){}]*)?=|(#?\w+)\??:)\s*(?:async\s*)?(?:<[^<>()]*>\s*)?$/;

/** Every arrow function of a file and every type of one; `=>` names those that no name is given to. */
function arrowsOf(code: string): Shape[] {
  return [...code.matchAll(/\(/g)].flatMap(({ index: open }) => {
    const close = endOf(code, open);
    const arrow = ARROW.exec(code.slice(close, close + 400));
    if (arrow === null) return [];
    const named = ARROW_NAME.exec(code.slice(Math.max(0, open - 400), open));
    const body = close + arrow[0].length;
    const end = code[body] === '{' ? endOf(code, body) : endOfExpression(code, body);
    return [
      {
        name: named?.[1] ?? named?.[2] ?? '=>',
        parameters: countParameters(code.slice(open + 1, close - 1)),
        lines: linesOf(code, open, end),
      },
    ];
  });
}

const linesOf = (code: string, start: number, end: number): number =>
  code.slice(start, end).trim().split('\n').length;

/** Every function, method and arrow function of a file, and every signature and type of one. */
function shapesOf(path: string, code: string): Shape[] {
  return [...functionsOf(code), ...arrowsOf(code)].map((shape) => ({
    ...shape,
    name: `${path} ${shape.name}`,
  }));
}

const shapes = src.flatMap(({ path, code }) => shapesOf(path, code));

/**
 * All that is still larger than the rules of the next tests. A listed name that is no longer larger
 * fails, too: the lists only become shorter.
 */
const LONG_FILES: readonly string[] = [];
/** Both fast paths: the one list entry that is to stay. */
const LONG_FUNCTIONS: readonly string[] = ['src/heap/fast-path.ts createFastPath'];
const LONG_LISTS: readonly string[] = [
  'src/base/errors.ts constructor',
  // Its parameters are the stack that it is about: they stay.
  'src/base/stack-headroom.ts probeStack',
];

test('src: no file has more than 350 lines, but those that are listed', (t) => {
  const long = src.filter(({ text }) => text.split('\n').length - 1 > 350);
  t.deepEqual(long.map(({ path }) => path).sort(), [...LONG_FILES].sort());
});

test('src: no function has more than 70 lines, but those that are listed', (t) => {
  const long = shapes.filter(({ lines }) => lines > 70).map(({ name }) => name);
  t.deepEqual([...new Set(long)].sort(), [...LONG_FUNCTIONS].sort());
});

test('src: no list has more than 4 parameters, but those that are listed', (t) => {
  const long = shapes.filter(({ parameters }) => parameters > 4).map(({ name }) => name);
  t.deepEqual([...new Set(long)].sort(), [...LONG_LISTS].sort());
});

test('shapesOf: sees functions, methods and arrow functions, their lines and parameters', (t) => {
  const code = [
    'export function a<T>(b: Map<T, number>, { c, d }: E, f = (g: number, h: number) => 1): I {',
    '  if (b) return;',
    '}',
    'class J {',
    '  #k(): { l: number } {',
    '    m(1, 2, 3);',
    '  }',
    '  static async n(',
    '    o: number,',
    '    p: number,',
    '  ) {}',
    '  readonly #q = async <R>(s: R): Promise<R> => {',
    '    return s;',
    '  };',
    '}',
    'interface U {',
    '  v(w: number, x: Map<number, number>): void;',
    '  y?: (z: number) => void;',
    '}',
    'const aa: BB = (',
    '  cc: number,',
    '  dd: () => void,',
    '): cc is EE =>',
    '  ff(cc, [dd]) && {',
    '    gg: 1,',
    '  };',
    'hh.map(({ ii, jj }, kk) => {',
    '  ll();',
    '});',
    'const mm = (nn + oo) * (pp ? qq : rr);',
  ].join('\n');
  t.deepEqual(
    shapesOf('q', code).map(({ name, parameters, lines }) => [name, parameters, lines]),
    [
      ['q a', 3, 3],
      ['q #k', 0, 3],
      ['q n', 2, 4],
      ['q v', 2, 1],
      ['q f', 2, 1],
      ['q #q', 1, 3],
      ['q y', 1, 1],
      ['q aa', 2, 7],
      ['q dd', 0, 1],
      ['q =>', 2, 3],
    ],
  );
});

test('src: a structure of layout/ is one namespace, under one name', (t) => {
  const faults = src.flatMap((source) =>
    source.imports.flatMap(({ from, namespace }) => {
      if (namespace === undefined || !from.startsWith('.')) return [];
      const target = resolve(source, from);
      return namespace === namespaceOf(target) ? [] : [`${source.path}: ${from} as ${namespace}`];
    }),
  );
  t.deepEqual(faults, []);
});

test('importsOf, strip: see what they are there for', (t) => {
  const text = [
    "import { a } from './a.js'; // import { b } from './b.js'",
    "import type { c } from '../c/index.js';",
    "/* import d from './d.js' */ import './e.js';",
    "export {\n  type f,\n} from './f.js';",
    "const g = await import('./g.js');",
    "import * as Slot from './slot.js';",
    "const s = 'any // no comment'; let any: any = /'/.test(s);",
  ].join('\n');
  t.deepEqual(
    importsOf(text).map(({ from, typeOnly }) => `${from}${typeOnly ? ' type' : ''}`),
    ['./a.js', '../c/index.js type', './e.js', './f.js', './g.js', './slot.js'],
  );
  t.is(importsOf(text).at(-1)?.namespace, 'Slot');
  t.is(strip(text).split('\n').length, text.split('\n').length);
  t.true(strip(text).endsWith("const s = ''; let any: any = /./.test(s);"));
});
