/**
 * Proves the three kinds of picture as text: they draw what the map contains, they fit their width,
 * and no text in them can break out. test/browser/ proves that a browser shows them.
 */

import test, { type ExecutionContext } from 'ava';
import { type Address, type HeapMap, SharedHeap } from 'shmalloc';
import { renderHtml, renderSvg, renderText } from 'shmalloc/pictures';
import { COLORS, colorOf, drawnZones } from '../../src/render/palette.js';
import { formatBytes } from '../../src/stats/index.js';
import { heapWithContexts } from '../contexts.js';
import { Random } from '../helpers.js';
import { checkMap, fullHeap, mixedHeap, PAGE } from '../maps.js';

const EVIL = `</script><script>alert(1)</script> & "quotes" 'too' <b>\u0000`;
const ROW = /^0x[\da-f]{8} (.*?)(?: (?:brk|map|both))?$/;
const GAP = /([\d.]+) (KiB|MiB|GiB), (\d+) rows like this: (\w+)$/;

// ---- text

/** Pages by zone, as a text without colours shows them; only if a cell is one page. */
function pagesInText(text: string, columns: number): Record<string, number> {
  const zones = { m: 'metadata', t: 'tiny', s: 'small', l: 'large', '-': 'free', '.': 'untouched' };
  const pages: Record<string, number> = {};
  for (const line of text.split('\n')) {
    const gap = GAP.exec(line);
    if (gap !== null) pages[gap[4]] = (pages[gap[4]] ?? 0) + Number(gap[3]) * columns;
    for (const letter of ROW.exec(line)?.[1] ?? '') {
      const zone = zones[letter.toLowerCase() as keyof typeof zones];
      pages[zone] = (pages[zone] ?? 0) + 1;
    }
  }
  return pages;
}

function pagesInMap({ zones }: HeapMap): Record<string, number> {
  const all = Object.entries(zones).map(([zone, { bytes }]) => [zone, bytes / PAGE] as const);
  return Object.fromEntries(all.filter(([, pages]) => pages > 0));
}

test('renderText: its cells are the pages of the map', (t) => {
  using heap = mixedHeap('16MiB', 21, 3000);
  const map = heap.inspect.map();
  for (const [width, columns] of [
    [80, 64],
    [79, 32],
    [144, 128],
  ] as const) {
    const text = renderText(map, { width });
    t.regex(text, /a cell is 1 page \(8 KiB\)/);
    t.deepEqual(pagesInText(text, columns), pagesInMap(map), `width ${width}`);
  }
});

