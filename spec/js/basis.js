// The basis (section 9.5): coefficients of a token become its values.

import { scaleOf } from "./codes.js";
import { malformed } from "./errors.js";
import { RowSums } from "./sums.js";

const MOST_SCALE = 800;

/** The basis of a tensor, by groups of its channels. */
export class Basis {
  /**
   * @param {Int8Array} codes S8
   * @param {Int16Array} scales S9
   * @param {Int32Array} ranks S28
   * @param {number} channels C
   */
  constructor(codes, scales, ranks, channels) {
    this.ranks = ranks;
    this.channels = channels;
    /** Coefficients K. */
    this.size = scales.length;
    /** Channels of a group. */
    this.width = channels / ranks.length;
    this.codes = codes;
    this.scales = scales;
    this.vectors = new Float32Array(0);
  }

  /** Products that a token takes. */
  get products() {
    return this.size * this.width;
  }

  /** Vectors in the working float. @param {any} working its array @returns {import("./alignment.js").Floats} */
  #vectorsOf(working) {
    if (!this.vectors.length) {
      const { codes, scales, width } = this;
      this.vectors = new working(codes.length);
      for (let i = 0; i < codes.length; i++) this.vectors[i] = codes[i] * scaleOf(scales[Math.floor(i / width)]);
    }
    return this.vectors;
  }

  /**
   * @param {import("./alignment.js").Floats} coefficients `[N, K]`
   * @returns {import("./alignment.js").Floats} `[N, C]`
   */
  apply(coefficients) {
    const { size, ranks, width, channels } = this;
    const working = /** @type {any} */ (coefficients.constructor);
    const vectors = this.#vectorsOf(working);
    const tokens = coefficients.length / size;
    const out = new working(tokens * channels);
    const rows = new RowSums(width, size);
    const {
      places,
      sums,
      weights: [v, w],
    } = rows;
    for (let token = 0; token < tokens; token += 2) {
      const at = token * size;
      const hasSecond = token + 1 < tokens;
      for (let group = 0, k = 0; group < ranks.length; group++) {
        let count = 0;
        for (const end = k + ranks[group]; k < end; k++) {
          v[count] = coefficients[at + k];
          w[count] = hasSecond ? coefficients[at + size + k] : 0;
          if (v[count] === 0 && w[count] === 0) continue;
          places[count++] = k * width;
        }
        if (!count) continue;
        rows.find(vectors, count, width);
        out.set(sums[0], token * channels + group * width);
        if (hasSecond) out.set(sums[1], (token + 1) * channels + group * width);
      }
    }
    return out;
  }
}

/**
 * The basis in a tensor's sections, or none.
 * @param {import("./sections.js").Sections} sections
 * @param {number} tensor
 * @param {number} channels C
 * @returns {Basis | null}
 */
export function basisOf(sections, tensor, channels) {
  const [codes, scales, analysis, analysisScales, ranks] = [8, 9, 10, 11, 28].map((type) => sections.get(tensor, type));
  const fail = (/** @type {number} */ rule, /** @type {string} */ what) =>
    malformed(rule, `basis of tensor ${tensor}: ${what}`);
  if (!codes !== !scales) throw fail(228, "vectors without scales, or scales without vectors");
  if (!codes) {
    if (ranks) throw fail(561, "groups without one");
    if (analysis || analysisScales) throw fail(228, "analysis without one");
    return null;
  }
  const groups = ranks?.length ?? 1;
  const width = channels / groups;
  if (!Number.isInteger(width)) throw fail(561, `${groups} groups of ${channels} channels`);
  if (scales.length > channels || codes.length !== scales.length * width) throw fail(228, `${codes.length} elements`);
  if (ranks?.some((/** @type {number} */ rank) => rank < 0 || rank > width))
    throw fail(561, "a rank beyond a group's channels");
  if (ranks && sum(ranks) !== scales.length) throw fail(561, "ranks that are not those of all vectors");
  if (!analysis !== !analysisScales) throw fail(228, "analysis vectors without scales, or scales without vectors");
  if (analysis && (analysis.length !== codes.length || analysisScales.length !== scales.length)) {
    throw fail(228, "analysis of another size");
  }
  for (const array of [scales, analysisScales ?? []]) {
    if (array.some((/** @type {number} */ code) => Math.abs(code) > MOST_SCALE))
      throw fail(227, "a scale out of range");
  }
  return new Basis(codes, scales, ranks ?? Int32Array.of(scales.length), channels);
}

/** @param {Iterable<number>} numbers */
const sum = (numbers) => Array.from(numbers).reduce((a, b) => a + b, 0);
