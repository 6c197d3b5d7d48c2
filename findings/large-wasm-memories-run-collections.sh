#!/usr/bin/env bash
# Making a WebAssembly.Memory with a large `initial` runs garbage collections: private ones on every version, shared ones since Node 26.
#
# Versions: Node 20.20.2, 24.21.0, 26.10.0 (npm packages `node`).
# Behaviour: 100 memories of 1 GiB each, nothing written to. On Node 20 and 24 shared ones cost no collection and private
#   ones over 50; on Node 26 both cost over 50, and with them about 100 times the time. With `initial: 1` and the same
#   `maximum` there is none on any version: a memory that grows later comes cheaper than one that starts at full size.
# Seen (collections): Node 20 shared 0, private 82; Node 24 shared 0, private 74; Node 26 shared 70, private 74;
#   with one page at first 0 everywhere.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
cat > look.mjs <<'JS'
import { PerformanceObserver } from 'node:perf_hooks';
const [initial, shared] = [Number(process.argv[2]), process.argv[3] === 'shared'];
let collections = 0;
new PerformanceObserver((list) => {
  collections += list.getEntries().length;
}).observe({ entryTypes: ['gc'] });
const keep = [];
for (let n = 0; n < 100; n++) keep.push(new WebAssembly.Memory({ initial, maximum: 16_384, shared }));
await new Promise((done) => setTimeout(done, 300));
console.log(collections < 10 ? 'few' : collections > 50 ? 'many' : collections);
if (keep.length !== 100) process.exit(1);
JS
check() { # version, initial pages, shared or private, what is wanted
  local seen
  seen=$("n$1/node_modules/.bin/node" look.mjs "$2" "$3")
  echo "Node $1, $2 pages at first, $3: $seen"
  [ "$seen" = "$4" ]
}
for version in 20.20.2 24.21.0 26.10.0; do
  npm install --silent --no-audit --no-fund --prefix "n$version" "node@$version" >/dev/null
  check "$version" 1 shared few
  check "$version" 1 private few
  check "$version" 16384 private many
done
check 20.20.2 16384 shared few
check 24.21.0 16384 shared few
check 26.10.0 16384 shared many
