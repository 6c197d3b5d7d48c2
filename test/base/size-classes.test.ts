/**
 * Proves the size-class table: which sizes exist, how much rounding and spans waste, and that the
 * division by multiplication is exact for every byte of every span.
 */

import test from 'ava';
import {
  alignedClassOf,
  BATCH_BLOCKS,
  BLOCK_BYTES,
  blockIndex,
  CLASS_ENTRIES,
  classOf,
  GRANULE_BYTES,
  LARGE,
  PAGE_BYTES,
  pagesOf,
  SIZE_CLASS_COUNT,
  type SizeClass,
  SMALL_BYTES_MAX,
  SPAN_BLOCKS,
  SPAN_PAGES,
  SPAN_TAIL_BYTES,
} from '../../src/base/index.js';

const classes = Array.from({ length: SIZE_CLASS_COUNT }, (_, i) => (i + 1) as SizeClass);

test('BLOCK_BYTES: 44 classes, every 16 bytes to 128, then four per doubling to 64 KiB', (t) => {
  t.is(SIZE_CLASS_COUNT, 44);
  t.is(LARGE as number, 45);
  t.true(CLASS_ENTRIES > LARGE && CLASS_ENTRIES % 16 === 0);
  const expected = [16, 32, 48, 64, 80, 96, 112, 128];
  for (let doubling = 128; doubling < SMALL_BYTES_MAX; doubling *= 2) {
    for (let quarter = 1; quarter <= 4; quarter++) expected.push(doubling * (1 + quarter / 4));
  }
  t.deepEqual(
    classes.map((c) => BLOCK_BYTES[c]),
    expected,
  );
  t.is(BLOCK_BYTES[44], 65536);
  t.is(BLOCK_BYTES[0], 0);
  t.is(BLOCK_BYTES[LARGE], 0);
});

test('BLOCK_BYTES: every size is a multiple of the granule and larger than the one before', (t) => {
  for (const c of classes) {
    t.is(BLOCK_BYTES[c] % GRANULE_BYTES, 0, `class ${c}`);
    t.true(BLOCK_BYTES[c] > BLOCK_BYTES[c - 1], `class ${c}`);
  }
});

test('classOf: returns the smallest class that holds the size, for every size to 64 KiB', (t) => {
  const wrong: number[] = [];
  for (let bytes = 0; bytes <= SMALL_BYTES_MAX; bytes++) {
    const c = classOf(bytes);
    const holds = c >= 1 && c <= SIZE_CLASS_COUNT && BLOCK_BYTES[c] >= bytes;
    if (!holds || (c > 1 && BLOCK_BYTES[c - 1] >= bytes)) wrong.push(bytes);
  }
  t.deepEqual(wrong, []);
  t.is(classOf(0) as number, 1);
});

test('classOf: rounding up wastes less than a fifth of a block above 128 bytes', (t) => {
  for (const c of classes.filter((n) => BLOCK_BYTES[n] > 128)) {
    const leastRequest = BLOCK_BYTES[c - 1] + 1;
    t.true((BLOCK_BYTES[c] - leastRequest) / BLOCK_BYTES[c] < 1 / 5, `class ${c}`);
  }
});

test('SPAN_PAGES: a span has 1 to 512 blocks, and its tail is at most an eighth of it', (t) => {
  for (const c of classes) {
    const bytes = BLOCK_BYTES[c];
    const span = SPAN_PAGES[c] * PAGE_BYTES;
    t.is(SPAN_BLOCKS[c], Math.floor(span / bytes), `class ${c}`);
    t.is(SPAN_TAIL_BYTES[c], span - SPAN_BLOCKS[c] * bytes, `class ${c}`);
    t.true(SPAN_TAIL_BYTES[c] <= span / 8, `class ${c}: tail`);
    t.true(SPAN_BLOCKS[c] >= 1 && SPAN_BLOCKS[c] <= 512, `class ${c}: blocks`);
    t.true(span < 512 * 1024, `class ${c}: blockIndex is exact below 512 KiB`);
  }
});

test('BATCH_BLOCKS: from 1 to 512 blocks, about 128 KiB at most', (t) => {
  for (const c of classes) {
    t.true(BATCH_BLOCKS[c] >= 1 && BATCH_BLOCKS[c] <= 512, `class ${c}`);
    t.true(BATCH_BLOCKS[c] === 1 || BATCH_BLOCKS[c] * BLOCK_BYTES[c] <= 131072, `class ${c}`);
  }
});

test('blockIndex: exact for every byte of every span, the tail included', (t) => {
  const wrong: string[] = [];
  for (const c of classes) {
    const span = SPAN_PAGES[c] * PAGE_BYTES;
    for (let offset = 0; offset < span; offset++) {
      const expected = Math.floor(offset / BLOCK_BYTES[c]);
      if (blockIndex(c, offset) !== expected) wrong.push(`class ${c}, byte ${offset}`);
    }
  }
  t.deepEqual(wrong.slice(0, 5), []);
});

test('blockIndex: exact at every granule below 512 KiB, the limit in its comment', (t) => {
  const wrong: string[] = [];
  for (const c of classes) {
    for (let offset = 0; offset < 512 * 1024; offset += GRANULE_BYTES) {
      if (blockIndex(c, offset) !== Math.floor(offset / BLOCK_BYTES[c])) {
        wrong.push(`class ${c}, byte ${offset}`);
      }
    }
  }
  t.deepEqual(wrong.slice(0, 5), []);
});

test('alignedClassOf: returns the smallest class that holds the size and is a multiple', (t) => {
  const sizes = [0, 1, 15, 16, 17, 100, 129, 4096, 4097, 8192, 8193, 40000, 65535, 65536];
  for (let alignment = 1; alignment <= PAGE_BYTES; alignment *= 2) {
    for (const bytes of sizes) {
      const naive = classes.find(
        (c) => BLOCK_BYTES[c] >= bytes && BLOCK_BYTES[c] % alignment === 0,
      );
      t.is(alignedClassOf(alignment, bytes) as number, naive ?? 0, `${alignment}, ${bytes}`);
    }
  }
});

test('alignedClassOf: returns 0 for more than 64 KiB, and for an alignment above a page', (t) => {
  t.is(alignedClassOf(16, SMALL_BYTES_MAX + 1) as number, 0);
  t.is(alignedClassOf(2 * PAGE_BYTES, 16) as number, 0);
});

test('pagesOf: counts whole pages, also past 32 bits', (t) => {
  t.is(pagesOf(0), 0);
  t.is(pagesOf(1), 1);
  t.is(pagesOf(PAGE_BYTES), 1);
  t.is(pagesOf(PAGE_BYTES + 1), 2);
  t.is(pagesOf(2 ** 40 + 1), 2 ** 27 + 1);
});
