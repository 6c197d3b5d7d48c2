#!/usr/bin/env bash
# A namespace that a barrel hands on (`export * as Slot from './slot.js'`): three bundlers, one keeps an object for it.
#
# Versions: esbuild 0.28.2, rollup 4.68.8, rolldown 1.3.3.
# Behaviour: all three dissolve `import * as Slot from './slot.js'` and call Slot.top as a plain function. When the same namespace comes
#   through a second module with `export * as Slot`, rollup and rolldown dissolve it too; esbuild makes an object with a
#   getter for every export, all exports stay (unused ones as well), and each use reads a property of that object.
# Seen:
#   esbuild: straight: a function, barrel: an object with getters, unused kept
#   rollup: straight: a function, barrel: a function
#   rolldown: straight: a function, barrel: a function
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm install --silent --no-audit --no-fund --prefix . esbuild@0.28.2 rollup@4.68.8 rolldown@1.3.3 >/dev/null
cat > slot.js <<'JS'
export const top = (words, slot) => words[slot + 1];
export function unused() {
  return 'not used by anybody';
}
JS
echo "export * as Slot from './slot.js';" > barrel.js
use='export const read = (words, slot) => Slot.top(words, slot);'
echo "import * as Slot from './slot.js'; $use" > straight.js
echo "import { Slot } from './barrel.js'; $use" > through.js
cat > look.mjs <<'JS'
import { build } from 'esbuild';
import { rolldown } from 'rolldown';
import { rollup } from 'rollup';

const withRollup = (bundle) => async (input) =>
  (await (await bundle({ input })).generate({ format: 'esm' })).output[0].code;
const bundlers = {
  esbuild: async (input) =>
    (await build({ entryPoints: [input], bundle: true, format: 'esm', write: false })).outputFiles[0].text,
  rollup: withRollup(rollup),
  rolldown: withRollup(rolldown),
};
for (const [name, bundle] of Object.entries(bundlers)) {
  const forms = [];
  for (const [form, input] of [['straight', 'straight.js'], ['barrel', 'through.js']]) {
    const code = await bundle(input);
    const isCalled = /[^.\w]top\(words, slot\)/.test(code);
    const what = isCalled ? 'a function' : /get: /.test(code) ? 'an object with getters' : 'something else';
    forms.push(`${form}: ${what}${/not used by anybody/.test(code) ? ', unused kept' : ''}`);
  }
  console.log(`${name}: ${forms.join(', ')}`);
}
JS
seen=$(node look.mjs)
echo "$seen"
[ "$seen" = 'esbuild: straight: a function, barrel: an object with getters, unused kept
rollup: straight: a function, barrel: a function
rolldown: straight: a function, barrel: a function' ]
