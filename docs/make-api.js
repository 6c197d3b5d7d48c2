// Makes docs/api.md from the docstrings of the four entries: `npm run docs`. With --check it only compares,
// and exits with 1 where the file is not what the docstrings say: continuous integration calls it so.
//
// typedoc needs a TypeScript that still has the compiler as a library (up to 6.0), and this project is
// built with a later one: npm fetches all three as packages of their own, in these versions.

import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const PACKAGES = ['typedoc@0.28.20', 'typedoc-plugin-markdown@4.14.1', 'typescript@5.9.3'];
const ENTRIES = [
  {
    import: 'shmalloc',
    source: 'src/index.ts',
    page: 'index.md',
    what: 'The heap, its contexts, its vectors, and what is inside.',
  },
  {
    import: 'shmalloc/mem',
    source: 'src/api/mem.ts',
    page: 'api/mem.md',
    what: 'C-style functions over one heap for all threads.',
  },
  {
    import: 'shmalloc/pool',
    source: 'src/pool/index.ts',
    page: 'pool.md',
    what: 'Workers over a heap.',
  },
  {
    import: 'shmalloc/pictures',
    source: 'src/render/index.ts',
    page: 'render.md',
    what: 'Pictures of a heap.',
  },
];
const ROOT = fileURLToPath(new URL('..', import.meta.url));
const API = join(ROOT, 'docs/api.md');

const INTRODUCTION = `# API

Every public call: parameters, units, errors, which threads may call it, and what it costs. Made from the
docstrings of the source (\`npm run docs\`); do not edit. Addresses, sizes and offsets are bytes; times are
milliseconds where nothing else is said.

`;

/** Paths of the command and of its plugin, as npm has installed them. */
function fetchTypedoc() {
  const options = PACKAGES.map((name) => `--package=${name}`);
  const find = 'readlink -f "$(which typedoc)"';
  const command = execFileSync('npm', ['exec', '--yes', ...options, '--', 'bash', '-c', find], {
    cwd: ROOT,
    encoding: 'utf8',
  }).trim();
  const modules = command.slice(0, command.lastIndexOf('/typedoc/'));
  return { command, plugin: `${modules}/typedoc-plugin-markdown/dist/index.js` };
}

function makeMarkdown(folder) {
  const { command, plugin } = fetchTypedoc();
  const settings = {
    plugin: [plugin],
    entryPoints: ENTRIES.map(({ source }) => join(ROOT, source)),
    tsconfig: join(ROOT, 'tsconfig.json'),
    out: folder,
    outputFileStrategy: 'modules',
    readme: 'none',
    excludeInternal: true,
    excludePrivate: true,
    excludeProtected: true,
    excludeExternals: true,
    disableSources: true,
    // The build has the types already; other versions of the compiler say other things.
    skipErrorChecking: true,
    hideBreadcrumbs: true,
    hidePageHeader: true,
    hidePageTitle: true,
    parametersFormat: 'table',
    typeDeclarationFormat: 'table',
    interfacePropertiesFormat: 'table',
    typeAliasPropertiesFormat: 'table',
    enumMembersFormat: 'table',
    logLevel: 'Error',
  };
  const options = join(folder, 'typedoc.json');
  writeFileSync(options, JSON.stringify(settings));
  execFileSync(process.execPath, [command, '--options', options], { cwd: ROOT, stdio: 'inherit' });
}

/** The pages of the entries as one, with links between pages as links inside it. */
function joinPages(folder) {
  const pages = ENTRIES.map((entry) => {
    const text = readFileSync(join(folder, entry.page), 'utf8')
      .replace(/\]\((?:\.\.\/)?(?:api\/)?\w+\.md#/g, '](#')
      .trim();
    return `# ${entry.import}\n\n${entry.what}\n\n${text}\n`;
  });
  return INTRODUCTION + pages.join('\n');
}

const folder = mkdtempSync(join(tmpdir(), 'shmalloc-api-'));
try {
  makeMarkdown(folder);
  const made = joinPages(folder);
  if (!process.argv.includes('--check')) writeFileSync(API, made);
  else if (readFileSync(API, 'utf8') !== made) {
    console.error('docs/api.md is not what the docstrings say: run `npm run docs`');
    process.exitCode = 1;
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}
