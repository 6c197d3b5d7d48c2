#!/usr/bin/env bash
# process.memoryUsage() counts a SharedArrayBuffer of fixed length, but neither a growable one nor a shared WebAssembly.Memory.
#
# Versions: Node 20.20.2, 24.21.0, 26.10.0 (npm packages `node`).
# Behaviour: 64 MiB of each, all of it written to. The fixed buffer stands in `arrayBuffers` from its first byte on; the
#   other two raise neither `arrayBuffers` nor `external` (by less than 1 KiB), only the resident set. Whoever watches for
#   leaks by these figures sees nothing of them.
# Seen, on each version:
#   fixed: counted | growable: not counted | WebAssembly: not counted
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
cat > look.mjs <<'JS'
const BYTES = 64 << 20;
const keep = [];
function counted(make) {
  const before = process.memoryUsage();
  const buffer = make();
  new Uint8Array(buffer).fill(1);
  keep.push(buffer);
  const after = process.memoryUsage();
  const grown = after.arrayBuffers - before.arrayBuffers + (after.external - before.external);
  if (grown >= BYTES) return 'counted';
  return Math.abs(grown) < 1 << 20 ? 'not counted' : `${grown} bytes`;
}
const pages = BYTES / 65_536;
const answers = [
  `fixed: ${counted(() => new SharedArrayBuffer(BYTES))}`,
  `growable: ${counted(() => new SharedArrayBuffer(BYTES, { maxByteLength: 2 * BYTES }))}`,
  `WebAssembly: ${counted(() => new WebAssembly.Memory({ initial: pages, maximum: pages, shared: true }).buffer)}`,
];
console.log(answers.join(' | '));
JS
wanted='fixed: counted | growable: not counted | WebAssembly: not counted'
for version in 20.20.2 24.21.0 26.10.0; do
  npm install --silent --no-audit --no-fund --prefix "n$version" "node@$version" >/dev/null
  seen=$("n$version/node_modules/.bin/node" look.mjs)
  echo "Node $version: $seen"
  [ "$seen" = "$wanted" ]
done
