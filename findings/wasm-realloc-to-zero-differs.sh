#!/usr/bin/env bash
# realloc(p, 0) of WebAssembly modules from npm: SQLite's and tree-sitter's give a block, Lua's frees and gives 0.
#
# Versions: @sqlite.org/sqlite-wasm 3.54.1-build1, web-tree-sitter 0.27.2, wasmoon 1.16.0.
# Behaviour: all three export malloc, free and realloc. The first two (dlmalloc) shrink the block in place and answer its
#   address, so it is still to be freed; wasmoon's answers 0 and the block is free: the next malloc of the size gets it.
#   Whoever calls realloc(p, 0) to free leaks in two of the three, and a program that frees what it got back is right in all.
#   (All three give a block for malloc(0).)
# Seen:
#   sqlite: the block stays | tree-sitter: the block stays | lua: freed
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm install --silent --no-audit --no-fund --prefix . \
  @sqlite.org/sqlite-wasm@3.54.1-build1 web-tree-sitter@0.27.2 wasmoon@1.16.0 >/dev/null
cat > look.mjs <<'JS'
// The modules' instances, as their own loaders make them.
const instances = [];
const { instantiate } = WebAssembly;
WebAssembly.instantiate = async (...given) => {
  const made = await instantiate.apply(WebAssembly, given);
  instances.push(made.instance ?? made);
  return made;
};
const loaders = {
  sqlite: async () => (await import('@sqlite.org/sqlite-wasm')).default({ print() {}, printErr() {} }),
  'tree-sitter': async () => (await import('web-tree-sitter')).Parser.init(),
  lua: async () => new (await import('wasmoon')).LuaFactory().createEngine(),
};
const answers = [];
for (const [name, load] of Object.entries(loaders)) {
  instances.length = 0;
  await load();
  const { malloc, realloc } = instances.find(({ exports }) => exports.realloc).exports;
  const block = malloc(100);
  const answer = realloc(block, 0);
  const next = malloc(100);
  let what = `${answer === 0 ? 'gives 0' : 'gives a block'}, ${next === block ? '' : 'not '}handed out again`;
  if (answer === block && next !== block) what = 'the block stays';
  if (answer === 0 && next === block) what = 'freed';
  answers.push(`${name}: ${what}`);
}
console.log(answers.join(' | '));
JS
seen=$(node look.mjs)
echo "$seen"
[ "$seen" = 'sqlite: the block stays | tree-sitter: the block stays | lua: freed' ]
