#!/usr/bin/env bash
# A piscina task with an abort signal shares its worker with no other task, whatever concurrentTasksPerWorker says.
#
# Version: piscina 5.3.2.
# Behaviour: one worker that may run four tasks at a time gets four tasks that wait 100 ms. Without signals all four run at
#   once; with a signal each, that nobody aborts, they run one after the other: an abort ends the whole worker, so such a
#   task is only given to an idle one. "Every task gets a timeout" so undoes concurrentTasksPerWorker without a word.
# Seen:
#   without signals: 4 at a time | with signals: 1 at a time
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm install --silent --no-audit --no-fund --prefix . piscina@5.3.2 >/dev/null
cat > task.mjs <<'JS'
let running = 0;
let most = 0;
export default async function wait() {
  most = Math.max(most, ++running);
  await new Promise((done) => setTimeout(done, 100));
  running--;
  return most;
}
JS
cat > look.mjs <<'JS'
import { Piscina } from 'piscina';
const filename = new URL('./task.mjs', import.meta.url).href;
async function mostAtATime(options) {
  const pool = new Piscina({ filename, minThreads: 1, maxThreads: 1, concurrentTasksPerWorker: 4 });
  await pool.run({}); // The worker is up.
  const seen = await Promise.all(Array.from({ length: 4 }, () => pool.run({}, options())));
  await pool.destroy();
  return Math.max(...seen);
}
const without = await mostAtATime(() => ({}));
const withSignals = await mostAtATime(() => ({ signal: new AbortController().signal }));
console.log(`without signals: ${without} at a time | with signals: ${withSignals} at a time`);
JS
seen=$(node look.mjs)
echo "$seen"
[ "$seen" = 'without signals: 4 at a time | with signals: 1 at a time' ]
