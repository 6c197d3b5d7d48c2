/**
 * Proves that a command suggests the nearest option for an unknown one.
 */

import test from 'ava';
import { nearest, parseOptions, UsageError } from '../../src/cli/usage.js';

const parse = (...args: string[]) =>
  parseOptions({ args, options: { threads: { type: 'string' }, json: { type: 'boolean' } } });

test('parseOptions: accepts known options, and suggests the nearest one for an unknown option', (t) => {
  t.deepEqual({ ...parse('--threads', '2', '--json').values }, { threads: '2', json: true });
  for (const [arg, message] of [
    ['--treads', "there is no option '--treads'; the nearest is '--threads'"],
    ['--jsn=5', "there is no option '--jsn'; the nearest is '--json'"],
    ['--qqqqqqq', "there is no option '--qqqqqqq'; see shmalloc help"],
    ['-x', "there is no option '--x'; see shmalloc help"],
  ] as const) {
    t.throws(() => parse(arg), { instanceOf: UsageError, message });
  }
  t.throws(() => parse('--threads'), { code: 'ERR_PARSE_ARGS_INVALID_OPTION_VALUE' });
});

test('nearest: returns the nearest name, or where to find all of them', (t) => {
  t.is(nearest('repaly', ['replay', 'stress']), "the nearest is 'replay'");
  t.is(nearest('anything', ['replay', 'stress']), 'see shmalloc help');
});
