// Format alignment (section 6): layouts, and where the tokens and channels of a sample stand.

import { malformed } from "./errors.js";

const TERM = /^(?:([bthwncdg])|\((?:([1-9][0-9]{0,4}) \+ )?([thwn](?: [thwn])*)\))(?: (?=.)|$)/;
const GRID = "thwn";

/**
 * @typedef {object} Axis
 * @property {boolean} isToken
 * @property {number} letters how many it joins
 * @property {number} specials tokens before its grid
 */

/** @typedef {{ axes: Axis[], specials: number }} Layout */

/** The layout of one sample, without `b`. @param {string} text @returns {Layout} */
export function parseLayout(text) {
  const axes = [];
  let letters = "";
  for (let rest = text; rest;) {
    const term = TERM.exec(rest);
    if (!term || Number(term[2] ?? 0) > 65535) throw malformed(64, `'${text}' is no layout`);
    const [whole, letter, count, grid] = term;
    const own = letter ?? grid.replaceAll(" ", "");
    axes.push({ isToken: GRID.includes(own[0]), letters: own.length, specials: Number(count ?? 0) });
    letters += own;
    rest = rest.slice(whole.length);
  }
  if (new Set(letters).size !== letters.length) throw malformed(64, `layout '${text}' has a letter twice`);
  if (letters.lastIndexOf("b") > 0 || !letters.replace("b", "")) throw malformed(64, `'${text}' is no layout`);
  const special = axes.find((axis) => axis.specials);
  if (special && axes.some((axis) => axis.isToken && axis !== special)) {
    throw malformed(64, `layout '${text}' has grid letters outside of its special tokens' parentheses`);
  }
  if (letters.includes("b")) throw malformed(65, `layout '${text}' has a letter 'b'`);
  return { axes, specials: special?.specials ?? 0 };
}

/** @param {number[]} sizes */
export const product = (sizes) => sizes.reduce((a, b) => a * b, 1);

/**
 * The grid of a sample [CAUF-0223].
 * @typedef {object} Grid
 * @property {number} specials tokens before it
 * @property {number} planes
 * @property {number} rows of a plane
 * @property {number} columns
 */

/** The matrix `[N, C]` of a sample of some shape [CAUF-0170]. */
export class Matrix {
  /** @param {Layout} layout @param {number[]} shape */
  constructor(layout, shape) {
    this.layout = layout;
    this.shape = shape;
    this.tokens = product(shape.filter((_, i) => layout.axes[i].isToken));
    this.channels = product(shape.filter((_, i) => !layout.axes[i].isToken));
    if (this.tokens < layout.specials)
      throw malformed(171, `a sample of ${this.tokens} tokens has fewer than special ones`);
  }

  /** @returns {Grid} */
  grid() {
    const sizes = this.layout.axes.flatMap((axis, i) => {
      if (!axis.isToken) return [];
      const size = this.shape[i] - axis.specials;
      const root = Math.round(Math.sqrt(size));
      return axis.letters === 2 && root * root === size ? [root, root] : [size];
    });
    const columns = sizes.pop() ?? 1;
    const rows = sizes.pop() ?? 1;
    return { specials: this.layout.specials, planes: product(sizes), rows, columns };
  }

  /** Places of tokens in the sample's C order; the place of a value is its token's plus its channel's. */
  tokenPlaces() {
    return this.#places(true);
  }

  /** Places of channels in the sample's C order. */
  channelPlaces() {
    return this.#places(false);
  }

  /** @param {boolean} ofTokens */
  #places(ofTokens) {
    const out = new Int32Array(ofTokens ? this.tokens : this.channels);
    if (!out.length) return out;
    let filled = 1;
    let stride = 1;
    for (let axis = this.shape.length - 1; axis >= 0; axis--) {
      const size = this.shape[axis];
      if (this.layout.axes[axis].isToken === ofTokens) {
        for (let i = 1; i < size; i++) for (let j = 0; j < filled; j++) out[i * filled + j] = out[j] + i * stride;
        filled *= size;
      }
      stride *= size;
    }
    return out;
  }
}
