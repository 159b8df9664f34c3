// rANS (section 9.3): symbols from a stack of words.

import { malformed } from "./errors.js";
import { LOOKUP_SHIFT, PRECISION } from "./tables.js";

const MASK = 2 ** PRECISION - 1;
const UP = 2 ** 20;

/**
 * A decoder's state: 64 bits, of which `high` has the upper 40 and `low` the lower 24, both exact as floats of 64 bits.
 * A step `f * high + low - start` is taken with `high` in two halves of 20 bits, so that no product passes 2^53.
 */
export class Rans {
  /** @param {Uint8Array} bytes words from the first byte to the last, little-endian */
  constructor(bytes) {
    if (bytes.length % 4) throw malformed(250, "words that end within one");
    this.words = new Uint32Array(bytes.slice().buffer);
    this.left = this.words.length;
    if (this.left && !this.words[this.left - 1]) throw malformed(250, "a last word that is 0");
    this.high = 0;
    this.low = 0;
    for (let i = 0; i < 2 && this.left; i++) this.#pop();
  }

  /** Whether all symbols to come are those of code point 0. */
  get isSpent() {
    return this.left === 0 && this.high === 0 && this.low === 0;
  }

  #pop() {
    const word = this.words[--this.left];
    this.high = (this.high * 2 ** 24 + this.low) * 256 + (word >>> 24);
    this.low = word & MASK;
  }

  /**
   * Decode symbols of one table into the places `list[from]` to `list[to - 1]` of `out`.
   * @param {import("./tables.js").Table} table
   * @param {Int32Array} list @param {number} from @param {number} to
   * @param {Uint8Array | Uint16Array} out
   */
  decode(table, list, from, to, out) {
    const { starts, lookup } = table;
    const { words } = this;
    let { high, low, left } = this;
    for (let i = from; i < to; i++) {
      let symbol = lookup[low >> LOOKUP_SHIFT];
      while (starts[symbol + 1] <= low) symbol++;
      out[list[i]] = symbol;
      const start = starts[symbol];
      const frequency = starts[symbol + 1] - start;
      const upper = Math.floor(high / UP);
      const products = frequency * (high - upper * UP) + (low - start);
      const uppers = frequency * upper;
      const sixteenths = Math.floor(uppers / 16);
      const sum = (uppers - sixteenths * 16) * UP + products;
      const carry = Math.floor(sum / 16777216);
      high = sixteenths + carry;
      low = (sum - carry * 16777216) | 0;
      if (high < 256 && left) {
        const word = words[--left];
        high = (high * 16777216 + low) * 256 + (word >>> 24);
        low = word & MASK;
      }
    }
    this.high = high;
    this.low = low;
    this.left = left;
  }

  /**
   * Append uniform bits to the numbers at some places: `rest = rest << bits | next`.
   * @param {number} bits 1 to 16
   * @param {Int32Array} list @param {number} from @param {number} to
   * @param {Int32Array} rest
   */
  append(bits, list, from, to, rest) {
    const shift = PRECISION - bits;
    const below = 2 ** shift;
    const { words } = this;
    let { high, low, left } = this;
    for (let i = from; i < to; i++) {
      const place = list[i];
      const symbol = low >> shift;
      rest[place] = (rest[place] << bits) | symbol;
      // below * high + low - symbol * below: the state without the upper bits of `low`.
      const upper = Math.floor(high / 2 ** bits);
      low = (high - upper * 2 ** bits) * below + (low & (below - 1));
      high = upper;
      if (high < 256 && left) {
        const word = words[--left];
        high = (high * 16777216 + low) * 256 + (word >>> 24);
        low = word & MASK;
      }
    }
    this.high = high;
    this.low = low;
    this.left = left;
  }

  /** After the last symbol [CAUF-0251]. @param {number} [rule] */
  done(rule = 251) {
    if (!this.isSpent) throw malformed(rule, "words that are left over, or a state that is not 0");
  }
}

/**
 * A run [CAUF-0213]: symbols of table 0 first, in the order of the list, then those of table 1, and so on.
 * @param {Rans} rans
 * @param {(number: number) => import("./tables.js").Table} table
 * @param {Uint8Array | Uint16Array} numbers table by symbol, in the order of the list
 * @param {Int32Array} places of symbols, in the order of the list
 * @param {Uint8Array | Uint16Array} out
 * @param {number} [length] of the list
 */
export function decodeRun(rans, table, numbers, places, out, length = places.length) {
  let most = 0;
  for (let i = 0; i < length; i++) if (numbers[i] > most) most = numbers[i];
  const ends = new Int32Array(most + 2);
  for (let i = 0; i < length; i++) ends[numbers[i] + 1]++;
  for (let i = 0; i <= most; i++) ends[i + 1] += ends[i];
  const next = ends.slice();
  const sorted = new Int32Array(length);
  for (let i = 0; i < length; i++) sorted[next[numbers[i]]++] = places[i];
  for (let i = 0; i <= most; i++) {
    if (ends[i + 1] > ends[i]) rans.decode(table(i), sorted, ends[i], ends[i + 1], out);
  }
}
