/**
 * Proves that values are recognised by what they are, whichever realm made them, and that values
 * that only claim to be something are not.
 */

import { runInNewContext } from 'node:vm';
import test from 'ava';
import {
  errorsIn,
  isGrowable,
  isPlainObject,
  isSharedBuffer,
  isStackOverflow,
  isUint8Array,
  messageOf,
  typedArrayKind,
  typedArrayLength,
  typedArrayMadeBy,
} from '../../src/base/index.js';

/** A value that another realm makes. */
const there = (code: string): unknown => runInNewContext(code);
/** An object that claims to be something that it is not. */
const impostor = (tag: string): object => ({ [Symbol.toStringTag]: tag, byteLength: 8, length: 8 });

test('isSharedBuffer, isGrowable: read internal slots, in any realm', (t) => {
  for (const buffer of [new SharedArrayBuffer(8), there('new SharedArrayBuffer(8)')]) {
    t.true(isSharedBuffer(buffer));
    t.false(isGrowable(buffer));
  }
  t.true(isGrowable(there('new SharedArrayBuffer(8, { maxByteLength: 16 })')));
  const others = [impostor('SharedArrayBuffer'), new ArrayBuffer(8), null, undefined, 8];
  for (const other of [...others, Object.create(SharedArrayBuffer.prototype)]) {
    t.false(isSharedBuffer(other));
    t.false(isGrowable(other));
  }
});

test('typedArrayKind, isUint8Array: read internal slots, in any realm', (t) => {
  t.is(typedArrayKind(there('new Float64Array(2)')), 'Float64Array');
  t.true(isUint8Array(there('new Uint8Array(2)')));
  t.true(isUint8Array(Buffer.alloc(2)));
  t.is(typedArrayLength(there('new Uint8Array(3)') as Uint8Array), 3);
  for (const other of [
    impostor('Uint8Array'),
    there('new DataView(new ArrayBuffer(8))'),
    [],
    null,
  ]) {
    t.is(typedArrayKind(other), undefined);
  }
  t.false(isUint8Array(there('new Uint8ClampedArray(2)')));
});

test('typedArrayMadeBy: accepts the constructors of any realm, and no class of the program', (t) => {
  t.is(typedArrayMadeBy(BigInt64Array), 'BigInt64Array');
  t.is(typedArrayMadeBy(there('Int16Array')), 'Int16Array');
  const Own = Object.defineProperty(class extends Int8Array {}, 'name', { value: 'Uint8Array' });
  for (const other of [
    Own,
    Buffer,
    Array,
    ArrayBuffer,
    () => 0,
    there('Map'),
    'Uint8Array',
    null,
  ]) {
    t.is(typedArrayMadeBy(other), undefined);
  }
  t.is(typedArrayMadeBy(Object.getPrototypeOf(Uint8Array)), undefined);
});

test('isPlainObject: accepts objects of any realm and without a prototype, but no class instance', (t) => {
  for (const plain of [
    {},
    Object.create(null),
    there('({ a: 1 })'),
    there('Object.create(null)'),
  ]) {
    t.true(isPlainObject(plain));
  }
  class Own {}
  for (const other of [new Own(), [], there('[]'), there('new Map()'), () => 0, null, 'text']) {
    t.false(isPlainObject(other));
  }
});

test('errorsIn, isStackOverflow, messageOf: recognise errors of any realm', (t) => {
  t.is(errorsIn(there('new AggregateError([1, 2])'))?.length, 2);
  t.is(errorsIn(there('new Error("x")')), undefined);
  t.is(errorsIn(undefined), undefined);
  t.true(
    isStackOverflow(there('(() => { const f = () => f(); try { f() } catch (e) { return e } })()')),
  );
  t.false(isStackOverflow(new RangeError('Invalid array length')));
  t.is(messageOf(there('new TypeError("why")')), 'why');
  t.is(messageOf('thrown'), 'thrown');
  t.is(messageOf(null), 'null');
});
