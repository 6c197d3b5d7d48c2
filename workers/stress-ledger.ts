/**
 * The books of a stress run: the blocks of each worker, its present operation, and the doubts that
 * killed workers have left. In a SharedArrayBuffer of its own, so that the books outlive their
 * worker.
 *
 *   ledger   boxes    BOX_COUNT records          a block on its way from one worker to another
 *            regions  one per worker index
 *   region   intent   16 words                   the operation that is going on
 *            tally    16 words                   counts
 *            entries  ENTRY_COUNT records        the blocks that the worker holds
 *            doubts   8 words each, to the end   operations that were cut inside the heap
 *
 * Used by stress-books.ts and stress-audit.ts. Only the worker that has a region writes it: a
 * replacement gets it after its predecessor's thread has ended. Only the worker that has claimed a
 * box writes it. A buffer of zeros is an empty ledger.
 *
 * I1  A record is valid by its state word, which is written last when it becomes valid and first
 *     when it ends. The same holds for an intent by its `op`, and for the list of doubts by its
 *     length.
 * I2  The open intent of the worker that has claimed a box names that box.
 */

/** Maximum blocks of a worker. */
export const ENTRY_COUNT = 768;
/** Number of mailboxes, for all workers together. */
export const BOX_COUNT = 64;

// ---- records: the entries and the boxes

const RECORD_WORDS = 8;
const STATE = 0;
const ADDRESS = 1;
const SIZE = 2;
const USABLE = 3;
const SEED = 4;
const STRIDE = 5;

/** State of an entry without a block. */
export const NO_BLOCK = 0;
/** State of an entry whose block has any content. */
export const UNFILLED = 1;
/** State of an entry whose block holds the pattern of `seed` and `stride`. */
export const FILLED = 2;

/** States of a box; BOX_CLAIMED + r if region r has claimed it. A block in a box is FILLED. */
export const BOX_EMPTY = 0;
export const BOX_FULL = 1;
export const BOX_CLAIMED = 2;

/** A block, as the books describe it. */
export interface BookedBlock {
  readonly address: number;
  /** Requested bytes. */
  readonly size: number;
  readonly usable: number;
  readonly seed: number;
  /** Bytes from one word of the pattern to the next. */
  readonly stride: number;
  readonly filled: boolean;
}

// ---- intents and doubts

/** Operations of an intent. */
export const NOTHING = 0;
export const MALLOC = 1;
export const CALLOC = 2;
export const ALIGNED = 3;
export const REALLOC = 4;
export const FREE = 5;
export const SEND = 6;
export const RECEIVE = 7;

const INTENT_WORDS = 16;
const OP = 0;
const ENTRY = 1;
const BOX = 2;
const OLD_ADDRESS = 3;
const OLD_USABLE = 4;
const ASKED = 5;
const ALIGNMENT = 6;
const RESULT = 7;
const SERIAL = 8;

/** Added to an address in an intent's `result`, which is 0 until the heap has returned. */
const ANSWERED = 1;

export interface Intent {
  readonly op: number;
  readonly entry: number;
  readonly box: number;
  /** Address of the block that is freed or reallocated. */
  readonly address: number;
  readonly usable: number;
  /** Requested bytes. */
  readonly size: number;
  readonly alignment: number;
}

/**
 * An operation that was cut inside the heap, so that its effect is unknown: see stress-audit.ts.
 */
export type Doubt = Omit<Intent, 'entry' | 'box'>;

const TALLY_WORDS = 16;
const CORRUPTED = 0;
const TIMES_FULL = 1;
const DOUBT_COUNT = 2;

const DOUBT_WORDS = 8;
const DOUBT_SERIAL = 0;
const DOUBT_OP = 1;
const DOUBT_ADDRESS = 2;
const DOUBT_USABLE = 3;
const DOUBT_SIZE = 4;
const DOUBT_ALIGNMENT = 5;

const BOXES_WORDS = BOX_COUNT * RECORD_WORDS;
const ENTRIES_OFFSET = INTENT_WORDS + TALLY_WORDS;
const DOUBTS_OFFSET = ENTRIES_OFFSET + ENTRY_COUNT * RECORD_WORDS;

export class Ledger {
  readonly regions: number;
  readonly #words: Uint32Array<SharedArrayBuffer>;
  readonly #regionWords: number;
  readonly #beforeStore: () => void;

  /**
   * @param regions number of workers that share the buffer
   * @param beforeStore called before each store: there a worker may be made to end, or a test cuts
   *   it
   */
  constructor(buffer: SharedArrayBuffer, regions: number, beforeStore: () => void = () => {}) {
    this.#words = new Uint32Array(buffer);
    this.regions = regions;
    this.#regionWords = Math.floor((this.#words.length - BOXES_WORDS) / regions);
    this.#beforeStore = beforeStore;
    if (this.#regionWords < DOUBTS_OFFSET + DOUBT_WORDS) {
      throw new Error(`a ledger of ${buffer.byteLength} bytes has no room for ${regions} regions`);
    }
  }

  // ---- where things are

  entryRecord(region: number, entry: number): number {
    return this.#region(region) + ENTRIES_OFFSET + entry * RECORD_WORDS;
  }

  boxRecord(box: number): number {
    return box * RECORD_WORDS;
  }

