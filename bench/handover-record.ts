/**
 * The record that handover.ts sends to a worker and back: seven numbers and a name of 48
 * characters, as a plain object of eight properties, or packed into 96 bytes in a buffer or in the
 * heap.
 *
 * Used by handover-ways.ts. All values that are read of a record are summed, names too, and the sum
 * is the same for all ways. The names are made beforehand: no text is composed during a trip.
 */

// ---- values: quarters, so that their sums are exact in any order

const NAME_BYTES = 48;
const NAME_WORDS = NAME_BYTES / 4;
/** The character that the worker writes over the first one of a name. */
const MARK = '+';
const MARK_BYTE = 43;
const NAMES = Array.from({ length: 1000 }, (_, n) =>
  `${n} of a thousand names, all of one length`.padEnd(NAME_BYTES, '.'),
);
const NAMES_PACKED = new Int32Array(new Uint8Array(Buffer.from(NAMES.join(''), 'latin1')).buffer);

const latitudeOf = (n: number): number => (n % 720) * 0.25 - 90;
const longitudeOf = (n: number): number => (n % 1440) * 0.25 - 180;
const balanceOf = (n: number): number => n * 0.5;
const minuteOf = (n: number): number => 29_000_000 + n * 0.25;
const visitsOf = (n: number): number => n & 1023;
const levelOf = (n: number): number => n % 7;
const nameOf = (n: number): string => NAMES[n % NAMES.length] as string;

/**
 * A name's characters, four to a word, folded into one word: equal to the fold of its bytes as
 * words.
 */
function foldText(text: string): number {
  let fold = 0;
  for (let n = 0; n < NAME_BYTES; n += 4) {
    fold ^=
      text.charCodeAt(n) |
      (text.charCodeAt(n + 1) << 8) |
      (text.charCodeAt(n + 2) << 16) |
      (text.charCodeAt(n + 3) << 24);
  }
  return fold;
}

// ---- as objects

export interface Town {
  id: number;
  visits: number;
  level: number;
  latitude: number;
  longitude: number;
  balance: number;
  minute: number;
  name: string;
}

export function makeObject(n: number): Town {
  return {
    id: n,
    visits: visitsOf(n),
    level: levelOf(n),
    latitude: latitudeOf(n),
    longitude: longitudeOf(n),
    balance: balanceOf(n),
    minute: minuteOf(n),
    name: nameOf(n),
  };
}

export function sumOfObject(town: Town): number {
  const whole = town.id + town.visits + town.level;
  const parts = town.latitude + town.longitude + town.balance + town.minute;
  return whole + parts + foldText(town.name);
}

export function changeObject(town: Town): void {
  town.id += 1;
  town.visits += 1;
  town.level += 1;
  town.latitude += 1;
  town.longitude += 1;
  town.balance += 1;
  town.minute += 1;
  town.name = MARK + town.name.slice(1);
}

/** The sums that the worker and the sender must read, computed from objects that are not sent. */
export function sumsOf(records: number): { made: number; changed: number } {
  const sums = { made: 0, changed: 0 };
  for (let n = 0; n < records; n++) {
    const record = makeObject(n);
    sums.made += sumOfObject(record);
    changeObject(record);
    sums.changed += sumOfObject(record);
  }
  return sums;
}

// ---- as bytes, in a buffer or in the heap

export const RECORD_BYTES = 96;
export const RECORD_WORDS = RECORD_BYTES / 4;
/** Offsets from a record's address, in doubles. */
const LATITUDE = 0;
const LONGITUDE = 1;
const BALANCE = 2;
const MINUTE = 3;
/** Offsets from a record's address, in words. */
const ID = 8;
const VISITS = 9;
const LEVEL = 10;
/** Word with the length of the name, as records with names of different lengths need it. */
const NAME_LENGTH = 11;
const NAME = 12;

export interface Views {
  readonly i32: Int32Array;
  readonly f64: Float64Array;
  readonly u8: Uint8Array;
  /** The bytes as a Buffer, for text. */
  readonly text: Buffer;
}

/** Writes and reads names. */
export interface Names {
  write(views: Views, address: number, n: number): void;
  /** Returns the fold of the name. */
  read(views: Views, address: number): number;
  /** Changes the name; returns its fold before the change. */
  change(views: Views, address: number): number;
}

export const BYTES: Names = {
  write({ i32 }, address, n) {
    const from = (n % NAMES.length) * NAME_WORDS;
    const to = (address >>> 2) + NAME;
    for (let w = 0; w < NAME_WORDS; w++) i32[to + w] = NAMES_PACKED[from + w] as number;
  },
  read: foldWords,
  change(views, address) {
    const fold = foldWords(views, address);
    views.u8[address + NAME * 4] = MARK_BYTE;
    return fold;
  },
};

function foldWords({ i32 }: Views, address: number): number {
  const from = (address >>> 2) + NAME;
  let fold = 0;
  for (let w = 0; w < NAME_WORDS; w++) fold ^= i32[from + w] as number;
  return fold;
}

export const STRINGS: Names = {
  write: (views, address, n) => encode(views, address, nameOf(n)),
  read: (views, address) => foldText(decode(views, address)),
  change(views, address) {
    const name = decode(views, address);
    encode(views, address, MARK + name.slice(1));
    return foldText(name);
  },
};

function encode({ text }: Views, address: number, name: string): void {
  text.write(name, address + NAME * 4, NAME_BYTES, 'utf8');
}

function decode({ text, i32 }: Views, address: number): string {
  const from = address + NAME * 4;
  return text.toString('utf8', from, from + (i32[(address >>> 2) + NAME_LENGTH] as number));
}

export function writePacked(views: Views, names: Names, address: number, n: number): void {
  const { i32, f64 } = views;
  const d = address >>> 3;
  const w = address >>> 2;
  f64[d + LATITUDE] = latitudeOf(n);
  f64[d + LONGITUDE] = longitudeOf(n);
  f64[d + BALANCE] = balanceOf(n);
  f64[d + MINUTE] = minuteOf(n);
  i32[w + ID] = n;
  i32[w + VISITS] = visitsOf(n);
  i32[w + LEVEL] = levelOf(n);
  i32[w + NAME_LENGTH] = NAME_BYTES;
  names.write(views, address, n);
}

function sumOfNumbers({ i32, f64 }: Views, address: number): number {
  const d = address >>> 3;
  const w = address >>> 2;
  const whole = (i32[w + ID] as number) + (i32[w + VISITS] as number) + (i32[w + LEVEL] as number);
  return (
    whole +
    (f64[d + LATITUDE] as number) +
    (f64[d + LONGITUDE] as number) +
    (f64[d + BALANCE] as number) +
    (f64[d + MINUTE] as number)
  );
}

export function readPacked(views: Views, names: Names, address: number): number {
  return sumOfNumbers(views, address) + names.read(views, address);
}

export function changePacked(views: Views, names: Names, address: number): number {
  const { i32, f64 } = views;
  const sum = sumOfNumbers(views, address);
  const d = address >>> 3;
  const w = address >>> 2;
  f64[d + LATITUDE] += 1;
  f64[d + LONGITUDE] += 1;
  f64[d + BALANCE] += 1;
  f64[d + MINUTE] += 1;
  i32[w + ID] += 1;
  i32[w + VISITS] += 1;
  i32[w + LEVEL] += 1;
  return sum + names.change(views, address);
}
