// The msgpack that headers, notes and keys are made of: canonical, without maps and extension types.

import { malformed } from "./errors.js";
import { Reader } from "./reader.js";

/** A float of a header: integers do not stand for floats, nor floats for integers. */
export class Float {
  /** @param {number} value */
  constructor(value) {
    this.value = value;
  }
}

/**
 * What a text of msgpack must keep to, and the requirements that violations are of.
 * @typedef {object} Rules
 * @property {32 | 64} floats bits of floats; those of 32 bits must be finite
 * @property {number} parse cut, or something behind the value
 * @property {number} form not in the shortest form, or of a kind that must not be
 * @property {number} depth arrays nested too deep
 * @property {number} text text that is no UTF-8
 */

/** @type {Rules} */
export const HEADER = { floats: 32, parse: 41, form: 42, depth: 43, text: 41 };
/** @type {Rules} */
export const NOTE = { floats: 64, parse: 500, form: 500, depth: 500, text: 500 };
/** @type {Rules} */
export const KEYS = { floats: 64, parse: 506, form: 506, depth: 506, text: 506 };

const DEEPEST = 36;
const UTF8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/**
 * One value with nothing behind it: null, booleans, numbers (integers beyond 2^53 as bigints, floats as Float),
 * strings, Uint8Arrays and arrays.
 * @param {Uint8Array} bytes @param {Rules} rules
 */
export function parse(bytes, rules) {
  const parser = new Parser(bytes, rules);
  const value = parser.value(0);
  parser.reader.done(rules.parse);
  return value;
}

/** Whether a parsed value is an integer. @param {unknown} value @returns {value is number | bigint} */
export const isInteger = (value) => typeof value === "number" || typeof value === "bigint";

/**
 * Whether a parsed value may name a child or a sample.
 * @param {unknown} value
 * @returns {value is string|number|bigint}
 */
export const isName = (value) => typeof value === "string" || isInteger(value);

/** Whether names are distinct; text and integers are. @param {(string | number | bigint)[]} names */
export const areDistinct = (names) => new Set(names).size === names.length;

class Parser {
  /** @param {Uint8Array} bytes @param {Rules} rules */
  constructor(bytes, rules) {
    this.reader = new Reader(bytes, rules.parse);
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.rules = rules;
  }

  /** @param {string} what @returns {never} */
  fail(what) {
    throw malformed(this.rules.form, what);
  }

  /** @param {number} depth arrays around the value @returns {any} */
  value(depth) {
    const tag = this.reader.u8();
    if (tag < 0x80) return tag;
    if (tag >= 0xe0) return tag - 256;
    if (tag < 0x90) return this.fail("a map");
    if (tag < 0xa0) return this.array(tag & 15, depth);
    if (tag < 0xc0) return this.text(tag & 31);
    switch (tag) {
      case 0xc0:
        return null;
      case 0xc2:
        return false;
      case 0xc3:
        return true;
      case 0xc4:
        return this.reader.take(this.size(1, 0)).slice();
      case 0xc5:
        return this.reader.take(this.size(2, 1 << 8)).slice();
      case 0xc6:
        return this.reader.take(this.size(4, 1 << 16)).slice();
      case 0xca:
        return this.float(32);
      case 0xcb:
        return this.float(64);
      case 0xcc:
        return this.size(1, 128);
      case 0xcd:
        return this.size(2, 1 << 8);
      case 0xce:
        return this.size(4, 1 << 16);
      case 0xcf:
        return this.large(this.view.getBigUint64(this.place(8)), 1n << 32n);
      case 0xd0:
        return this.negative(this.view.getInt8(this.place(1)), -32);
      case 0xd1:
        return this.negative(this.view.getInt16(this.place(2)), -(1 << 7));
      case 0xd2:
        return this.negative(this.view.getInt32(this.place(4)), -(1 << 15));
      case 0xd3:
        return this.largeNegative(this.view.getBigInt64(this.place(8)));
      case 0xd9:
        return this.text(this.size(1, 32));
      case 0xda:
        return this.text(this.size(2, 1 << 8));
      case 0xdb:
        return this.text(this.size(4, 1 << 16));
      case 0xdc:
        return this.array(this.size(2, 16), depth);
      case 0xdd:
        return this.array(this.size(4, 1 << 16), depth);
      case 0xc1:
        throw malformed(this.rules.parse, "a byte that starts no value");
      default:
        return this.fail("a map or an extension type");
    }
  }

  /** Where the next bytes stand. @param {number} length */
  place(length) {
    this.reader.take(length);
    return this.reader.at - length;
  }

  /** An unsigned integer that a shorter form cannot hold. @param {1 | 2 | 4} length @param {number} least */
  size(length, least) {
    const at = this.place(length);
    const { view } = this;
    const value = length === 1 ? view.getUint8(at) : length === 2 ? view.getUint16(at) : view.getUint32(at);
    return value < least ? this.fail("a value that is not in its shortest form") : value;
  }

  /** @param {bigint} value @param {bigint} least */
  large(value, least) {
    if (value < least) this.fail("an integer that is not in its shortest form");
    return value <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(value) : value;
  }

  /** @param {number} value @param {number} bound of the shorter forms */
  negative(value, bound) {
    return value < bound ? value : this.fail("an integer that is not in its shortest form");
  }

  /** @param {bigint} value */
  largeNegative(value) {
    if (value >= -(1n << 31n)) this.fail("an integer that is not in its shortest form");
    return value >= BigInt(Number.MIN_SAFE_INTEGER) ? Number(value) : value;
  }

  /** @param {32 | 64} bits */
  float(bits) {
    const at = this.place(bits / 8);
    const value = bits === 32 ? this.view.getFloat32(at) : this.view.getFloat64(at);
    if (bits !== this.rules.floats) this.fail(`a float of ${bits} bits`);
    if (bits === 32 && !Number.isFinite(value)) this.fail("a float that is not finite");
    return new Float(value);
  }

  /** @param {number} length */
  text(length) {
    const bytes = this.reader.take(length);
    try {
      return UTF8.decode(bytes);
    } catch {
      throw malformed(this.rules.text, "text that is no UTF-8");
    }
  }

  /** @param {number} count @param {number} depth */
  array(count, depth) {
    if (depth >= DEEPEST) throw malformed(this.rules.depth, `arrays nested deeper than ${DEEPEST}`);
    if (count > this.reader.left) throw malformed(this.rules.parse, "an array of more values than there are bytes");
    const out = [];
    for (let i = 0; i < count; i++) out.push(this.value(depth + 1));
    return out;
  }
}
