/**
 * The program of html.ts's page: text that is put into the page as it is. It runs in a browser
 * without any library; html.ts (dataOf) describes its data.
 *
 * For tests and other programs the page has `shmallocMap`: `placeOf(address)` gives the point of
 * the canvas where an address is drawn, `width` the layout, `show(frame)` goes to a frame; the tip
 * has its values as data attributes.
 */

export const PAGE_SCRIPT = String.raw`
'use strict';
// A block: names in it are the page's own.
{
const $ = (id) => document.getElementById(id);
const data = JSON.parse($('data').textContent);
const { pageBytes, inks } = data;
const dark = matchMedia('(prefers-color-scheme: dark)');
const count = (n) => n.toLocaleString('en-US');
const hex = (n) => '0x' + n.toString(16);
const PLAIN = { 0: 'large', '-1': 'free', '-2': 'untouched', '-3': 'reserved', '-4': 'large', '-5': 'large' };
const OWNED = { '-4': 'context', '-5': 'vector' };
const MONO = '11.5px ui-monospace, "DejaVu Sans Mono", Menlo, Consolas, monospace';
const SANS = '12px system-ui, "Segoe UI", "Helvetica Neue", Arial, sans-serif';
// Space below the cells for the name of a second frontier.
const PAD = 26;
// Minimum scale of letters, in a window narrower than the narrowest layout: it scrolls then.
const SCALE_MIN = 0.9;
let scale = 1;
let current = 0;
// The layout in use: its index, and the places of its parts.
let chosen = -1;
let layout, lines, columns, cellBytes, cellPx, left, cellsPx;
let runs = [];

function bytesText(bytes) {
  let value = bytes;
  for (const unit of ['B', 'KiB', 'MiB', 'GiB']) {
    if (value < 1024 || unit === 'GiB') return Number(value.toPrecision(4)) + ' ' + unit;
    value /= 1024;
  }
}

/** The runs of a frame, from html.ts's packed form. */
function unpack(packed) {
  const list = [];
  let address = data.dataStart;
  for (let i = 0; i < packed.length; ) {
    const bytes = packed[i++] * pageBytes;
    const code = packed[i++];
    const run = { address, bytes };
    if (code > 0) {
      const sizeClass = code % data.ownedCode;
      const [zone, blockBytes, blocks] = data.classes[sizeClass];
      Object.assign(run, { zone, sizeClass, blockBytes, blocks });
      run.live = packed[i++];
      run.cached = packed[i++];
      run.free = blocks - run.live - run.cached;
      if (code > data.ownedCode) {
        run.contexts = packed[i++];
        run.vectors = packed[i++];
      }
    } else {
      run.zone = PLAIN[code];
      if (OWNED[code]) run.owned = OWNED[code];
    }
    list.push(run);
    address += bytes;
  }
  return list;
}

/** Index of the last item that begins at or below an address; -1 = none. */
function lastBelow(list, address, addressOf) {
  let low = 0;
  let high = list.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (addressOf(list[middle]) <= address) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}

// ---- drawing

function prepare(canvas) {
  const ratio = (window.devicePixelRatio || 1) * scale;
  canvas.width = layout.width * ratio;
  canvas.height = (layout.height + PAD) * ratio;
  canvas.style.width = layout.width * scale + 'px';
  canvas.style.height = (layout.height + PAD) * scale + 'px';
  const pen = canvas.getContext('2d');
  pen.setTransform(ratio, 0, 0, ratio, 0, 2 * ratio);
  pen.clearRect(0, -2, layout.width, layout.height + PAD);
  return pen;
}

function hatchOf(pen, colour) {
  const tile = document.createElement('canvas');
  tile.width = tile.height = 6;
  const stroke = tile.getContext('2d');
  stroke.strokeStyle = colour;
  stroke.stroke(new Path2D('M-1 7 7 -1M-1 1 1 -1M5 7 7 5'));
  return pen.createPattern(tile, 'repeat');
}

/** Chooses the widest layout that fits. */
function choose() {
  const room = $('pictures').clientWidth;
  let index = data.layouts.length - 1;
  while (index > 0 && data.layouts[index].width > room) index--;
  layout = data.layouts[index];
  ({ lines, columns, cellBytes, cellPx, left, cellsPx } = layout);
  scale = Math.max(SCALE_MIN, Math.min(data.scaleMax, room / layout.width));
  $('panels').style.width = layout.width * scale + 'px';
  $('scale').textContent = layout.scale;
  if (index === chosen) return;
  chosen = index;
  $('panels').innerHTML = data.frames[current].layouts[chosen].panels;
}

function draw() {
  choose();
  const scheme = data.schemes[dark.matches ? 'dark' : 'light'];
  const frame = data.frames[current].layouts[chosen];
  const pen = prepare($('map'));
  const hatch = hatchOf(pen, scheme.hatch);
  const gutter = cellPx / 16 + 0.5;
  const fill = (letter, box) => {
    const ink = inks[letter.charCodeAt(0) - data.letter];
    if (ink.zone === 'outside') return;
    pen.fillStyle = dark.matches ? ink.dark : ink.light;
    pen.fillRect(...box);
    if (ink.zone !== 'free') return;
    pen.fillStyle = hatch;
    pen.fillRect(...box);
  };
  let next = 0;
  lines.forEach(([address, rows, top, height], i) => {
    const cells = frame.cells[i];
    if (rows > 1) fill(cells, [left, top, cellsPx, height - gutter]);
    else for (let c = 0; c < columns; c++) fill(cells[c], [left + c * cellPx, top, cellPx - gutter, cellPx - gutter]);
    if (rows > 1) drawGap(pen, scheme, frame.gaps[i], { top, height });
    const middle = top + height / 2;
    const round = i === 0 || rows > 1 || lines[i - 1][1] > 1;
    if (middle < next || (!round && i + 1 < lines.length && lines[i + 1][1] > 1)) return;
    // The name of a frontier is here.
    if (layout.right === 0 && frame.marks.some(({ textY }) => Math.abs(textY - middle) < 14)) return;
    next = middle + 14;
    write(pen, letters(MONO, scheme.dim, 'right'), hex(address), [left - 8, middle + 4]);
  });
  pen.strokeStyle = scheme.line;
  pen.strokeRect(left - 0.5, -0.5, cellsPx + 1, layout.height + 1);
  drawMarks(pen, scheme, frame.marks);
}

const letters = (font, fillStyle, textAlign) => ({ font, fillStyle, textAlign });
const write = (pen, style, text, [x, y]) => Object.assign(pen, style).fillText(text, x, y);

function drawGap(pen, scheme, text, { top, height }) {
  const middle = left + cellsPx / 2;
  pen.font = SANS;
  const plate = Math.min(cellsPx - 8, pen.measureText(text).width + 24);
  pen.fillStyle = scheme.page;
  pen.beginPath();
  pen.roundRect(middle - plate / 2, top + 4, plate, height - 9, 8);
  pen.fill();
  write(pen, letters(SANS, scheme.dim, 'center'), text, [middle, top + height / 2 + 3.5]);
}

function drawMarks(pen, scheme, marks) {
  for (const { name, x, y, height, textY } of marks) {
    pen.fillStyle = scheme.mark;
    pen.fillRect(left + x - 1.25, y - 2, 2.5, height + 4);
    if (layout.right === 0) write(pen, letters(SANS, scheme.mark, 'right'), name + ' \u25b8', [left - 8, textY + 4]);
    else write(pen, letters(SANS, scheme.mark, 'left'), '\u25c2 ' + name, [left + cellsPx + 10, textY + 4]);
  }
}

/** Outlines the cells from one address to another. */
function outline(from, to) {
  const pen = prepare($('over'));
  if (from === to) return;
  pen.strokeStyle = dark.matches ? '#ffffff' : '#000000';
  pen.lineWidth = 2;
  const first = lastBelow(lines, from, (line) => line[0]);
  for (let i = Math.max(0, first); i < lines.length && lines[i][0] < to; i++) {
    const [address, rows, top, height] = lines[i];
    const bytes = rows * columns * cellBytes;
    // Whole cells that contain a part of the range.
    const grain = rows > 1 ? 1 : cellBytes;
    const x = (at, round) => (round(Math.min(bytes, Math.max(0, at - address)) / grain) * grain * cellsPx) / bytes;
    const start = x(from, Math.floor);
    pen.strokeRect(left + start - 0.5, top - 0.5, Math.max(2, x(to, Math.ceil) - start), height);
  }
}

// ---- the tip

/** The first address of the cell at a point of the canvas, and the bytes of that cell. */
function addressAt(x, y) {
  const column = (x - left) / cellPx;
  if (column < 0 || column >= columns || y < 0 || y >= layout.height) return null;
  const [address, rows, top] = lines[lastBelow(lines, y, (line) => line[2])];
  if (rows > 1) {
    const part = (x - left) / cellsPx;
    const at = address + Math.floor((part * rows * columns * cellBytes) / pageBytes) * pageBytes;
    return { address: at, bytes: pageBytes };
  }
  return { address: address + Math.floor(column) * cellBytes, bytes: cellBytes };
}

function lookUp({ address, bytes }) {
  const end = address + bytes;
  if (end <= data.regions[0][1] || address >= data.end) return null;
  if (address < data.dataStart) {
    const inside = data.regions.filter(([, at, length]) => at < end && at + length > address && length > 0);
    const [, from] = inside[0];
    const [, last, length] = inside[inside.length - 1];
    return { zone: 'metadata', address: from, bytes: last + length - from, names: inside.map(([name]) => name) };
  }
  const first = lastBelow(runs, address, (run) => run.address);
  const last = lastBelow(runs, end - 1, (run) => run.address);
  return { ...runs[first], others: last - first };
}

const ABOUT = {
  large: 'large: one live block',
  context: 'large: a chunk of a memory context',
  vector: 'large: the elements of a vector',
  free: 'free run',
  untouched: 'untouched reserve',
  reserved: 'on its way between a thread and the page heap',
};

function tipText(found) {
  const { zone, address, bytes, blocks, live, cached, free } = found;
  const range = '<i>' + hex(address) + ' \u2013 ' + hex(address + bytes) + ', ' + bytesText(bytes) + '</i>';
  const more = found.others > 0 ? '<br><i>the first of ' + count(found.others + 1) + ' runs in this cell</i>' : '';
  if (zone === 'metadata') return '<b>metadata: ' + found.names.join(', ') + '</b><br>' + range;
  if (blocks === undefined) return '<b>' + ABOUT[found.owned || zone] + '</b><br>' + range + more;
  const owned = [];
  if (found.contexts > 0) owned.push(count(found.contexts) + ' chunks of contexts');
  if (found.vectors > 0) owned.push(count(found.vectors) + ' of vectors');
  const share = (n) => (100 * n) / blocks + '%';
  return (
    '<b>' + zone + ': blocks of ' + count(found.blockBytes) + ' bytes</b> (class ' + found.sizeClass + ')<br>' + range +
    '<div class="meter"><u style="width:' + share(live) + ';background:#6cb8f7"></u>' +
    '<u style="width:' + share(cached) + ';background:#f2b35b"></u></div>' +
    '<b style="color:#8cc8fa">' + count(live) + ' live</b> \u00b7 <span style="color:#f2b35b">' + count(cached) +
    ' cached</span> \u00b7 ' + count(free) + ' free, of ' + count(blocks) +
    (owned.length > 0 ? '<br>live ones: ' + owned.join(', ') : '') + more
  );
}

function hideTip() {
  $('tip').hidden = true;
  outline(0, 0);
}

function showTip(event) {
  const box = $('map').getBoundingClientRect();
  const at = addressAt((event.clientX - box.left) / scale, (event.clientY - box.top) / scale - 2);
  const found = at && lookUp(at);
  if (!found) return hideTip();
  const tip = $('tip');
  tip.innerHTML = tipText(found);
  for (const key of Object.keys(tip.dataset)) delete tip.dataset[key];
  for (const [key, value] of Object.entries(found)) tip.dataset[key] = String(value);
  tip.dataset.cell = hex(at.address);
  tip.hidden = false;
  const { offsetWidth: width, offsetHeight: height } = tip;
  const x = event.clientX + 16 + width > innerWidth ? event.clientX - 16 - width : event.clientX + 16;
  const y = event.clientY + 16 + height > innerHeight ? event.clientY - 16 - height : event.clientY + 16;
  tip.style.left = Math.max(4, x) + 'px';
  tip.style.top = Math.max(4, y) + 'px';
  outline(found.address, found.address + found.bytes);
}

// ---- time

function show(frame) {
  current = Math.max(0, Math.min(data.frames.length - 1, frame));
  const { label, about, runs: packed } = data.frames[current];
  runs = unpack(packed);
  chosen = -1;
  draw();
  hideTip();
  $('about').textContent = about;
  if (!$('time')) return;
  $('time').value = String(current);
  $('label').textContent = current + 1 + ' of ' + data.frames.length + (label ? ': ' + label : '');
}

let timer = 0;

function stop() {
  clearInterval(timer);
  timer = 0;
  $('play').textContent = 'Play';
}

function play() {
  if (timer) return stop();
  $('play').textContent = 'Pause';
  if (current === data.frames.length - 1) show(0);
  timer = setInterval(() => {
    show(current + 1);
    if (current === data.frames.length - 1) stop();
  }, Math.max(80, Math.min(500, 8000 / data.frames.length)));
}

if ($('time')) {
  $('time').addEventListener('input', () => {
    if (timer) stop();
    show(Number($('time').value));
  });
  $('play').addEventListener('click', play);
}
$('map').addEventListener('pointermove', showTip);
$('map').addEventListener('pointerleave', hideTip);
dark.addEventListener('change', () => show(current));
addEventListener('resize', () => {
  draw();
  hideTip();
});

window.shmallocMap = {
  show,
  get frame() {
    return current;
  },
  /** Width of the layout that was chosen. */
  get width() {
    return layout.width;
  },
  /** The point of the canvas where the page at an address is drawn: the middle of its cell. */
  placeOf(address) {
    const [start, rows, top, height] = lines[Math.max(0, lastBelow(lines, address, (line) => line[0]))];
    const x = rows > 1
      ? ((address - start + pageBytes / 2) * cellsPx) / (rows * columns * cellBytes)
      : (Math.floor((address - start) / cellBytes) + 0.5) * cellPx;
    return { x: (left + x) * scale, y: (top + height / 2 + 2) * scale };
  },
};
show(data.start);
}
`;
