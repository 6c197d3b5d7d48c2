/**
 * Random numbers, the same as in native/harness.h. Each thread has its own generator.
 *
 * Written as closures over a variable: hot loops that cannot afford the call keep the state in a
 * local variable and inline xorshift.
 */

/** xorshift32 (Marsaglia 2003): numbers from 1 to 2 ** 32 - 1, unsigned. */
export function xorshift(seed: number): () => number {
  let x = seed >>> 0 || 1;
  return () => {
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    return x >>> 0;
  };
}

/** A seed from small, similar numbers (of thread, round, ...): Murmur3's finaliser. */
export function seedFrom(a: number, b: number): number {
  let h = (Math.imul(a, 0x9e3779b1) + Math.imul(b, 0x85ebca77) + 0x165667b1) | 0;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0 || 1;
}
