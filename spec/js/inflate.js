// Raw deflate (RFC 1951), which sections, notes, keys and payloads may be packed with.

import { malformed } from "./errors.js";

const LENGTH_BASE = [
  3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 15, 17, 19, 23, 27, 31, 35, 43, 51, 59, 67, 83, 99, 115, 131, 163, 195, 227, 258,
];
const LENGTH_BITS = [0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0];
const DISTANCE_BASE = [
  1, 2, 3, 4, 5, 7, 9, 13, 17, 25, 33, 49, 65, 97, 129, 193, 257, 385, 513, 769, 1025, 1537, 2049, 3073, 4097, 6145,
  8193, 12289, 16385, 24577,
];
const LENGTH_ORDER = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];

/**
 * What deflated bytes hold; they must end where their last block ends.
 * @param {Uint8Array} data
 * @param {number} limit most bytes that may come out
 * @param {number} rule requirement that other data violate
 * @param {() => Error} [over] maker of the refusal of more than the limit
 * @returns {Uint8Array}
 */
export function inflate(data, limit, rule, over = () => malformed(rule, "deflated data hold too much")) {
  const stream = new Stream(data, limit, rule, over);
  let last = 0;
  while (!last) {
    last = stream.bits(1);
    const kind = stream.bits(2);
    if (kind === 0) stream.stored();
    else if (kind === 1) stream.coded(...fixedCodes());
    else if (kind === 2) stream.coded(...stream.codes());
    else stream.fail("an unknown kind of block");
  }
  if (stream.at - (stream.count >> 3) !== data.length) stream.fail("bytes behind the last block");
  return stream.out.subarray(0, stream.length);
}

class Stream {
  /** @param {Uint8Array} data @param {number} limit @param {number} rule @param {() => Error} over */
  constructor(data, limit, rule, over) {
    this.data = data;
    this.at = 0;
    this.hold = 0;
    this.count = 0;
    this.limit = limit;
    this.rule = rule;
    this.over = over;
    this.out = new Uint8Array(Math.min(limit, 4 * data.length + 64));
    this.length = 0;
  }

  /** @param {string} what @returns {never} */
  fail(what) {
    throw malformed(this.rule, `deflated data: ${what}`);
  }

  /** @param {number} n at most 16 */
  bits(n) {
    while (this.count < n) {
      if (this.at >= this.data.length) this.fail("cut");
      this.hold |= this.data[this.at++] << this.count;
      this.count += 8;
    }
    const value = this.hold & ((1 << n) - 1);
    this.hold >>>= n;
    this.count -= n;
    return value;
  }

  /** One symbol. @param {Code} code */
  symbol(code) {
    while (this.count < code.longest && this.at < this.data.length) {
      this.hold |= this.data[this.at++] << this.count;
      this.count += 8;
    }
    const entry = code.table[this.hold & ((1 << code.longest) - 1)];
    const length = entry & 15;
    if (!length || length > this.count) this.fail("a code that does not exist, or cut");
    this.hold >>>= length;
    this.count -= length;
    return entry >> 4;
  }

  /** Room for so many bytes more. @param {number} more */
  room(more) {
    const needed = this.length + more;
    if (needed > this.limit) throw this.over();
    if (needed <= this.out.length) return;
    const grown = new Uint8Array(Math.min(this.limit, Math.max(needed, 2 * this.out.length)));
    grown.set(this.out);
    this.out = grown;
  }

  stored() {
    this.at -= this.count >> 3;
    this.hold = this.count = 0;
    const { data, at } = this;
    if (at + 4 > data.length) this.fail("cut");
    const length = data[at] | (data[at + 1] << 8);
    if ((length ^ 0xffff) !== (data[at + 2] | (data[at + 3] << 8))) this.fail("lengths that differ");
    if (at + 4 + length > data.length) this.fail("cut");
    this.room(length);
    this.out.set(data.subarray(at + 4, at + 4 + length), this.length);
    this.length += length;
    this.at += 4 + length;
  }

