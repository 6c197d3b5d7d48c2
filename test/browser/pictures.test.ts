/**
 * Proves in a browser, Debian's chromium, that the pictures are drawn without an error and that the
 * page works: the tip describes the cell under the pointer, and the slider changes the frame.
 *
 * `npm run test:browser`. SHMALLOC_CHROMIUM names another browser of that kind.
 */

import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import anyOrder, { type ExecutionContext } from 'ava';
import { type Browser, chromium, type Page } from 'playwright-core';
import { type HeapMap, type MapRun, SharedHeap } from 'shmalloc';
import { renderHtml, renderSvg } from 'shmalloc/pictures';
import { heapWithContexts } from '../contexts.js';
import { Random } from '../helpers.js';
import { fillRandomly, mixedHeap, PAGE, spansOf } from '../maps.js';

const CHROMIUM = process.env.SHMALLOC_CHROMIUM ?? '/usr/bin/chromium';
const folder = mkdtempSync(join(tmpdir(), 'shmalloc-pictures-'));
// One browser, one page at a time.
const test = anyOrder.serial;
let browser: Browser;

test.before(async () => {
  if (!existsSync(CHROMIUM)) {
    throw new Error(
      `no browser at ${CHROMIUM}: apt-get install -y --no-install-recommends chromium, ` +
        'or name one in SHMALLOC_CHROMIUM',
    );
  }
  browser = await chromium.launch({
    executablePath: CHROMIUM,
    args: ['--no-sandbox', '--disable-gpu'],
  });
});

test.after.always(async () => {
  await browser?.close();
  rmSync(folder, { recursive: true, force: true });
});

/** Opens a document; the browser's errors and requests are added to the list. */
async function open(t: ExecutionContext, name: string, text: string) {
  const file = join(folder, `${t.title.replace(/\W+/g, '-')}-${name}`);
  writeFileSync(file, text);
  const page = await browser.newPage({ viewport: { width: 1340, height: 900 } });
  const complaints: string[] = [];
  page.on('console', (message) => complaints.push(message.text()));
  page.on('pageerror', (error) => complaints.push(error.message));
  page.on('request', (request) => {
    if (!/^(file|data):/.test(request.url())) complaints.push(`asks for ${request.url()}`);
  });
  await page.goto(pathToFileURL(file).href);
  t.teardown(() => page.close());
  return { page, complaints };
}

/** Points at the cell of an address; returns the data of the tip. */
async function pointAt(page: Page, address: number): Promise<Record<string, string>> {
  const canvas = page.locator('#map');
  await canvas.scrollIntoViewIfNeeded();
  const box = await canvas.boundingBox();
  const at = await page.evaluate<{ x: number; y: number }>(`shmallocMap.placeOf(${address})`);
  await page.mouse.move((box?.x ?? 0) + at.x, (box?.y ?? 0) + at.y);
  const tip = await page.evaluate<Record<string, string>>(
    "({ ...document.getElementById('tip').dataset, " +
      "text: document.getElementById('tip').hidden ? '' : document.getElementById('tip').innerText })",
  );
  return tip;
}

/** Checks that the tip at the first page of a run describes the run. */
function assertTells(t: ExecutionContext, tip: Record<string, string>, run: MapRun): void {
  t.like(tip, { zone: run.zone, address: String(run.address), bytes: String(run.bytes) });
  t.true(tip.text.includes(`0x${run.address.toString(16)}`), tip.text);
  if (!('sizeClass' in run)) return;
  const { sizeClass, blockBytes, blocks, live, cached, free } = run;
  for (const [key, value] of Object.entries({
    sizeClass,
    blockBytes,
    blocks,
    live,
    cached,
    free,
  })) {
    t.is(tip[key], String(value), key);
  }
  t.true(tip.text.includes(`class ${sizeClass}`), tip.text);
  t.true(tip.text.includes(`${live} live`), tip.text);
}

/** The colour of the page at an address. */
const colourAt = (page: Page, address: number): Promise<number[]> =>
  page.evaluate<number[]>(
    `(() => { const { x, y } = shmallocMap.placeOf(${address}); const r = devicePixelRatio;
      return [...document.getElementById('map').getContext('2d')
        .getImageData(x * r, y * r, 1, 1).data]; })()`,
  );

/** The first run of each zone, and some more spans. */
function someRuns(map: HeapMap): MapRun[] {
  const firsts = new Map(map.runs.toReversed().map((run) => [run.zone, run] as const));
  const spans = spansOf(map);
  return [...firsts.values(), ...spans.filter((_, i) => i % Math.ceil(spans.length / 12) === 0)];
}

test('renderSvg: a browser parses and draws the picture without an error', async (t) => {
  using heap = mixedHeap('16MiB', 31, 4000);
  const map = heap.inspect.map();
  const { page, complaints } = await open(
    t,
    'map.svg',
    renderSvg(map, { title: 'a <map> & more' }),
  );
  const found = await page.evaluate<{ root: string; rects: number; error: number; title: string }>(
    `({ root: document.documentElement.nodeName, rects: document.querySelectorAll('.cells rect').length,
        error: document.querySelectorAll('parsererror').length,
        title: document.querySelector('title').textContent })`,
  );
  t.is(found.root, 'svg');
  t.is(found.error, 0);
  t.true(found.rects > 50);
  t.is(found.title, 'a <map> & more');
  t.deepEqual(complaints, []);
});

