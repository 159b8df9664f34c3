// Tables (section 9.2): levels, which expand to frequencies of 24 bits.

import { malformed } from "./errors.js";

export const PRECISION = 24;
const TOTAL = 2 ** PRECISION;
const HIGHEST = 193;
const OCTAVE = [4096, 4467, 4871, 5312, 5793, 6317, 6889, 7512];
const WEIGHTS = Float64Array.from({ length: HIGHEST + 1 }, (_, v) =>
  v === 0 ? 0 : OCTAVE[(v - 1) % 8] * 2 ** Math.floor((v - 1) / 8),
);
/** Of the next code point's bits, how many the lookup tells apart. */
const LOOKUP_BITS = 10;
const LOOKUP_SHIFT = PRECISION - LOOKUP_BITS;

/** A table of A symbols, with what decoding needs. */
export class Table {
  /** @param {ArrayLike<number>} levels */
  constructor(levels) {
    const size = levels.length;
    /** Where each symbol's frequencies start; the last entry is their sum. */
    this.starts = new Int32Array(size + 1);
    const frequencies = expand(levels);
    let largest = 0;
    for (let i = 0; i < size; i++) {
      this.starts[i + 1] = this.starts[i] + frequencies[i];
      if (frequencies[i] > frequencies[largest]) largest = i;
    }
    /** The first symbol of the largest frequency. */
    this.favourite = largest;
    /** By the upper bits of a code point: the symbol that holds the first such one. */
    this.lookup = new Uint16Array(1 << LOOKUP_BITS);
    for (let slot = 0, symbol = 0; slot < this.lookup.length; slot++) {
      while (this.starts[symbol + 1] <= slot << LOOKUP_SHIFT) symbol++;
      this.lookup[slot] = symbol;
    }
  }
}

export { LOOKUP_SHIFT };

/** Frequencies that sum to 2^24 [CAUF-0230]. @param {ArrayLike<number>} levels @returns {Int32Array} */
export function expand(levels) {
  const size = levels.length;
  let total = 0;
  let largest = 0;
  for (let i = 0; i < size; i++) {
    if (levels[i] > HIGHEST) throw malformed(230, `a table with level ${levels[i]}`);
    total += WEIGHTS[levels[i]];
    if (levels[i] > levels[largest]) largest = i;
  }
  if (!total) throw malformed(230, "a table whose levels are all 0");
  const shares = new Int32Array(HIGHEST + 1).fill(-1);
  const out = new Int32Array(size);
  let sum = 0;
  for (let i = 0; i < size; i++) {
    const level = levels[i];
    if (shares[level] < 0) shares[level] = share(WEIGHTS[level], TOTAL - size, total);
    out[i] = 1 + shares[level];
    sum += out[i];
  }
  out[largest] += TOTAL - sum;
  return out;
}

/** `weight * room // total`, exactly. @param {number} weight @param {number} room @param {number} total */
function share(weight, room, total) {
  const whole = weight * room;
  return whole <= Number.MAX_SAFE_INTEGER
    ? Math.floor(whole / total)
    : Number((BigInt(weight) * BigInt(room)) / BigInt(total));
}

/** Levels that follow each other, as tables of so many symbols, each expanded when it is first used. */
export class TableSet {
  /** @param {Uint8Array} levels @param {number} [size] */
  constructor(levels, size = 64) {
    this.levels = levels;
    this.size = size;
    this.count = levels.length / size;
    /** @type {Table[]} */
    this.tables = [];
  }

  /** Refuse what no symbol may use either. */
  check() {
    for (let i = 0; i < this.count; i++) {
      const levels = this.levels.subarray(i * this.size, (i + 1) * this.size);
      if (levels.some((level) => level > HIGHEST)) throw malformed(230, `table ${i} has a level above ${HIGHEST}`);
      if (levels.every((level) => level === 0)) throw malformed(230, `the levels of table ${i} are all 0`);
    }
    return this;
  }

  /** @param {number} number @returns {Table} */
  table(number) {
    this.tables[number] ??= new Table(this.levels.subarray(number * this.size, (number + 1) * this.size));
    return this.tables[number];
  }
}
