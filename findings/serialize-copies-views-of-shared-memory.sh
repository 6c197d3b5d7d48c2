#!/usr/bin/env bash
# v8.serialize refuses a SharedArrayBuffer, but takes a typed array over one, and copies it without a word.
#
# Versions: Node 20.20.2, 24.21.0, 26.10.0 (npm packages `node`).
# Behaviour: the bare buffer throws "could not be cloned"; a Uint8Array over the same buffer is written as a copy, and
#   what is read back lies over a plain ArrayBuffer. process.send with `serialization: 'advanced'` goes the same way, so
#   a child process works on a copy that nobody else sees. postMessage between threads shares both.
# Seen, on each version:
#   bare: #<SharedArrayBuffer> could not be cloned. | view: [object ArrayBuffer], same memory: false
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
cat > look.mjs <<'JS'
import v8 from 'node:v8';
const shared = new SharedArrayBuffer(8);
let bare = 'taken';
try {
  v8.serialize(shared);
} catch (error) {
  bare = error.message;
}
const view = new Uint8Array(shared);
const back = v8.deserialize(v8.serialize(view));
back[0] = 7;
console.log(
  `bare: ${bare} | view: ${Object.prototype.toString.call(back.buffer)}, same memory: ${view[0] === 7}`,
);
JS
wanted='bare: #<SharedArrayBuffer> could not be cloned. | view: [object ArrayBuffer], same memory: false'
for version in 20.20.2 24.21.0 26.10.0; do
  npm install --silent --no-audit --no-fund --prefix "n$version" "node@$version" >/dev/null
  seen=$("n$version/node_modules/.bin/node" look.mjs)
  echo "Node $version: $seen"
  [ "$seen" = "$wanted" ]
done
