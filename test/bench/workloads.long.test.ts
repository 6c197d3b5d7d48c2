/**
 * Proves that every workload does the same work on every allocator and in C, and that it leaves no
 * block behind. All at smoke size, by one thread and by two.
 */

import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import anyOrder from 'ava';
import { compile } from '../../bench/native.js';
import type { WorkloadResult } from '../../bench/workload-run.js';
import { WORKLOADS, type Workload, workloadNamed } from '../../bench/workloads/index.js';
import { ROOT, run } from '../workers.js';

// Each test starts processes with several threads.
const test = anyOrder.serial;

const RUN = fileURLToPath(new URL('dist/bench/workload-run.js', ROOT));
const TWINS = fileURLToPath(new URL('bench/native/build/', ROOT));
const hasCompiler = spawnSync('cc', ['--version']).status === 0;

async function ours(name: string, allocator: string, threads: number): Promise<WorkloadResult> {
  const args = [RUN, name, allocator, String(threads), 'smoke'];
  const { code, stdout, stderr } = await run(process.execPath, args);
  if (code !== 0) throw new Error(stderr);
  return JSON.parse(stdout) as WorkloadResult;
}

async function twin(workload: Workload, threads: number): Promise<WorkloadResult> {
  const problem = compile(workload.name);
  if (problem !== null) throw new Error(problem);
  const parameters = workload.parameters('smoke', threads).map(String);
  const args = [String(threads), ...parameters];
  const { code, stdout, stderr } = await run(TWINS + workload.name, args);
  if (code !== 0) throw new Error(stderr);
  return JSON.parse(stdout) as WorkloadResult;
}

for (const workload of WORKLOADS) {
  const { name, deterministic } = workload;
  for (const threads of workload.threads === 'one' ? [1] : [1, 2]) {
    test(`${name} on ${threads}: the same work on shmalloc, counted and in C; no block is left`, async (t) => {
      const plain = await ours(name, 'shmalloc', threads);
      const counted = await ours(name, 'counted', threads);
      t.true(plain.operations > 0 && plain.milliseconds > 0);
      t.true((counted.peakLiveBytes ?? 0) > 0);
      t.is(plain.inUseBytes, 0);
      t.is(counted.inUseBytes, 0);
      const results = [plain, counted];
      if (hasCompiler) results.push(await twin(workload, threads));
      if (!deterministic) return;
      for (const { operations, checksum } of results) {
        t.deepEqual(
          { operations, checksum },
          { operations: plain.operations, checksum: plain.checksum },
        );
      }
    });
  }
}

test('workloadNamed: the error lists all workloads', (t) => {
  t.is(workloadNamed('larson').name, 'larson');
  t.throws(() => workloadNamed('larsn'), { message: /no workload 'larsn': there are .*larson/ });
});
