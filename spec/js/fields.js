// Kinds of fields that headers and records are made of (section 3).

import { hex } from "./checksum.js";
import { malformed, unknown } from "./errors.js";
import { isInteger } from "./msgpack.js";

/**
 * A number from 0 on that this decoder knows, below `count`.
 * @param {any} value @param {number} count @param {number} rule @param {string} what
 */
export function choice(value, count, rule, what) {
  if (!isInteger(value) || value < 0) throw malformed(rule, `a ${what} that is no integer from 0 on`);
  if (value >= count) throw unknown(what, value);
  return Number(value);
}

/** Flags of which `known` are. @param {any} value @param {number} rule @param {string} what @param {number} known */
export function bits(value, rule, what, known) {
  if (!isInteger(value) || value < 0) throw malformed(rule, `${what} that are no integer from 0 on`);
  if (value > known || Number(value) & ~known) throw unknown(what, value);
  return Number(value);
}

/** @param {any} value @param {number} rule @param {string} what */
export function hash(value, rule, what) {
  if (value === null) return null;
  if (!(value instanceof Uint8Array) || value.length !== 16)
    throw malformed(rule, `${what} that is no hash of 16 bytes`);
  return hex(value);
}

/** @param {any} value @param {number} longest in code points @param {number} rule @param {string} what */
export function text(value, longest, rule, what) {
  if (value === null) return null;
  if (typeof value !== "string") throw malformed(rule, `${what} that is no text`);
  if (value.length > longest && [...value].length > longest)
    throw malformed(rule === 44 || rule === 60 ? 49 : rule, `${what} of more than ${longest} characters`);
  return value;
}
