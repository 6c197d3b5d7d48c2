#!/usr/bin/env bash
# A pending Atomics.waitAsync does not keep Node alive, not even one with a time-out that has still to pass.
#
# Versions: Node 20.20.2, 24.21.0, 26.10.0 (npm packages `node`).
# Behaviour: the program waits for up to 1,000 ms and does something then; Node ends at once, with exit code 0, and the
#   promise never settles. Unlike setTimeout, the wait holds no reference on the event loop. With a top-level await on the
#   promise the exit code is 13. A lock or queue with an async end needs a reference of its own (a port, a timer).
# Seen, on each version:
#   exit code 0, settled: false, ended before the time-out: true
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
cat > look.mjs <<'JS'
const words = new Int32Array(new SharedArrayBuffer(4));
const started = performance.now();
let settled = false;
Atomics.waitAsync(words, 0, 0, 1000).value.then(() => {
  settled = true;
});
process.on('exit', (code) => {
  const early = performance.now() - started < 900;
  console.log(`exit code ${code}, settled: ${settled}, ended before the time-out: ${early}`);
});
JS
wanted='exit code 0, settled: false, ended before the time-out: true'
for version in 20.20.2 24.21.0 26.10.0; do
  npm install --silent --no-audit --no-fund --prefix "n$version" "node@$version" >/dev/null
  seen=$("n$version/node_modules/.bin/node" look.mjs)
  echo "Node $version: $seen"
  [ "$seen" = "$wanted" ]
done
