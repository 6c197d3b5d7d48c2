#!/usr/bin/env bash
# piscina's `utilization` of a pool that is busy all the time is about 0.001, not about 1.
#
# Version: piscina 5.3.2 on Node 20.
# Behaviour: `pool.utilization` is meant as the part of the workers' time that tasks took. It divides the mean run time, which piscina
#   5 has in milliseconds, by a thousand, and the result by the age of the pool, which is in milliseconds as well. One worker that
#   does nothing but run tasks of 50 ms comes out near 0.001. `histogram.runTime.mean` times `completed`, divided by `duration`,
#   gives the part that is meant.
# Seen:
#   utilization below 0.002, run time to duration above 0.3
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm install --silent --no-audit --no-fund --prefix . piscina@5.3.2 >/dev/null
echo 'module.exports = () => { const end = performance.now() + 50; while (performance.now() < end); };' > task.cjs
cat > look.mjs <<'JS'
import { Piscina } from 'piscina';
const pool = new Piscina({ filename: new URL('task.cjs', import.meta.url).href, maxThreads: 1 });
for (let n = 0; n < 20; n++) await pool.run();
const part = (pool.histogram.runTime.mean * pool.completed) / pool.duration;
const below = pool.utilization < 0.002 ? 'below' : 'not below';
const above = part > 0.3 ? 'above' : 'not above';
console.log(`utilization ${below} 0.002, run time to duration ${above} 0.3`);
await pool.destroy();
JS
seen=$(node look.mjs)
echo "$seen"
[ "$seen" = 'utilization below 0.002, run time to duration above 0.3' ]
