// Bytes in order (section 1): little-endian integers and varints.

import { malformed } from "./errors.js";

/** A place in bytes; what would go beyond their end is refused. */
export class Reader {
  /**
   * @param {Uint8Array} bytes
   * @param {number} rule requirement that a cut violates: the one that names the structure, or 3
   * @param {(requirement: number, what: string) => Error} cut maker of the refusal
   */
  constructor(bytes, rule = 3, cut = malformed) {
    this.bytes = bytes;
    this.at = 0;
    this.rule = rule;
    this.cut = cut;
  }

  get left() {
    return this.bytes.length - this.at;
  }

  /** The next bytes, not copied. @param {number} length @param {number} [rule] */
  take(length, rule = this.rule) {
    if (!(length <= this.left)) throw this.cut(rule, `${length} bytes are announced, ${this.left} are there`);
    this.at += length;
    return this.bytes.subarray(this.at - length, this.at);
  }

  /** All bytes that are left. */
  rest() {
    return this.take(this.left);
  }

  u8() {
    return this.take(1)[0];
  }

  u32() {
    const b = this.take(4);
    return (b[0] | (b[1] << 8) | (b[2] << 16) | (b[3] << 24)) >>> 0;
  }

  /** A u64, exact below 2^53. */
  u64() {
    const low = this.u32();
    return this.u32() * 2 ** 32 + low;
  }

  /** A varint [CAUF-0001], exact below 2^53 and otherwise rounded, which no limit lets pass. */
  varint() {
    const start = this.at;
    const length = this.#varintLength();
    let value = 0;
    for (let i = length - 1; i >= 0; i--) value = value * 128 + (this.bytes[start + i] & 127);
    return value;
  }

  /** A varint of up to 63 bits. @returns {bigint} */
  varint64() {
    const start = this.at;
    const length = this.#varintLength();
    let value = 0n;
    for (let i = length - 1; i >= 0; i--) value = (value << 7n) | BigInt(this.bytes[start + i] & 127);
    return value;
  }

  #varintLength() {
    const start = this.at;
    let byte = this.u8();
    while (byte & 128 && this.at - start < 9) byte = this.u8();
    if (byte & 128) throw malformed(2, "an integer of more than 9 bytes");
    if (byte === 0 && this.at - start > 1) throw malformed(2, "an integer that is not in its shortest form");
    return this.at - start;
  }

  /** All bytes must be used. @param {number} [rule] */
  done(rule = 4) {
    if (this.left) throw malformed(rule, `${this.left} bytes are left over`);
  }
}
