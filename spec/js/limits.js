// Limits (section 12): what a file may ask for, checked before anything is allocated.

import { unsupported } from "./errors.js";

/**
 * The largest of each thing that a file, or one chunk of it, may ask for [CAUF-0370]. Pass some of them to `open` for
 * others.
 */
export const LIMITS = Object.freeze({
  header: 2 ** 20,
  sections: 2 ** 26,
  tensors: 2 ** 16,
  axes: 8,
  levels: 16,
  channels: 2 ** 25,
  values: 2 ** 34,
  products: 2 ** 45,
  samples: 2 ** 24,
  output: 2 ** 36,
  index: 2 ** 28,
  chunkValues: 2 ** 28,
  chunkTokens: 2 ** 24,
  chunkGrids: 2 ** 16,
  chunkArrays: 2 ** 22,
  chunkProducts: 2 ** 38,
  chunkLatents: 2 ** 26,
  block: 2 ** 32,
});

/** @typedef {typeof LIMITS} Limits */

/** @param {Limits} limits @param {keyof Limits} name @param {number} amount */
export function checkLimit(limits, name, amount) {
  if (!(amount <= limits[name])) throw overLimit(limits, name);
}

/** @param {Limits} limits @param {keyof Limits} name */
export const overLimit = (limits, name) => unsupported(370, `more than the limit '${name}' of ${limits[name]}`);

/** Sums of what chunks ask for, refused where they pass a limit. */
export class Sums {
  /** @param {Limits} limits */
  constructor(limits) {
    this.limits = limits;
    /** @type {Record<string, number>} */
    this.sums = {};
  }

  /** @param {keyof Limits} name @param {number} amount */
  add(name, amount) {
    this.sums[name] = (this.sums[name] ?? 0) + amount;
    checkLimit(this.limits, name, this.sums[name]);
  }
}
