// Contexts (section 9.1): which table each bucket of a chunk is coded with.

import { decodeRun } from "./entropy.js";

const CONTEXTS = 40;
const NEAR = 1;
const FAR = 14;
const EXTENT = 27;
const LAST_LATTICE_PASSES = 5;

/** @param {number} bucket */
const mag = (bucket) => Math.min(15, (bucket + 1) >> 1);
const BIN_STARTS = [1, 2, 3, 4, 5, 7, 9, 12, 16, 21, 29, 41];
/** @param {number} value */
const bin = (value) => BIN_STARTS.filter((start) => start <= value).length;

const MAG = Uint8Array.from({ length: 64 }, (_, bucket) => mag(bucket));
/** BIN(4 * sum // n) by n and sum of magnitudes, 64 a row. */
const BIN = Uint8Array.from({ length: 5 * 64 }, (_, i) => (i < 64 ? 0 : bin(Math.floor((4 * (i % 64)) / (i >> 6)))));
const EXTENT_BIN = Uint8Array.from({ length: 64 }, (_, bucket) => bin(4 * mag(bucket)));

/**
 * What contexts of a tensor depend on.
 * @typedef {object} Model
 * @property {number} channels K
 * @property {boolean} isSpectral
 * @property {boolean} hasExtents
 * @property {Uint8Array} map S5
 * @property {import("./tables.js").TableSet} tables S4
 * @property {(band: number) => Uint16Array} rowsOf where in S5 the row of each channel's class starts
 */

/**
 * A sample of a chunk: the order of its grid, and where its tokens and blocks start in the chunk's numbers.
 * @typedef {{ order: import("./order.js").Order, token: number, block: number }} Placed
 */

/**
 * Buckets of a chunk, `[N, K]` [CAUF-0213].
 * @param {import("./entropy.js").Rans} rans @param {Model} model @param {Placed[]} samples @returns {Uint8Array}
 */
export function decodeBuckets(rans, model, samples) {
  const tokens = samples.reduce((sum, { order }) => sum + order.tokens, 0);
  const buckets = new Uint8Array(tokens * model.channels);
  if (rans.isSpent) return buckets;
  const passes = samples.reduce((most, { order }) => Math.max(most, order.passStarts.length - 1), 0);
  const decoder = new Decoder(rans, model, samples, buckets);
  decoder.decodePass(0);
  if (model.hasExtents) decoder.decodeExtents();
  for (let pass = 1; pass < passes; pass++) decoder.decodePass(pass);
  return buckets;
}

class Decoder {
  /**
   * @param {import("./entropy.js").Rans} rans
   * @param {Model} model
   * @param {Placed[]} samples
   * @param {Uint8Array} buckets
   */
  constructor(rans, model, samples, buckets) {
    this.rans = rans;
    this.model = model;
    this.samples = samples;
    this.buckets = buckets;
    this.table = (/** @type {number} */ number) => model.tables.table(number);
    const most = samples.reduce((sum, { order }) => Math.max(sum, order.tokens), 0);
    /** The list of a run. */
    this.numbers = new Uint8Array(0);
    this.places = new Int32Array(0);
    this.length = 0;
    this.sums = new Uint8Array(most ? model.channels : 0);
    /** @type {Uint8Array | null} */
    this.extents = null;
  }

  /** Room for a run of so many symbols. @param {number} length */
  startRun(length) {
    this.length = 0;
    if (length <= this.numbers.length) return;
    this.numbers = new Uint8Array(length);
    this.places = new Int32Array(length);
  }

  decodeExtents() {
    const { channels, map } = this.model;
    const blocks = this.samples.reduce((sum, { order }) => sum + order.heads.length, 0);
    this.startRun(blocks * channels);
    for (const { order, token } of this.samples) {
      for (const head of order.heads) {
        const rows = this.model.rowsOf(order.band[head]);
        const place = (token + head) * channels;
        for (let channel = 0; channel < channels; channel++, this.length++) {
          this.numbers[this.length] = map[rows[channel] + EXTENT + EXTENT_BIN[this.buckets[place + channel]]];
          this.places[this.length] = this.length;
        }
      }
    }
    const extents = new Uint8Array(blocks * channels);
    decodeRun(this.rans, this.table, this.numbers, this.places, extents, this.length);
    this.extents = extents;
  }

  /** @param {number} pass */
  decodePass(pass) {
    const { channels } = this.model;
    const span = (/** @type {Placed} */ { order }) =>
      pass + 1 < order.passStarts.length ? order.passStarts[pass + 1] - order.passStarts[pass] : 0;
    this.startRun(this.samples.reduce((sum, sample) => sum + span(sample), 0) * channels);
    for (const sample of this.samples) {
      const { tokensByPass, passStarts } = sample.order;
      for (let i = passStarts[pass], end = i + span(sample); i < end; i++) this.addToken(sample, tokensByPass[i], pass);
    }
    decodeRun(this.rans, this.table, this.numbers, this.places, this.buckets, this.length);
  }

  /**
   * List the symbols of a token.
   * @param {Placed} sample
   * @param {number} token within the sample
   * @param {number} pass
   */
  addToken({ order, token: first, block: firstBlock }, token, pass) {
    const { channels, map, isSpectral } = this.model;
    const { numbers, places, sums } = this;
    const degree = order.degree[token];
    if (degree) this.sumNeighbours(order, first, token, degree);
    const rows = this.model.rowsOf(order.band[token]);
    const place = (first + token) * channels;
    const binned = 64 * degree;
    let { length } = this;
    if (!degree && !(pass && this.extents)) {
      for (let channel = 0; channel < channels; channel++, length++) {
        numbers[length] = map[rows[channel]];
        places[length] = place + channel;
      }
    } else if (pass && this.extents) {
      const { extents } = this;
      const rank = order.rank[token];
      const extent = (firstBlock + order.block[token]) * channels;
      for (let channel = 0; channel < channels; channel++) {
        if (extents[extent + channel] < rank) continue;
        const isNear = isSpectral ? extents[extent + channel] !== rank : pass >= LAST_LATTICE_PASSES;
        const context = degree ? (isNear ? NEAR : FAR) + BIN[binned + sums[channel]] : 0;
        numbers[length] = map[rows[channel] + context];
        places[length++] = place + channel;
      }
    } else {
      const near = isSpectral || pass >= LAST_LATTICE_PASSES ? NEAR : FAR;
      for (let channel = 0; channel < channels; channel++, length++) {
        numbers[length] = map[rows[channel] + near + BIN[binned + sums[channel]]];
        places[length] = place + channel;
      }
    }
    this.length = length;
  }

  /**
   * Sums of MAG over a token's neighbours, by channel.
   * @param {import("./order.js").Order} order
   * @param {number} first
   * @param {number} token
   * @param {number} degree
   */
  sumNeighbours(order, first, token, degree) {
    const { channels } = this.model;
    const { buckets, sums } = this;
    const at = (/** @type {number} */ i) => (first + order.neighbours[4 * token + i]) * channels;
    const a = at(0);
    if (degree === 4) {
      const [b, c, d] = [at(1), at(2), at(3)];
      for (let i = 0; i < channels; i++) {
        sums[i] = MAG[buckets[a + i]] + MAG[buckets[b + i]] + MAG[buckets[c + i]] + MAG[buckets[d + i]];
      }
      return;
    }
    for (let i = 0; i < channels; i++) sums[i] = MAG[buckets[a + i]];
    for (let n = 1; n < degree; n++) {
      const b = at(n);
      for (let i = 0; i < channels; i++) sums[i] += MAG[buckets[b + i]];
    }
  }
}
