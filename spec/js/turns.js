// Turns (section 7.1): pairs of channels that were turned by angles in proportion to the token's position.

import { malformed } from "./errors.js";

/** The turns of a tensor. */
export class Turns {
  /**
   * @param {Int32Array} section a distance, and a turn of every channel
   * @param {import("./records.js").TensorRecord} record @param {number} channels C
   */
  constructor(section, record, channels) {
    const fail = (/** @type {string} */ what) => malformed(564, `turns of tensor ${record.number}: ${what}`);
    if (section.length !== 1 + channels) throw fail(`${section.length} numbers for ${channels} channels`);
    const [distance] = section;
    const turns = section.subarray(1);
    if (distance < 1) throw fail(`a distance of ${distance}`);
    const axes = record.layout?.axes.filter((axis) => axis.isToken) ?? [];
    if (axes.length !== 1 || axes[0].letters !== 1) throw fail("a layout that has not one token axis of one letter");
    this.channels = channels;
    this.distance = distance;
    /** Channels that are the first of a pair. */
    this.firsts = Int32Array.from(turns.keys()).filter((c) => turns[c] !== 0);
    this.turns = turns;
    if (!this.firsts.length) throw fail("none");
    for (const c of this.firsts) {
      if (c + distance >= channels || turns[c + distance] !== 0) throw fail(`channel ${c} has no partner`);
    }
  }

  /** @param {import("./alignment.js").Floats} values `[N, C]` @param {number[]} tokens number of each sample */
  apply(values, tokens) {
    const round = values instanceof Float32Array ? Math.fround : (/** @type {number} */ x) => x;
    const { channels, distance, firsts, turns } = this;
    let at = 0;
    for (const count of tokens) {
      for (let position = 0; position < count; position++, at += channels) {
        for (const c of firsts) {
          const angle = (2 * Math.PI * (Math.imul(position, turns[c]) >>> 0)) / 2 ** 32;
          const cosine = round(Math.cos(angle));
          const sine = round(Math.sin(angle));
          const x = values[at + c];
          const y = values[at + c + distance];
          values[at + c] = round(x * cosine) - round(y * sine);
          values[at + c + distance] = round(y * cosine) + round(x * sine);
        }
      }
    }
  }
}
