/**
 * Proves that texts which a program has chosen (names, idents, labels, paths) are harmless wherever
 * they are printed: they add no line, and no command to a terminal.
 */

import test from 'ava';
import { SharedHeap } from 'shmalloc';
import { renderHtml, renderSvg } from 'shmalloc/pictures';

const EVIL = 'GET /\u001b[2J\r\nserver, thread 0: 0 bytes\u009b1m\u202e';
// biome-ignore lint/suspicious/noControlCharactersInRegex: the test looks for control characters
const COMMANDS = /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202e]/;

test('names of contexts: one line each, without control characters, in listings, reports and errors', (t) => {
  using heap = SharedHeap.create({ size: '4MiB', debug: { history: 5 } });
  const context = heap.contexts.create(EVIL, { ident: EVIL });
  context.malloc(100);
  let listed = '';
  const write = (text: string): void => {
    listed += text;
  };
  heap.inspect.print('contexts', { write });
  t.is(listed.trim().split('\n').length, 2);
  heap.inspect.print('contents', { write });
  const errors = [
    () => context.malloc(1e9),
    () => heap.contexts.create(EVIL, { [EVIL]: 1 } as never),
    () => heap.contexts.create('x', { kind: EVIL as never }),
    () => context.setParent(context),
    () => heap.free_ts(EVIL as never),
    () =>
      heap.contexts.adopt({
        kind: 'shmalloc context',
        index: 1,
        heapId: EVIL,
        name: EVIL,
      } as never),
  ].map((work) => t.throws(work)?.message ?? '');
  const handle = context.release();
  heap.contexts.adopt(handle);
  errors.push(t.throws(() => heap.contexts.adopt(handle))?.message ?? '');
  const inspected = (context as never)[Symbol.for('nodejs.util.inspect.custom')] as () => string;
  for (const text of [listed, ...errors, inspected.call(context)]) t.notRegex(text, COMMANDS, text);
});

test('metrics: control characters of a label are escaped, line breaks as in Prometheus', (t) => {
  using heap = SharedHeap.create({ size: '4MiB' });
  const text = heap.metrics({ labels: { heap: 'a\u001b[2J\n"\\' } });
  t.notRegex(text, COMMANDS);
  t.true(text.includes('heap="a\\\\u001b[2J\\n\\"\\\\"'), text.slice(0, 600));
});

test('pictures: a title and a label cannot change the direction of the text around them', (t) => {
  using heap = SharedHeap.create({ size: '4MiB' });
  t.notRegex(renderSvg(heap.inspect.map(), { title: EVIL }), COMMANDS);
  const page = renderHtml([{ map: heap.inspect.map(), label: EVIL }], { title: EVIL });
  t.notRegex(page.slice(0, page.indexOf('<script')), COMMANDS);
});