test('renderHtml: the tip has address, zone, class and blocks', async (t) => {
  using heap = mixedHeap('16MiB', 32, 4000);
  const map = heap.inspect.map();
  const { page, complaints } = await open(t, 'map.html', renderHtml(map));
  for (const run of someRuns(map)) assertTells(t, await pointAt(page, run.address), run);
  const metadata = await pointAt(page, map.base + PAGE);
  t.like(metadata, { zone: 'metadata' });
  t.regex(metadata.text, /metadata: header/);
  await page.mouse.move(2, 2);
  t.true(await page.locator('#tip').isHidden());
  t.deepEqual(complaints, []);
});

test('renderHtml: each run is drawn in the colour of its zone', async (t) => {
  using heap = mixedHeap('16MiB', 33, 4000);
  const map = heap.inspect.map();
  const { page } = await open(t, 'map.html', renderHtml(map));
  const large = map.runs.find((run) => run.zone === 'large') as MapRun;
  const full = spansOf(map).filter(({ live, blocks }) => live === blocks);
  const tiny = full.find(({ zone }) => zone === 'tiny') as MapRun;
  const small = full.find(({ zone }) => zone === 'small') as MapRun;
  t.deepEqual(await colourAt(page, large.address), [0x00, 0x74, 0x5a, 255]);
  t.deepEqual(await colourAt(page, tiny.address), [0x0a, 0x5a, 0x9e, 255]);
  t.deepEqual(await colourAt(page, small.address), [0xd0, 0x73, 0x00, 255]);
});

test('renderHtml: contexts and vectors have their colours, and the tip names them', async (t) => {
  using heap = heapWithContexts();
  const map = heap.inspect.map();
  const { page, complaints } = await open(t, 'map.html', renderHtml(map));
  const told = async (fits: (run: MapRun) => boolean): Promise<string> => {
    const run = map.runs.find(fits) as MapRun;
    const tip = await pointAt(page, run.address);
    assertTells(t, tip, run);
    return tip.text;
  };
  const owned = (whose: string) => (run: MapRun) => 'owned' in run && run.owned === whose;
  t.regex(await told(owned('context')), /large: a chunk of a memory context/);
  t.regex(await told(owned('vector')), /large: the elements of a vector/);
  t.regex(
    await told((run) => 'contexts' in run && run.contexts > 0),
    /live ones: \d+ chunks of con/,
  );
  t.regex(await told((run) => 'vectors' in run && run.vectors === 6), /live ones: 6 of vectors/);
  t.notRegex(await told((run) => 'live' in run && run.contexts + run.vectors === 0), /live ones/);
  const { address } = map.runs.find(owned('context')) as MapRun;
  t.deepEqual(await colourAt(page, address), [0xa3, 0x21, 0x6f, 255]);
  t.deepEqual(complaints, []);
});

test('renderHtml: the slider changes the frame and the tip', async (t) => {
  using heap = SharedHeap.create({ size: '8MiB' });
  const random = new Random(34);
  const frames = Array.from({ length: 5 }, (_, n) => {
    fillRandomly(heap, random, 150 * (n + 1));
    return { map: heap.inspect.map(), label: `step ${n + 1} & <more>` };
  });
  const { page, complaints } = await open(t, 'film.html', renderHtml(frames));
  const label = () => page.locator('#label').innerText();
  t.is(await label(), '5 of 5: step 5 & <more>');
  for (const [n, { map }] of frames.entries()) {
    await page.locator('#time').fill(String(n));
    t.is(await label(), `${n + 1} of 5: step ${n + 1} & <more>`);
    t.is(await page.evaluate<number>('shmallocMap.frame'), n);
    for (const run of someRuns(map)) assertTells(t, await pointAt(page, run.address), run);
  }
  t.deepEqual(complaints, []);
});

test('renderHtml: play goes from frame to frame to the end', async (t) => {
  using heap = SharedHeap.create({ size: '2MiB' });
  const frames = [1, 2, 3].map((n) => {
    heap.malloc_ts(500);
    return { map: heap.inspect.map(), label: `${n}` };
  });
  const { page, complaints } = await open(t, 'film.html', renderHtml(frames));
  await page.evaluate('shmallocMap.show(0)');
  await page.locator('#play').click();
  t.is(await page.locator('#play').innerText(), 'Pause');
  await page.waitForFunction('shmallocMap.frame === 2');
  t.is(await page.locator('#play').innerText(), 'Play');
  t.deepEqual(complaints, []);
});

test('renderHtml: a page with one frame has no slider; text cannot break out', async (t) => {
  using heap = mixedHeap('2MiB', 35, 100);
  const title = '</title></script><script>document.title = "broken"</script>';
  const { page, complaints } = await open(t, 'one.html', renderHtml(heap.inspect.map(), { title }));
  t.is(await page.locator('#time').count(), 0);
  t.is(await page.locator('h1').innerText(), title);
  t.is(await page.title(), title);
  t.deepEqual(complaints, []);
});

