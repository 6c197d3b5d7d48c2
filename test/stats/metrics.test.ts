/**
 * Proves heap.metrics(): the text parses by the rules of the Prometheus format, every value equals
 * that of stats(), both formats have the same values, and counters never fall.
 */

import { Worker } from 'node:worker_threads';
import test, { type ExecutionContext } from 'ava';
import { type HeapStats, type OtelMetric, PROMETHEUS_CONTENT_TYPE, SharedHeap } from 'shmalloc';
import { ended, nextMessage } from '../workers.js';
import type { Order } from './counting.worker.js';

interface Sample {
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

interface Family {
  readonly type: string;
  readonly help: string;
  readonly samples: Sample[];
}

const NAME = '[a-zA-Z_:][a-zA-Z0-9_:]*';
const LABEL = '([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\\\\n]|\\\\[\\\\n"])*)"';

/**
 * Parses strictly: HELP, TYPE, then the samples of that metric; each metric once, no other line.
 */
function parse(text: string): Map<string, Family> {
  if (!text.endsWith('\n')) throw new Error('the last line has no line break');
  const families = new Map<string, Family>();
  let [name, help, type] = ['', '', ''];
  for (const line of text.slice(0, -1).split('\n')) {
    const helped = new RegExp(`^# HELP (${NAME}) (.+)$`).exec(line);
    const typed = new RegExp(`^# TYPE (${NAME}) (counter|gauge)$`).exec(line);
    const sample = new RegExp(`^(${NAME})(?:\\{(${LABEL}(?:,${LABEL})*)\\})? (\\S+)$`).exec(line);
    if (helped !== null) {
      [, name, help] = helped as unknown as [string, string, string];
      if (families.has(name)) throw new Error(`${name} appears a second time`);
    } else if (typed !== null && typed[1] === name) {
      type = typed[2] as string;
      families.set(name, { type, help, samples: [] });
    } else if (sample !== null && sample[1] === name) {
      families
        .get(name)
        ?.samples.push({ labels: labelsOf(sample[2]), value: Number(sample.at(-1)) });
    } else throw new Error(`not a line of ${name}: ${line}`);
  }
  return families;
}

function labelsOf(text = ''): Record<string, string> {
  const escapes: Record<string, string> = { n: '\n', '"': '"', '\\': '\\' };
  const pairs = [...text.matchAll(new RegExp(LABEL, 'g'))].map(([, name, value]) => [
    name,
    (value as string).replace(/\\(.)/g, (_, c: string) => escapes[c] as string),
  ]);
  const labels = Object.fromEntries(pairs) as Record<string, string>;
  if (Object.keys(labels).length !== pairs.length)
    throw new Error(`a label appears twice: ${text}`);
  return labels;
}

/** A heap with at least one event of every kind. */
async function busyHeap(t: ExecutionContext): Promise<SharedHeap> {
  const heap = SharedHeap.create({ size: '16MiB' });
  t.teardown(() => heap.detach());
  const worker = new Worker(new URL('./counting.worker.js', import.meta.url), {
    workerData: heap.handle,
  });
  await nextMessage(worker);
  const answer = nextMessage<number[]>(worker);
  worker.postMessage({ allocate: [64, 64, 3000, 200_000] } satisfies Order);
  await answer;
  const exit = ended(worker);
  await worker.terminate();
  await exit;
  heap.recover();
  const blocks = Array.from({ length: 3000 }, (_, n) => heap.malloc_ts(n % 700));
  for (const block of blocks.slice(500)) heap.free_ts(block);
  heap.free_ts(heap.malloc_ts(100_000));
  return heap;
}

/** The expected value of each metric without attributes. */
const PLAIN: Record<string, (stats: HeapStats) => number> = {
  shmalloc_heap_reserved_bytes: (s) => s.reservedBytes,
  shmalloc_heap_footprint_bytes: (s) => s.footprintBytes,
  shmalloc_heap_mapped_bytes: (s) => s.mappedBytes,
  shmalloc_heap_mapped_peak_bytes: (s) => s.peakFootprintBytes,
  shmalloc_heap_brk_bytes: (s) => s.brkBytes,
  shmalloc_heap_live_peak_bytes: (s) => s.fragmentation.peakLiveBytes,
  shmalloc_fragmentation_internal_bytes: (s) => s.fragmentation.internalBytes,
  shmalloc_fragmentation_internal_ratio: (s) => s.fragmentation.internalRatio,
  shmalloc_fragmentation_largest_free_run_bytes: (s) => s.fragmentation.largestFreeRunBytes,
  shmalloc_fragmentation_external_ratio: (s) => s.fragmentation.externalRatio,
  shmalloc_fragmentation_largest_fit_bytes: (s) => s.fragmentation.largestFitBytes,
  shmalloc_fragmentation_footprint_ratio: (s) => s.fragmentation.footprintOverPeakLive,
  shmalloc_allocations_total: (s) => s.allocations,
  shmalloc_frees_total: (s) => s.frees,
  shmalloc_allocated_bytes_total: (s) => s.totalAllocatedBytes,
  shmalloc_freed_bytes_total: (s) => s.totalFreedBytes,
  shmalloc_large_blocks: (s) => s.large.blocksInUse,
  shmalloc_large_memory_bytes: (s) => s.large.bytesInUse,
  shmalloc_large_allocations_total: (s) => s.large.allocations,
  shmalloc_large_frees_total: (s) => s.large.frees,
  shmalloc_page_heap_splits_total: (s) => s.splits,
  shmalloc_page_heap_coalesces_total: (s) => s.coalesces,
  shmalloc_page_heap_direct_maps_total: (s) => s.directMaps,
  shmalloc_threads: (s) => s.threads.filter((thread) => thread.attached).length,
  shmalloc_lock_acquisitions_total: (s) => s.locks.acquisitions,
  shmalloc_lock_contentions_total: (s) => s.locks.contentions,
  shmalloc_lock_wait_seconds_total: (s) => s.locks.waitNanoseconds / 1e9,
  shmalloc_lock_longest_wait_seconds: (s) => s.locks.longestWaitNanoseconds / 1e9,
  shmalloc_lock_owner_deaths_total: (s) => s.locks.ownerDeaths,
  shmalloc_recovery_slots_total: (s) => s.recovery.recoveries,
  shmalloc_recovery_blocks_total: (s) => s.recovery.blocksReturned,
  shmalloc_recovery_runs_total: (s) => s.recovery.runsReturned,
  shmalloc_contexts: (s) => s.contexts.live,
  shmalloc_context_bytes: (s) => s.contexts.bytes,
  shmalloc_recovered_contexts_total: (s) => s.recovery.contextsReturned,
};

/** The expected samples of the metrics with attributes. */
function expectedSamples(stats: HeapStats): Record<string, Sample[]> {
  const used = stats.sizeClasses.filter((c) => c.allocations > 0 || c.spans > 0);
  const perClass = (of: (c: (typeof used)[number]) => number) =>
    used.map((c) => ({ labels: { block_bytes: `${c.blockBytes}` }, value: of(c) }));
  const perSlot = (of: (thread: HeapStats['threads'][number]) => number) =>
    stats.threads.map((thread) => ({ labels: { slot: `${thread.slot}` }, value: of(thread) }));
  const inState = (state: string, value: number) => ({ labels: { state }, value });
  return {
    shmalloc_heap_memory_bytes: [
      inState('in_use', stats.inUseBytes),
      inState('cached', stats.cachedBytes),
      inState('free_block', stats.freeBlockBytes),
      inState('span_tail', stats.spanTailBytes),
      inState('free_run', stats.freeRunBytes),
      inState('untouched', stats.untouchedBytes),
      inState('metadata', stats.metadataBytes),
    ],
    shmalloc_class_blocks: used.flatMap((c) =>
      Object.entries({ in_use: c.blocksInUse, cached: c.blocksCached, free: c.blocksFree }).map(
        ([state, value]) => ({ labels: { block_bytes: `${c.blockBytes}`, state }, value }),
      ),
    ),
    shmalloc_class_spans: perClass((c) => c.spans),
    shmalloc_class_allocations_total: perClass((c) => c.allocations),
    shmalloc_class_frees_total: perClass((c) => c.frees),
    shmalloc_class_internal_bytes: perClass((c) => c.internalBytes),
    shmalloc_slot_allocations_total: perSlot((thread) => thread.allocations),
    shmalloc_slot_frees_total: perSlot((thread) => thread.frees),
    shmalloc_slot_refills_total: perSlot((thread) => thread.refills),
    shmalloc_slot_flushes_total: perSlot((thread) => thread.flushes),
    shmalloc_slot_cached_bytes: perSlot((thread) => thread.cachedBytes),
    ...Object.fromEntries(
      Object.entries(PLAIN).map(([name, of]) => [name, [{ labels: {}, value: of(stats) }]]),
    ),
  };
}

test('metrics: the text is strict Prometheus, and every value equals that of stats()', async (t) => {
  const heap = await busyHeap(t);
  const families = parse(heap.metrics());
  const expected = expectedSamples(heap.stats());
  t.deepEqual([...families.keys()].sort(), Object.keys(expected).sort());
  for (const [name, { samples }] of families) t.deepEqual(samples, expected[name], name);
  const states = families.get('shmalloc_heap_memory_bytes')?.samples ?? [];
  t.is(
    states.reduce((sum, { value }) => sum + value, 0),
    16 * 2 ** 20,
  );
  t.regex(PROMETHEUS_CONTENT_TYPE, /^text\/plain; version=0\.0\.4/);
});

test('metrics: names contain their unit; only counters end in _total', async (t) => {
  const heap = await busyHeap(t);
  const families = parse(heap.metrics());
  const metrics = heap.metrics({ format: 'otel' });
  t.is(families.size, metrics.length);
  [...families].forEach(([name, { type, help }], n) => {
    const { unit, kind, name: dotted, description } = metrics[n] as OtelMetric;
    t.is(type === 'counter', kind === 'observable_counter', name);
    t.is(name.endsWith('_total'), type === 'counter', name);
    t.is(/_bytes(_total)?$/.test(name), unit === 'By', name);
    t.is(/_seconds(_total)?$/.test(name), unit === 's', name);
    t.is(/_ratio$/.test(name), unit === '1', name);
    t.true(name.startsWith(dotted.replaceAll('.', '_')), name);
    t.regex(dotted, /^shmalloc(\.[a-z]+(_[a-z]+)*)+$/);
    t.regex(unit, /^(By|s|1|\{[a-z]+\})$/);
    t.is(help, `${description}.`);
  });
  t.is(new Set(metrics.map(({ name }) => name)).size, metrics.length);
});

test('metrics: the OpenTelemetry format has the same values, with attributes unescaped', async (t) => {
  const heap = await busyHeap(t);
  const metrics = heap.metrics({ format: 'otel' });
  const families = [...parse(heap.metrics()).values()];
  metrics.forEach(({ name, points }, n) => {
    const samples = points.map(({ value, attributes }) => ({
      labels: Object.fromEntries(Object.entries(attributes).map(([k, v]) => [k, String(v)])),
      value,
    }));
    t.deepEqual(samples, families[n]?.samples, name);
  });
});

test('metrics: resetStats() does not set counters back', async (t) => {
  const heap = await busyHeap(t);
  const before = parse(heap.metrics());
  heap.resetStats();
  t.is(heap.stats().allocations, 0);
  const after = parse(heap.metrics());
  for (const [name, { type, samples }] of before) {
    if (type !== 'counter' || name.startsWith('shmalloc_lock')) continue;
    t.deepEqual(after.get(name)?.samples, samples, name);
  }
});

test('metrics: labels are added to every value, escaped; invalid ones are refused', (t) => {
  using heap = SharedHeap.create({ size: '8MiB' });
  const awkward = 'a "b" \\ c\nd';
  for (const { samples } of parse(heap.metrics({ labels: { heap: awkward } })).values()) {
    for (const { labels } of samples) t.is(labels.heap, awkward);
  }
  const [metric] = heap.metrics({ format: 'otel', labels: { heap: 'x' } });
  t.deepEqual(metric?.points[0]?.attributes, { heap: 'x' });
  for (const labels of [{ 'a-b': 'x' }, { __a: 'x' }, { slot: 'x' }, { '': 'x' }, { a: 1 }]) {
    t.throws(() => heap.metrics({ labels: labels as never }), {
      code: 'ERR_SHMALLOC_INVALID_OPTION',
      message: /metrics: a label/,
    });
  }
  t.throws(() => heap.metrics({ format: 'xml' as never }), {
    code: 'ERR_SHMALLOC_INVALID_OPTION',
    message: /got 'xml'/,
  });
});