  /** The two codes of a dynamic block. @returns {[Code, Code]} */
  codes() {
    const literals = this.bits(5) + 257;
    const distances = this.bits(5) + 1;
    const count = this.bits(4) + 4;
    if (literals > 286 || distances > 30) this.fail("too many symbols");
    const first = new Uint8Array(19);
    for (let i = 0; i < count; i++) first[LENGTH_ORDER[i]] = this.bits(3);
    const code = this.code(first, false);
    const lengths = new Uint8Array(literals + distances);
    for (let i = 0; i < lengths.length;) {
      const symbol = this.symbol(code);
      if (symbol < 16) {
        lengths[i++] = symbol;
        continue;
      }
      if (symbol === 16 && i === 0) this.fail("nothing to repeat");
      const value = symbol === 16 ? lengths[i - 1] : 0;
      const times = symbol === 16 ? 3 + this.bits(2) : symbol === 17 ? 3 + this.bits(3) : 11 + this.bits(7);
      if (i + times > lengths.length) this.fail("too many lengths");
      lengths.fill(value, i, i + times);
      i += times;
    }
    if (!lengths[256]) this.fail("no end of block");
    return [this.code(lengths.subarray(0, literals), true), this.code(lengths.subarray(literals), true)];
  }

  /** @param {Uint8Array} lengths @param {boolean} single whether a lone code of one bit may stand */
  code(lengths, single) {
    const code = new Code(lengths);
    if (code.free < 0 || (code.free > 0 && (!single || code.longest > 1))) this.fail("lengths that make no code");
    return code;
  }

  /** A block of literals and matches. @param {Code} literals @param {Code} distances */
  coded(literals, distances) {
    for (;;) {
      const symbol = this.symbol(literals);
      if (symbol < 256) {
        if (this.length === this.out.length) this.room(1);
        this.out[this.length++] = symbol;
        continue;
      }
      if (symbol === 256) return;
      if (symbol > 285) this.fail("an unknown length");
      const length = LENGTH_BASE[symbol - 257] + this.bits(LENGTH_BITS[symbol - 257]);
      const far = this.symbol(distances);
      if (far > 29) this.fail("an unknown distance");
      const distance = DISTANCE_BASE[far] + this.bits(far < 2 ? 0 : (far >> 1) - 1);
      if (distance > this.length) this.fail("a distance beyond the start");
      this.room(length);
      const { out } = this;
      for (let i = 0; i < length; i++, this.length++) out[this.length] = out[this.length - distance];
    }
  }
}

/** A prefix code as one table by the next bits: symbol << 4 | length, 0 where there is none. */
class Code {
  /** @param {Uint8Array} lengths by symbol, at most 15 */
  constructor(lengths) {
    const counts = new Int32Array(16);
    for (const length of lengths) counts[length]++;
    counts[0] = 0;
    this.longest = 1;
    this.free = 1 << 15; // of the space of codes of 15 bits; below 0 where lengths ask for more
    const next = new Int32Array(16);
    for (let length = 1; length < 16; length++) {
      next[length] = (next[length - 1] + counts[length - 1]) << 1;
      this.free -= counts[length] << (15 - length);
      if (counts[length]) this.longest = length;
    }
    this.table = new Uint16Array(1 << this.longest);
    if (this.free < 0) return;
    for (let symbol = 0; symbol < lengths.length; symbol++) {
      const length = lengths[symbol];
      if (!length) continue;
      let reversed = 0;
      for (let bit = 0, code = next[length]++; bit < length; bit++)
        reversed |= ((code >> bit) & 1) << (length - 1 - bit);
      for (let at = reversed; at < this.table.length; at += 1 << length) this.table[at] = (symbol << 4) | length;
    }
  }
}

/** @type {[Code, Code] | undefined} */
let fixed;

function fixedCodes() {
  const lengths = (/** @type {number} */ _, /** @type {number} */ i) => (i < 144 ? 8 : i < 256 ? 9 : i < 280 ? 7 : 8);
  fixed ??= [new Code(Uint8Array.from({ length: 288 }, lengths)), new Code(new Uint8Array(32).fill(5))];
  return fixed;
}