test('renderText: fits its width, and has the totals', (t) => {
  using heap = mixedHeap('16MiB', 22, 3000);
  const map = heap.inspect.map();
  const text = renderText(map);
  for (const line of text.split('\n').filter((one) => ROW.test(one))) t.true(line.length <= 80);
  t.true(text.includes(`mapped ${formatBytes(heap.stats().mappedBytes)}`));
  t.true(text.includes(`${formatBytes(heap.stats().inUseBytes)}; cached`));
  const { zones } = map;
  const live = zones.tiny.liveBytes + zones.small.liveBytes + zones.large.liveBytes;
  t.regex(
    text,
    new RegExp(`^ +\\d[\\d.]* % +${formatBytes(live)} of mapped bytes are in live blocks$`, 'm'),
  );
  t.regex(text, /^ +block bytes +spans +live +cached +free +bytes +# live \+ cached - free$/m);
});

// biome-ignore lint/suspicious/noControlCharactersInRegex: the codes of a terminal
const CODES = /\u001b\[[\d;]*m/g;

test('renderText: with colours it has the same rows, without it has no codes', (t) => {
  using heap = mixedHeap('16MiB', 23, 3000);
  const map = heap.inspect.map();
  const plain = renderText(map);
  const colored = renderText(map, { color: true });
  t.is(plain.match(CODES), null);
  t.true((colored.match(CODES)?.length ?? 0) > 100);
  const rows = (text: string) => text.replace(CODES, '').split('\n').length;
  t.is(rows(colored), rows(plain));
  t.regex(colored, /█/);
});

test('renderText: an empty heap, and one of 2 MiB', (t) => {
  using empty = SharedHeap.create({ size: '1GiB' });
  const text = renderText(empty.inspect.map());
  t.true(text.split('\n').length < 25, 'most of it is left out');
  t.regex(text, /rows like this: untouched/);
  t.regex(text, /– +0 B of mapped bytes are in live blocks/);
  using small = SharedHeap.create({ size: '2MiB' });
  t.is(
    renderText(small.inspect.map())
      .split('\n')
      .filter((line) => ROW.test(line)).length,
    4,
  );
});

test('renderText: an invalid width is refused', (t) => {
  using heap = SharedHeap.create({ size: '2MiB' });
  const map = heap.inspect.map();
  for (const width of [39, 0, -1, 80.5, Number.NaN, Number.POSITIVE_INFINITY]) {
    const refused = { instanceOf: RangeError, code: 'ERR_SHMALLOC_INVALID_OPTION' };
    t.throws(() => renderText(map, { width }), refused);
  }
});

// ---- SVG

/** Checks that every tag is closed, in order, attributes are quoted, and no bare & or < is left. */
function assertWellFormed(t: ExecutionContext, svg: string): void {
  const open: string[] = [];
  const text = svg.replace(/<style>[\s\S]*?<\/style>/, '');
  const token = /<(\/?)([a-zA-Z]+)((?:\s+[\w:-]+="[^"<]*")*)\s*(\/?)>/g;
  const rest = text.replace(token, (_, end: string, name: string, __, empty: string) => {
    if (end !== '') t.is(open.pop(), name);
    else if (empty === '') open.push(name);
    return '';
  });
  t.deepEqual(open, []);
  t.notRegex(rest, /[<>]/);
  t.notRegex(rest, /&(?!(amp|lt|gt|quot|#39);)/);
}

test('renderSvg: the area of each ink is that of its pages', (t) => {
  // Small enough that no row is left out.
  using heap = mixedHeap('2MiB', 24, 150);
  const map = heap.inspect.map();
  // Wide enough for cells of 16 pixels.
  const svg = renderSvg(map, { width: 1264 });
  assertWellFormed(t, svg);
  const cells = /<g class="cells"[\s\S]*?<\/g>/.exec(svg)?.[0] ?? '';
  const areas: Record<string, number> = {};
  const rect = /<rect class="i(\d+)" x="([\d.]+)" y="([\d.]+)" width="([\d.]+)" height="([\d.]+)"/g;
  for (const [, ink, , , width, height] of cells.matchAll(rect)) {
    const { zone } = COLORS[Number(ink)];
    areas[zone] = (areas[zone] ?? 0) + (Number(width) * Number(height)) / 16 ** 2;
  }
  t.deepEqual(areas, pagesInMap(map));
});

test('renderSvg: text is escaped', (t) => {
  using heap = mixedHeap('2MiB', 25, 50);
  const svg = renderSvg(heap.inspect.map(), { title: EVIL });
  assertWellFormed(t, svg);
  t.false(svg.includes('<script'));
  t.false(svg.includes('\u0000'));
  t.true(svg.includes('&lt;/script&gt;&lt;script&gt;'));
});

test('renderSvg: has the frontiers, figures, and styles for light and dark', (t) => {
  using heap = mixedHeap('16MiB', 26, 3000);
  const map = heap.inspect.map();
  const svg = renderSvg(map);
  assertWellFormed(t, svg);
  t.true(svg.includes('◂ brk') && svg.includes('◂ map frontier'));
  t.true(svg.includes(`Footprint ${formatBytes(heap.stats().footprintBytes)}`));
  t.true(svg.includes('prefers-color-scheme:dark'));
  t.notRegex(svg.replace('http://www.w3.org/2000/svg', ''), /https?:/, 'no external resource');
});

test('renderSvg: a picture has the requested width, at most 1,280 pixels', (t) => {
  using heap = mixedHeap('16MiB', 37, 3000);
  const map = heap.inspect.map();
  const sizeOf = (svg: string) => /^<svg [^>]*viewBox="0 0 (\d+) [\d.]+" width="(\d+)"/.exec(svg);
  for (const width of [undefined, 360, 420, 640, 1000, 1280]) {
    const svg = renderSvg(map, width === undefined ? {} : { width });
    assertWellFormed(t, svg);
    const [, viewBox, drawn] = sizeOf(svg) ?? [];
    t.is(viewBox, drawn);
    t.true(Number(viewBox) <= 1280);
    if (width !== undefined) t.is(Number(viewBox), width);
    // Every rectangle, and the start of every text, is inside.
    for (const [, x, w] of svg.matchAll(
      /<rect class="[^"]*" x="([\d.-]+)" y="[^"]*" width="([\d.]+)"/g,
    )) {
      t.true(Number(x) + Number(w) <= Number(viewBox));
    }
  }
  for (const width of [359, 1281, 500.5, Number.NaN]) {
    const refused = { instanceOf: RangeError, code: 'ERR_SHMALLOC_INVALID_OPTION' };
    t.throws(() => renderSvg(map, { width }), {
      ...refused,
      message: /width must be a whole number/,
    });
  }
  t.throws(() => renderSvg(map, { width: '420' as never }), { instanceOf: TypeError });
});

test('renderSvg: each size class has a visible bar, with its bytes and its blocks', (t) => {
  using heap = SharedHeap.create({ size: '64MiB' });
  // One class with thousands of times the bytes of the others.
  for (let n = 0; n < 40_000; n++) heap.malloc_ts(1000);
  for (const size of [16, 100, 500, 3000, 10_000, 60_000]) heap.malloc_ts(size);
  const map = heap.inspect.map();
  for (const width of [420, 1264]) {
    const svg = renderSvg(map, { width });
    const chart = /<g class="classes">[\s\S]*$/.exec(svg)?.[0] ?? '';
    const told = [...chart.matchAll(/>([\d.,]+ [KM]iB) · ([\d,]+) live/g)].map((one) => one[2]);
    t.deepEqual(told, ['1', '1', '1', '40,000', '1', '1', '1']);
    const bars = [...chart.matchAll(/d="M([\d.]+) ([\d.]+)h([\d.]+)v(\d+)/g)];
    const lengths = new Map<string, number>();
    for (const [, , y, length, height] of bars) {
      t.is(height, '13');
      lengths.set(y, (lengths.get(y) ?? 0) + Number(length));
    }
    for (const length of lengths.values()) t.true(length >= 8, `a bar of ${length} pixels`);
  }
});

test('pictures: each percentage has its bytes beside it', (t) => {
  using heap = mixedHeap('16MiB', 38, 3000);
  const map = heap.inspect.map();
  const svg = renderSvg(map);
  const figures = /<g class="figures">[\s\S]*?<\/g>/.exec(svg)?.[0] ?? '';
  const texts = [...figures.matchAll(/<text[^>]*>([^<]*)<\/text>/g)].map((one) => one[1]);
  texts.forEach((text, i) => {
    if (!text.includes('%')) return;
    t.regex(/[KM]iB/.test(text) ? text : texts[i + 1], /^(.* )?[\d.]+ ([KM]i)?B(, .*)?$/, text);
  });
  t.true(texts.filter((text) => text.includes('%')).length >= 8);
  for (const line of renderText(map).split('\n'))
    if (/ % /.test(line)) t.regex(line, /\d ([KM]i)?B /);
});

// ---- pages

interface PageData {
  dataStart: number;
  end: number;
  start: number;
  classes: Record<number, [zone: string, blockBytes: number, blocks: number]>;
  layouts: { width: number }[];
  frames: { label: string; runs: number[] }[];
}

function dataOf(t: ExecutionContext, html: string): PageData {
  const scripts = [...html.matchAll(/<script[^>]*>([\s\S]*?)<\/script>/g)];
  t.is(scripts.length, 2);
  return JSON.parse(scripts[0][1]) as PageData;
}

test('renderHtml: the data of the page are the runs of the map', (t) => {
  using heap = mixedHeap('16MiB', 27, 3000);
  const map = heap.inspect.map();
  const data = dataOf(t, renderHtml(map));
  const { runs } = data.frames[0];
  const zones: Record<number, string> = { 0: 'large', [-1]: 'free', [-2]: 'untouched' };
  let at = data.dataStart;
  let i = 0;
  for (const run of map.runs) {
    t.is(run.address, at);
    at += runs[i++] * PAGE;
    const code = runs[i++];
    if (!('sizeClass' in run)) {
      t.is(zones[code], run.zone);
      continue;
    }
    t.is(code, run.sizeClass);
    t.deepEqual([runs[i++], runs[i++]], [run.live, run.cached]);
    t.deepEqual(data.classes[code], [run.zone, run.blockBytes, run.blocks]);
  }
  t.is(i, runs.length);
  t.is(at, map.end);
});

test('renderHtml: text is escaped', (t) => {
  using heap = mixedHeap('2MiB', 28, 50);
  const map = heap.inspect.map();
  const html = renderHtml([{ map, label: EVIL }], { title: EVIL });
  t.is(dataOf(t, html).frames[0].label, EVIL);
  t.false(html.includes('<script>alert'));
  t.notRegex(html, /https?:/, 'no external resource');
});

test('renderHtml: several frames have a slider and begin at the one with most live bytes, one has none', (t) => {
  using heap = SharedHeap.create({ size: '8MiB' });
  const frames = [{ map: heap.inspect.map(), label: 'empty' }];
  const blocks = Array.from({ length: 1000 }, () => heap.malloc_ts(300));
  frames.push({ map: heap.inspect.map(), label: 'full' });
  for (const address of blocks) heap.free_ts(address);
  frames.push({ map: heap.inspect.map(), label: 'empty again' });
  const html = renderHtml(frames);
  const data = dataOf(t, html);
  t.deepEqual(
    data.frames.map(({ label }) => label),
    ['empty', 'full', 'empty again'],
  );
  t.is(data.start, 1);
  t.regex(html, /<input id="time" type="range" min="0" max="2"/);
  t.notRegex(renderHtml(frames[0].map), /id="time" /);
  t.notRegex(renderHtml(frames.slice(0, 1)), /id="time" /);
});

test('renderHtml: no frame, or frames of different heaps, are refused', (t) => {
  using one = SharedHeap.create({ size: '2MiB' });
  using other = SharedHeap.create({ size: '4MiB' });
  t.throws(() => renderHtml([]), { code: 'ERR_SHMALLOC_INVALID_OPTION' });
  const both = [one, other].map((heap) => ({ map: heap.inspect.map(), label: '' }));
  t.throws(() => renderHtml(both), { code: 'ERR_SHMALLOC_INVALID_OPTION' });
});

// ---- contexts

test('pictures: contexts have their own ink and place in the legend', (t) => {
  using heap = heapWithContexts();
  const map = heap.inspect.map();
  const drawn = drawnZones(map);
  const context = drawn.find(({ zone }) => zone === 'context');
  t.is(
    drawn.reduce((sum, { bytes }) => sum + bytes, 0),
    map.end - map.base,
    'adds up to the heap',
  );
  const pages = 30 / 8 + 1; // spans of eight
  t.true((context?.runs ?? 0) >= 2 + Math.floor(pages));
  const text = renderText(map);
  t.regex(text, /^ {2}cC +chunks of memory contexts +/m);
  t.regex(text, /^0x[\da-f]{8} .*CCC/m);
  t.regex(text, /of the live blocks 32 are chunks of contexts, .*; 12 are vectors', /);
  t.regex(text, /C contexts # live \+ cached - free$/m);
  t.regex(text, /^ +4,096 .* {3}C+[#+-]*$/m);
  const svg = renderSvg(map);
  assertWellFormed(t, svg);
  const { light, dark } = COLORS[colorOf('context', 8)];
  for (const colour of [light, dark]) t.true(svg.includes(colour));
  t.regex(svg, /chunks of memory contexts/);
  t.regex(svg, /live, contexts 4\d\d KiB/);
  t.regex(svg, /first: contexts/);
  for (const line of text.split('\n').filter((one) => ROW.test(one))) t.true(line.length <= 80);
});

test('pictures: a heap without contexts has no text about contexts', (t) => {
  using heap = mixedHeap('2MiB', 32, 100);
  const map = heap.inspect.map();
  for (const picture of [renderText(map), renderSvg(map), renderHtml(map)]) {
    t.notRegex(
      picture.replace(/<script>[\s\S]*?<\/script>/, ''),
      /chunks of|vectors'|first: contexts/,
    );
  }
});

test('renderHtml: the data include the blocks of contexts and vectors in each run', (t) => {
  using heap = heapWithContexts();
  const map = heap.inspect.map();
  const { runs } = dataOf(t, renderHtml(map)).frames[0];
  let i = 0;
  for (const run of map.runs) {
    i++;
    const code = runs[i++];
    if (!('sizeClass' in run)) {
      if (run.zone === 'large')
        t.is(code, { context: -4, vector: -5, none: 0 }[run.owned ?? 'none']);
      continue;
    }
    t.is(code % 100, run.sizeClass);
    i += 2;
    if (code > 100) t.deepEqual([runs[i++], runs[i++]], [run.contexts, run.vectors]);
    else t.is(run.contexts + run.vectors, 0);
  }
  t.is(i, runs.length);
});

// ---- all pictures

test('pictures: a wrong map, frame, title or option is refused', (t) => {
  using heap = SharedHeap.create({ size: '2MiB' });
  const map = heap.inspect.map();
  const isMap = 'the map must be one that heap.inspect.map() returned, got';
  const isFrame = "renderHtml: each of several maps must be { map, label: 'text' }, got";
  const anything = (given: unknown) => given as never;
  for (const [draw, message] of [
    [() => renderText(anything(heap)), `renderText: ${isMap} an object (SharedHeap)`],
    [() => renderSvg(anything(heap)), `renderSvg: ${isMap} an object (SharedHeap)`],
    [() => renderHtml(anything(heap)), `renderHtml: ${isMap} an object (SharedHeap)`],
    [() => renderText(anything(undefined)), `renderText: ${isMap} undefined`],
    [() => renderText(anything(null)), `renderText: ${isMap} null`],
    [() => renderSvg(anything([map])), `renderSvg: ${isMap} an array of 1`],
    [() => renderSvg(anything({ ...map, runs: 5 })), `renderSvg: ${isMap} an object`],
    [() => renderHtml(anything([map, map])), `${isFrame} a map without a label at 0`],
    [
      () => renderHtml(anything([{ map, label: 'a' }, { map }])),
      `${isFrame} the label undefined at 1`,
    ],
    [() => renderHtml(anything([{ map, label: 7 }])), `${isFrame} the label 7 at 0`],
    [() => renderHtml(anything([{ map: heap, label: 'a' }])), `${isFrame} an object at 0`],
    [() => renderHtml(anything([null])), `${isFrame} null at 0`],
    [() => renderSvg(map, anything({ title: 5 })), 'renderSvg: title must be a text, got 5'],
    [
      () => renderHtml(map, anything({ title: null })),
      'renderHtml: title must be a text, got null',
    ],
    [
      () => renderSvg(map, anything({ titel: 'x' })),
      "renderSvg: there is no option 'titel'; the nearest is 'title'",
    ],
    [
      () => renderText(map, anything({ columns: 80 })),
      "renderText: there is no option 'columns'; it takes 'color' and 'width'",
    ],
    [
      () => renderHtml(map, anything('My heap')),
      "renderHtml: options are an object with 'title', got 'My heap'",
    ],
  ] as const) {
    t.throws(draw, { instanceOf: TypeError, code: 'ERR_SHMALLOC_INVALID_OPTION', message });
  }
});

test('pictures: a gap says how full its rows are', (t) => {
  using heap = SharedHeap.create({ size: '32MiB', threads: 1 });
  const blocks = Array.from({ length: 100_000 }, () => heap.malloc_ts(64));
  const gaps = () => {
    const map = heap.inspect.map();
    const text = renderText(map);
    const said = text.match(/rows like this: tiny, .*/g) ?? [];
    for (const one of said) t.true(renderSvg(map).includes(one), one);
    return said;
  };
  t.deepEqual(gaps(), ['rows like this: tiny, all blocks live']);
  const free = (every: number) => {
    for (let n = 0; n < blocks.length; n += every) heap.free_ts(blocks[n]);
    for (let n = blocks.length - 1; n >= 0; n--) if (n % every === 0) blocks.splice(n, 1);
  };
  // In every page two of 128 blocks are free: the page is neither full nor seven eighths full.
  free(64);
  t.deepEqual(gaps(), ['rows like this: tiny, 98 % of blocks live']);
  free(2);
  t.deepEqual(gaps(), ['rows like this: tiny, 49 % of blocks live']);
});

test('pictures: a line explains cells of several pages', (t) => {
  using small = mixedHeap('2MiB', 30, 100);
  using heap = SharedHeap.create({ size: '256MiB', threads: 1 });
  const random = new Random(31);
  while (heap.malloc_ts(64) !== 0);
  for (let page = heap.inspect.map().dataStart; page < 2 ** 28; page += PAGE) {
    const freed = random.below(9);
    for (let n = 0; n < PAGE / 64; n++) {
      if (n % 8 < freed) heap.free_ts((page + n * 64) as Address);
    }
  }
  const map = heap.inspect.map();
  const rule = /a cell of \d+ pages shows the zone of most of them, and how full those are/;
  for (const draw of [renderText, renderSvg, renderHtml]) {
    t.regex(draw(map), rule, draw.name);
    t.notRegex(draw(small.inspect.map()), rule, draw.name);
  }
  const [line = ''] = renderText(map).match(/^.*shows the zone of.*$/m) ?? [];
  t.true(line.length <= 80, line);
});

test('pictures: pictures of a 1 GiB heap full of small blocks stay small', (t) => {
  using heap = fullHeap();
  // Every page is randomly full, so that no neighbours look the same.
  const random = new Random(29);
  for (let page = heap.inspect.map().dataStart; page < 2 ** 30; page += PAGE) {
    const freed = random.below(9);
    for (let n = 0; n < PAGE / 64; n++) {
      if (n % 8 < freed) heap.free_ts((page + n * 64) as Address);
    }
  }
  const map = heap.inspect.map();
  checkMap(map);
  for (const [name, draw, limit] of [
    ['text', renderText, 12_000],
    ['svg', renderSvg, 2e6],
    ['html', renderHtml, 4e6],
  ] as const) {
    const started = performance.now();
    const { length } = draw(map);
    t.log(`${name}: ${length} characters in ${(performance.now() - started).toFixed(0)} ms`);
    t.true(length < limit, `${name}: ${length}`);
  }
});

test('renderSvg: the error of a refused width has the reason', (t) => {
  using heap = SharedHeap.create({ size: '2MiB', threads: 1 });
  t.throws(() => renderSvg(heap.inspect.map(), { width: 2560 }), {
    instanceOf: RangeError,
    code: 'ERR_SHMALLOC_INVALID_OPTION',
    message: /from 360 to 1280 \(an SVG scales .*\), got 2560/,
  });
});
