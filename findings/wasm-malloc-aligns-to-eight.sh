#!/usr/bin/env bash
# malloc of emscripten's WebAssembly modules aligns to 8 bytes, not to 16 as on 64-bit systems.
#
# Versions: @sqlite.org/sqlite-wasm 3.54.1-build1, web-tree-sitter 0.27.2.
# Behaviour: of 64 blocks of 16 bytes and more about half lie at addresses that are 8 modulo 16, all at multiples of 8. A
#   16-byte vector, or two 64-bit words that code takes for a pair aligned to 16, needs an aligned allocation, though the
#   same C source can rely on malloc on x86-64 or ARM64. Blocks of up to 12 bytes take 16, of 13 to 20 bytes 24.
# Seen:
#   sqlite: all at multiples of 8 true, of 16 false, 12 bytes take 16, 13 bytes take 24
#   tree-sitter: all at multiples of 8 true, of 16 false, 12 bytes take 16, 13 bytes take 24
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm install --silent --no-audit --no-fund --prefix . \
  @sqlite.org/sqlite-wasm@3.54.1-build1 web-tree-sitter@0.27.2 >/dev/null
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
};
for (const [name, load] of Object.entries(loaders)) {
  instances.length = 0;
  await load();
  const { malloc } = instances.find(({ exports }) => exports.malloc).exports;
  const step = (bytes) => {
    const distances = Array.from({ length: 9 }, () => malloc(bytes)).map((at, n, all) => at - all[n - 1]);
    return distances.at(-1);
  };
  const blocks = Array.from({ length: 64 }, (_, n) => malloc(16 + n));
  const multiples = (of) => blocks.every((address) => address % of === 0);
  console.log(
    `${name}: all at multiples of 8 ${multiples(8)}, of 16 ${multiples(16)}, ` +
      `12 bytes take ${step(12)}, 13 bytes take ${step(13)}`,
  );
}
JS
seen=$(node look.mjs)
echo "$seen"
like='all at multiples of 8 true, of 16 false, 12 bytes take 16, 13 bytes take 24'
[ "$seen" = "$(printf 'sqlite: %s\ntree-sitter: %s' "$like" "$like")" ]