  #region(region: number): number {
    return BOXES_WORDS + region * this.#regionWords;
  }

  #tally(region: number): number {
    return this.#region(region) + INTENT_WORDS;
  }

  // ---- stores

  /** Stores into a record that is not valid yet, or no longer. */
  #put(word: number, value: number): void {
    this.#beforeStore();
    this.#words[word] = value;
  }

  /** Stores the word that makes a record valid. Atomic, so that others see the whole record. */
  #commit(word: number, value: number): void {
    this.#beforeStore();
    Atomics.store(this.#words, word, value);
  }

  // ---- records

  state(record: number): number {
    return Atomics.load(this.#words, record + STATE);
  }

  setState(record: number, state: number): void {
    this.#commit(record + STATE, state);
  }

  /** Sets a box's state if it is `from`; returns true if it was. */
  moveState(record: number, from: number, to: number): boolean {
    this.#beforeStore();
    return Atomics.compareExchange(this.#words, record + STATE, from, to) === from;
  }

  block(record: number): BookedBlock {
    const words = this.#words;
    return {
      address: words[record + ADDRESS],
      size: words[record + SIZE],
      usable: words[record + USABLE],
      seed: words[record + SEED] | 0,
      stride: words[record + STRIDE],
      filled: words[record + STATE] === FILLED,
    };
  }

  address(record: number): number {
    return this.#words[record + ADDRESS];
  }

  /** Describes a block; the record is valid once its state is set. */
  describe(record: number, address: number, size: number, usable: number): void {
    this.#put(record + ADDRESS, address);
    this.#put(record + SIZE, size);
    this.#put(record + USABLE, usable);
  }

  /** Records a block's pattern; it is valid once the state is FILLED. */
  describePattern(record: number, seed: number, stride: number): void {
    this.#put(record + SEED, seed);
    this.#put(record + STRIDE, stride);
  }

  // ---- intents

  /** Announces an operation. */
  open(region: number, { op, entry, box, address, usable, size, alignment }: Intent): void {
    const at = this.#region(region);
    this.#put(at + ENTRY, entry);
    this.#put(at + BOX, box);
    this.#put(at + OLD_ADDRESS, address);
    this.#put(at + OLD_USABLE, usable);
    this.#put(at + ASKED, size);
    this.#put(at + ALIGNMENT, alignment);
    this.#put(at + RESULT, 0);
    this.#put(at + SERIAL, this.#words[at + SERIAL] + 1);
    this.#commit(at + OP, op);
  }

  /** Records the heap's result, directly after the call: a kill in between leaves a doubt. */
  answer(region: number, address: number): void {
    this.#words[this.#region(region) + RESULT] = address + ANSWERED;
    this.#beforeStore();
  }

  /** The heap's result; null if the call has not returned. */
  answered(region: number): number | null {
    const result = this.#words[this.#region(region) + RESULT];
    return result === 0 ? null : result - ANSWERED;
  }

  close(region: number): void {
    this.#commit(this.#region(region) + OP, NOTHING);
  }

  intent(region: number): Intent {
    const words = this.#words;
    const at = this.#region(region);
    return {
      op: Atomics.load(words, at + OP),
      entry: words[at + ENTRY],
      box: words[at + BOX],
      address: words[at + OLD_ADDRESS],
      usable: words[at + OLD_USABLE],
      size: words[at + ASKED],
      alignment: words[at + ALIGNMENT],
    };
  }

  // ---- doubts

  /** Keeps the open intent as a doubt: once, even if a resolver is itself cut and repeated. */
  doubt(region: number): void {
    const words = this.#words;
    const { op, address, usable, size, alignment } = this.intent(region);
    const serial = words[this.#region(region) + SERIAL];
    const first = this.#region(region) + DOUBTS_OFFSET;
    const count = this.#doubtCount(region);
    const at = first + count * DOUBT_WORDS;
    if (count > 0 && words[at - DOUBT_WORDS + DOUBT_SERIAL] === serial) return;
    if (at + DOUBT_WORDS > this.#region(region) + this.#regionWords) {
      throw new Error(`the ledger has no room for more than ${count} doubts of worker ${region}`);
    }
    this.#put(at + DOUBT_SERIAL, serial);
    this.#put(at + DOUBT_OP, op);
    this.#put(at + DOUBT_ADDRESS, address);
    this.#put(at + DOUBT_USABLE, usable);
    this.#put(at + DOUBT_SIZE, size);
    this.#put(at + DOUBT_ALIGNMENT, alignment);
    this.#commit(this.#tally(region) + DOUBT_COUNT, count + 1);
  }

  doubts(region: number): Doubt[] {
    const words = this.#words;
    const first = this.#region(region) + DOUBTS_OFFSET;
    return Array.from({ length: this.#doubtCount(region) }, (_, n) => {
      const at = first + n * DOUBT_WORDS;
      return {
        op: words[at + DOUBT_OP],
        address: words[at + DOUBT_ADDRESS],
        usable: words[at + DOUBT_USABLE],
        size: words[at + DOUBT_SIZE],
        alignment: words[at + DOUBT_ALIGNMENT],
      };
    });
  }

  #doubtCount(region: number): number {
    return Atomics.load(this.#words, this.#tally(region) + DOUBT_COUNT);
  }

  // ---- counts

  /** Number of blocks found damaged, not zero, or handed out while another worker held them. */
  corrupted(region: number): number {
    return this.#words[this.#tally(region) + CORRUPTED];
  }

  countCorrupted(region: number): void {
    this.#commit(this.#tally(region) + CORRUPTED, this.corrupted(region) + 1);
  }

  /** How often the heap was full. */
  timesFull(region: number): number {
    return this.#words[this.#tally(region) + TIMES_FULL];
  }

  countFull(region: number): void {
    this.#commit(this.#tally(region) + TIMES_FULL, this.timesFull(region) + 1);
  }
}