/** Of everything drawn: the smallest letters, and the right edge, in pixels. */
const measure = (page: Page) =>
  page.evaluate<{ scroll: number; letters: number; right: number; canvas: number; panel: number }>(
    `(() => {
      const texts = [...document.querySelectorAll('text, h1, p, button, output')];
      const sizes = texts.map((one) => {
        const matrix = one.getScreenCTM ? one.getScreenCTM().a : 1;
        return parseFloat(getComputedStyle(one).fontSize) * matrix;
      });
      const drawn = [...texts, ...document.querySelectorAll('svg rect, svg path, canvas')];
      const canvas = document.getElementById('map');
      // Letters on the canvas have 11.5 pixels times its scale.
      sizes.push(11.5 * canvas.offsetWidth / shmallocMap.width);
      return {
        scroll: document.documentElement.scrollWidth,
        letters: Math.min(...sizes),
        right: Math.max(...drawn.map((one) => one.getBoundingClientRect().right)),
        canvas: canvas.offsetWidth,
        panel: document.querySelector('#panels svg').getBoundingClientRect().width,
      };
    })()`,
  );

for (const [what, make] of [
  ['mixed', () => mixedHeap('16MiB', 36, 4000)],
  ['empty', () => SharedHeap.create({ size: '1GiB' })],
  ['with contexts', heapWithContexts],
] as const) {
  test(`renderHtml: in any window letters are 9 pixels at least, and nothing is cut off: ${what}`, async (t) => {
    using heap = make();
    const map = heap.inspect.map();
    const frames = [1, 2].map((n) => ({ map, label: `${n}: ${'a long label '.repeat(5)}` }));
    const title = 'A heap with a rather long name, after operation 100,000 of 200,000';
    const { page, complaints } = await open(t, 'narrow.html', renderHtml(frames, { title }));
    for (const [width, layout] of [
      [360, 360],
      [420, 360],
      [760, 700],
      [800, 700],
      [1280, 1216],
      [2560, 1216],
      [420, 360],
    ]) {
      await page.setViewportSize({ width, height: 900 });
      await page.waitForFunction(`innerWidth === ${width} && shmallocMap.width === ${layout}`);
      const found = await measure(page);
      t.true(found.letters >= 9, `${width}: letters of ${found.letters} pixels`);
      t.true(found.right <= width, `${width}: something goes to ${found.right}`);
      t.true(found.scroll <= width, `${width}: the page scrolls to ${found.scroll}`);
      t.true(Math.abs(found.canvas - found.panel) <= 1, 'the panels are as wide as the cells');
      for (const run of someRuns(map).slice(0, 4)) {
        assertTells(t, await pointAt(page, run.address), run);
      }
      const tip = await page.locator('#tip').boundingBox();
      t.true(
        tip !== null && tip.x >= 0 && tip.x + tip.width <= width,
        `${width}: the tip is inside`,
      );
    }
    t.deepEqual(complaints, []);
  });
}

test('renderHtml: in a window narrower than any phone the map scrolls in its box, not the page', async (t) => {
  using heap = mixedHeap('2MiB', 39, 100);
  const { page, complaints } = await open(t, 'slim.html', renderHtml(heap.inspect.map()));
  await page.setViewportSize({ width: 300, height: 900 });
  await page.waitForFunction('innerWidth === 300 && shmallocMap.width === 360');
  const inside = await page.evaluate<number>("document.getElementById('pictures').scrollWidth");
  t.is(inside, 324);
  t.true((await page.evaluate<number>('document.documentElement.scrollWidth')) <= 300);
  t.deepEqual(complaints, []);
});

for (const width of [360, 420, 1000, 1264]) {
  test(`renderSvg: at ${width} pixels letters are 9 pixels at least, nothing is cut off or overlaps`, async (t) => {
    using heap = heapWithContexts();
    const { page, complaints } = await open(t, 'map.svg', renderSvg(heap.inspect.map(), { width }));
    const found = await page.evaluate<{ letters: number; right: number; overlaps: string[] }>(
      `(() => {
        const texts = [...document.querySelectorAll('text')];
        const boxes = texts.map((one) => ({ text: one.textContent, box: one.getBoundingClientRect() }));
        const overlaps = [];
        boxes.forEach(({ text, box }, i) => boxes.slice(i + 1).forEach((other) => {
          const a = other.box;
          if (a.left + 1 < box.right && box.left + 1 < a.right && a.top + 5 < box.bottom && box.top + 5 < a.bottom) overlaps.push(text + ' | ' + other.text);
        }));
        return {
          letters: Math.min(...texts.map((one) => parseFloat(getComputedStyle(one).fontSize))),
          right: Math.max(...boxes.map(({ box }) => box.right)),
          overlaps,
        };
      })()`,
    );
    t.true(found.letters >= 9, `letters of ${found.letters} pixels`);
    t.true(found.right <= width, `a text goes to ${found.right}`);
    t.deepEqual(found.overlaps, []);
    t.deepEqual(complaints, []);
  });
}
