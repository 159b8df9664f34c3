// Value alignment (section 7): aligned values become features.

import { checkScaleCodes, offsetOf, scaleOf } from "./codes.js";
import { malformed } from "./errors.js";
import { HYPERPRIOR } from "./records.js";
import { Turns } from "./turns.js";

const CHANNEL = 1;
const TOKEN = 2;

/** @typedef {Float32Array | Float64Array} Floats of the working float: what is stored in them is rounded to it */

/** The inverse of a tensor's value alignment. */
export class ValueAlignment {
  /**
   * @param {import("./records.js").TensorRecord} record of the leader
   * @param {import("./sections.js").Sections} sections
   * @param {number} channels C of the stack
   */
  constructor(record, sections, channels) {
    const { alignment, number } = record;
    this.alignment = alignment;
    this.ends = record.codec === HYPERPRIOR ? alignment.ends : null;
    this.isOfTokens = alignment.scope === TOKEN;
    this.channels = channels;
    this.scales = new Float64Array(0);
    this.offsets = new Float64Array(0);
    if (alignment.scope === CHANNEL) {
      const offsets = sections.get(number, 27) ?? sections.get(number, 1);
      const scales = sections.get(number, 2);
      if (offsets?.length !== channels || scales?.length !== channels) {
        throw malformed(351, `tensor ${number} lacks a scale code and an offset code for each of ${channels} channels`);
      }
      checkScaleCodes(scales);
      this.scales = Float64Array.from(scales, scaleOf);
      this.offsets = Float64Array.from(this.scales, (scale, i) => offsetOf(offsets[i], scale));
    }
    const turns = sections.get(number, 29);
    this.turns = turns && new Turns(turns, record, channels);
  }

  /**
   * Make features of aligned values `[N, C]`, in place.
   * @param {Floats} values
   * @param {Int16Array | null} side codes of a payload with statistics of tokens
   * @param {Int16Array | null} tokenScales codes of [CAUF-0560]
   * @param {number[]} tokens number of each sample
   */
  apply(values, side, tokenScales, tokens) {
    const { scope, scale, offset } = this.alignment;
    const { channels } = this;
    if (scope === CHANNEL) this.#applyChannels(values);
    else if (scope === TOKEN && side) applyTokens(values, side, channels);
    else {
      if (scale !== 1) for (let i = 0; i < values.length; i++) values[i] *= scale;
      if (offset !== 0) for (let i = 0; i < values.length; i++) values[i] += offset;
    }
    if (this.ends) clip(values, this.ends);
    if (tokenScales) scaleTokens(values, tokenScales, channels);
    this.turns?.apply(values, tokens);
  }

  /** @param {Floats} values */
  #applyChannels(values) {
    const { channels, scales, offsets } = this;
    for (let at = 0; at < values.length; at += channels) {
      for (let c = 0; c < channels; c++) {
        values[at + c] *= scales[c];
        values[at + c] += offsets[c];
      }
    }
  }
}

/** @param {Floats} values @param {Int16Array} side @param {number} channels */
function applyTokens(values, side, channels) {
  const tokens = side.length / 2;
  for (let token = 0, at = 0; token < tokens; token++) {
    const scale = scaleOf(side[tokens + token]);
    const offset = offsetOf(side[token], scale);
    for (const end = at + channels; at < end; at++) {
      values[at] *= scale;
      values[at] += offset;
    }
  }
}

/** @param {Floats} values @param {[number, number]} ends [CAUF-0422] */
function clip(values, [low, high]) {
  for (let i = 0; i < values.length; i++) {
    if (values[i] < low) values[i] = low;
    else if (values[i] > high) values[i] = high;
  }
}

/** @param {Floats} values @param {Int16Array} codes @param {number} channels */
function scaleTokens(values, codes, channels) {
  for (let token = 0; token < codes.length; token++) {
    if (codes[token] === 0) continue;
    const scale = scaleOf(codes[token]);
    for (let at = token * channels, end = at + channels; at < end; at++) values[at] *= scale;
  }
}
