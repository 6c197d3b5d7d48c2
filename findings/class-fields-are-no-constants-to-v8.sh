#!/usr/bin/env bash
# A field that TypeScript declares on a class and the constructor sets: V8 never takes it for a constant again.
#
# Versions: TypeScript 5.9.3 on Node 20.20.2.
# Behaviour: with target ES2022 TypeScript emits `words;` in the class for `readonly words: Uint32Array;`, as the language demands. The
#   field is then defined as undefined and set by the constructor: two stores, and V8 keeps no field that was stored to twice as
#   constant. Code compiled for one known object loads the view from it at each call, with its address and its length. With
#   `useDefineForClassFields: false` nothing is emitted for the declaration, there is one store, and the compiled function holds the
#   view itself. A good guess is that both are the same to the engine, since nothing but the constructor ever writes.
# Seen:
#   Node 20.20.2: declared fields are loaded, the others are constants
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm install --silent --no-audit --no-fund --prefix . typescript@5.9.3 >/dev/null
cat > heap.mts <<'TS'
class Heap {
  readonly words: Uint32Array;
  constructor(words: Uint32Array) {
    this.words = words;
  }
}
const create = (words: Uint32Array) => {
  const heap = new Heap(words);
  return function probe(index: number): number {
    return heap.words[index]!;
  };
};
const probe = create(new Uint32Array(1024));
let sum = 0;
for (let n = 0; n < 30_000_000; n++) sum += probe(n & 1023);
console.log(sum);
TS
for defines in true false; do
  npx tsc --target es2022 --module nodenext --useDefineForClassFields $defines --outDir $defines heap.mts
done
version=20.20.2
for defines in true false; do
  npm exec --yes --package=node@$version -- node --print-opt-code --print-opt-code-filter=probe $defines/heap.mjs > $defines.txt
done
# A view that is a constant stands in the machine code as an object.
held() { grep -q 'object: 0x[0-9a-f]* <Uint32Array' "$1.txt" && echo constants || echo loaded; }
seen="Node $version: declared fields are $(held true), the others are $(held false)"
echo "$seen"
[ "$seen" = 'Node 20.20.2: declared fields are loaded, the others are constants' ]
