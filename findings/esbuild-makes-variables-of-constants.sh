#!/usr/bin/env bash
# A module's `const` in a bundle: esbuild writes `var`, and V8 loads it where it had a number.
#
# Versions: esbuild 0.28.2, rolldown 1.3.3 on Node 20.20.2.
# Behaviour: bundling, without any minification, esbuild turns each top-level `const` into a `var`, whether it is exported or not.
#   The language has no wrong result from that, so one would expect no more than other text. V8 folds a constant of the module
#   into compiled code and loads a `var` from the module's context at each use, since it may change. rolldown leaves `const`.
# Seen:
#   Node 20.20.2: esbuild: var, loaded; rolldown: const, a constant
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm install --silent --no-audit --no-fund --prefix . esbuild@0.28.2 rolldown@1.3.3 >/dev/null
echo 'export const TABLE = new Uint32Array(1024);' > table.js
cat > main.js <<'JS'
import { TABLE } from './table.js';
const OWN = TABLE;
function probe(seed) {
  let sum = seed;
  for (let index = 0; index < 1024; index++) sum += OWN[index];
  return sum;
}
let total = 0;
for (const end = Date.now() + 2000; Date.now() < end; ) total = probe(total);
console.log(total);
JS
npx esbuild main.js --bundle --format=esm --log-level=error --outfile=esbuild.mjs
npx rolldown main.js --format esm --file rolldown.mjs >/dev/null
version=20.20.2
line="Node $version:"
for bundler in esbuild rolldown; do
  keyword=$(grep -o '[a-z]* OWN = ' $bundler.mjs | cut -d ' ' -f 1)
  npm exec --yes --package=node@$version -- node --print-opt-code --print-opt-code-filter=probe $bundler.mjs > $bundler.txt
  # A constant table stands in the machine code as an object.
  held=$(grep -q 'object: 0x[0-9a-f]* <Uint32Array' $bundler.txt && echo 'a constant' || echo loaded)
  line+=" $bundler: $keyword, $held;"
done
seen=${line%;}
echo "$seen"
[ "$seen" = 'Node 20.20.2: esbuild: var, loaded; rolldown: const, a constant' ]
