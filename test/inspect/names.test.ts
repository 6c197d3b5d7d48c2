/**
 * Proves that what a program has chosen, names, idents, labels and paths, is harmless wherever it is
 * printed: no line more, and no command to a terminal.
 */

import test from 'ava';
import { SharedHeap } from 'shmalloc';
import { renderHtml, renderSvg } from 'shmalloc/pictures';

const EVIL = 'GET /\u001b[2J\r\nserver, thread 0: 0 bytes\u009b1m\u202e';
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const COMMANDS = /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202e]/;

test('names of contexts: a line each, without commands, in listings, reports and errors', (t) => {
  using heap = SharedHeap.create({ size: '4MiB', debug: { history: 5 } });
  const context = heap.createContext(EVIL, { ident: EVIL });
  context.malloc(100);
  let listed = '';
  const write = (text: string): void => {
    listed += text;
  };
  heap.printContexts({ write });
  t.is(listed.trim().split('\n').length, 2);
  heap.showAllocMemEx({ write });
  const errors = [
    () => context.malloc(1e9),
    () => heap.createContext(EVIL, { [EVIL]: 1 } as never),
    () => heap.createContext('x', { kind: EVIL as never }),
    () => context.setParent(context),
    () => heap.free_ts(EVIL as never),
    () =>
      heap.adoptContext({ kind: 'shmalloc context', index: 1, heapId: EVIL, name: EVIL } as never),
  ].map((work) => t.throws(work)?.message ?? '');
  const handle = context.release();
  heap.adoptContext(handle);
  errors.push(t.throws(() => heap.adoptContext(handle))?.message ?? '');
  const inspected = (context as never)[Symbol.for('nodejs.util.inspect.custom')] as () => string;
  for (const text of [listed, ...errors, inspected.call(context)]) t.notRegex(text, COMMANDS, text);
});

test('metrics: control characters of a label come as escape sequences, line breaks as Prometheus has them', (t) => {
  using heap = SharedHeap.create({ size: '4MiB' });
  const text = heap.metrics({ labels: { heap: 'a\u001b[2J\n"\\' } });
  t.notRegex(text, COMMANDS);
  t.true(text.includes('heap="a\\\\u001b[2J\\n\\"\\\\"'), text.slice(0, 600));
});

test('pictures: a title and a label cannot turn the text around them', (t) => {
  using heap = SharedHeap.create({ size: '4MiB' });
  t.notRegex(renderSvg(heap.map(), { title: EVIL }), COMMANDS);
  const page = renderHtml([{ map: heap.map(), label: EVIL }], { title: EVIL });
  t.notRegex(page.slice(0, page.indexOf('<script')), COMMANDS);
});
