// The hyperprior codec (section 14): latents of tiles of a chunk's plane, and the aligned values made of them.

import { addBlocks, conv, deconv, newMaps, norm } from "./convolution.js";
import { decodeRun } from "./entropy.js";
import { malformed } from "./errors.js";
import { isInteger } from "./msgpack.js";
import { decodeExtraBits } from "./symbols.js";

const TILE_ROWS = 512;
const TILE_COLUMNS = 2048;
const BLOCK = 16;
const LARGEST_HYPER_SYMBOL = 65534;
const LARGEST_OUTPUT = 65535;
const LARGEST_INDEX = 63;

/**
 * A tile of a plane, with the rows and columns of its latents and hyper-latents.
 * @typedef {object} Tile
 * @property {number} top
 * @property {number} left
 * @property {number} height
 * @property {number} width
 * @property {[number, number]} latents
 * @property {[number, number]} hyper
 */

/** What decodes one tensor of codec 2. */
export class Hyperprior {
  /**
   * @param {import("./records.js").TensorRecord} record @param {import("./weights.js").Weights} weights
   * @param {number} channels C of the stack
   */
  constructor(record, weights, channels) {
    const [rate] = record.parameters;
    if (record.parameters.length !== 1 || !isInteger(rate) || rate < 0 || rate >= weights.rates) {
      throw malformed(400, `tensor ${record.number} has not one parameter of 0 to ${weights.rates - 1}`);
    }
    this.rate = Number(rate);
    this.weights = weights;
    this.channels = channels;
  }

  /** @param {number} tokens */
  products(tokens) {
    const { width: n, latents: M } = this.weights;
    const [u, v] = [16, 64].map((size) => Math.ceil(tokens / size) * Math.ceil(this.channels / size));
    return u * (25 * M * n + 584 * n * n + 1600 * n + 256 * M) + v * (125 * n * n + 144 * M * n);
  }

  /** Latents and hyper-latents. @param {number} tokens */
  latents(tokens) {
    const { width: n, latents: M } = this.weights;
    const [u, v] = [16, 64].map((size) => Math.ceil(tokens / size) * Math.ceil(this.channels / size));
    return u * M + v * n;
  }

  /** Tiles, from left to right, then downwards [CAUF-0410]. @param {number} tokens @returns {Tile[]} */
  tiles(tokens) {
    const out = [];
    for (let top = 0; top < tokens; top += TILE_ROWS) {
      for (let left = 0; left < this.channels; left += TILE_COLUMNS) {
        const height = Math.min(TILE_ROWS, tokens - top);
        const width = Math.min(TILE_COLUMNS, this.channels - left);
        const latents = /** @type {[number, number]} */ ([Math.ceil(height / BLOCK), Math.ceil(width / BLOCK)]);
        const hyper = /** @type {[number, number]} */ (latents.map((size) => Math.ceil(size / 4)));
        out.push({ top, left, height, width, latents, hyper });
      }
    }
    return out;
  }

  /**
   * Symbols of hyper-latents, then of latents [CAUF-0411].
   * @param {import("./entropy.js").Rans} rans @param {unknown} _ @param {number} tokens N
   */
  decodeSymbols(rans, _, tokens) {
    const { weights } = this;
    const { width: n, latents: M } = weights;
    const tiles = this.tiles(tokens);
    const hyperCount = tiles.reduce((sum, { hyper }) => sum + n * hyper[0] * hyper[1], 0);
    const rows = new Uint16Array(hyperCount);
    let at = 0;
    for (const { hyper } of tiles) {
      for (let channel = 0; channel < n; channel++) {
        rows.fill(this.rate * n + channel, at, (at += hyper[0] * hyper[1]));
      }
    }
    const hyper = decodeSymbols(rans, weights.hyperTables, rows);
    for (let i = 0; i < hyper.length; i++) {
      if (hyper[i] > LARGEST_HYPER_SYMBOL) throw malformed(413, `a hyper-latent's symbol of ${hyper[i]}`);
    }
    const count = tiles.reduce((sum, { latents }) => sum + M * latents[0] * latents[1], 0);
    const indexes = new Uint8Array(count);
    at = 0;
    let start = 0;
    for (const tile of tiles) {
      const size = n * tile.hyper[0] * tile.hyper[1];
      const found = this.#scaleIndexes(hyper.subarray(start, start + size), tile);
      indexes.set(found, at);
      start += size;
      at += found.length;
    }
    const latents = decodeSymbols(rans, weights.latentTables, indexes);
    const out = new Int32Array(hyperCount + count);
    out.set(hyper);
    out.set(latents, hyperCount);
    return out;
  }

  /**
   * Scale index of every latent of a tile [CAUF-0414].
   * @param {Int32Array} symbols of its hyper-latents
   * @param {Tile} tile
   */
  #scaleIndexes(symbols, { latents, hyper }) {
    let maps = newMaps(this.weights.width, hyper[0], hyper[1]);
    for (let i = 0; i < symbols.length; i++) maps.data[i] = unfold(symbols[i]);
    const [first, second, third] = this.weights.hyperLayers;
    for (const layer of [first, second]) {
      maps = deconv(maps, layer.kernels, roundedBiases(layer));
      shiftRight(maps, layer.shifts, LARGEST_OUTPUT);
    }
    maps = conv(maps, third.kernels, roundedBiases(third));
    shiftRight(maps, third.shifts, LARGEST_INDEX);
    const out = new Uint8Array(maps.channels * latents[0] * latents[1]);
    for (let m = 0, at = 0; m < maps.channels; m++) {
      for (let y = 0; y < latents[0]; y++) {
        for (let x = 0; x < latents[1]; x++) out[at++] = maps.data[(m * maps.height + y) * maps.width + x];
      }
    }
    return out;
  }

  /**
   * Aligned values `[N, C]` [CAUF-0421].
   * @param {Int32Array} symbols
   * @param {import("./layout.js").Matrix[]} matrices
   * @param {any} working array of the working float
   */
  reconstruct(symbols, matrices, working) {
    const { channels } = this;
    const { width: n, latents: M } = this.weights;
    const tokens = matrices.reduce((sum, matrix) => sum + matrix.tokens, 0);
    const values = new working(tokens * channels);
    const tiles = this.tiles(tokens);
    let at = tiles.reduce((sum, { hyper }) => sum + n * hyper[0] * hyper[1], 0);
    for (const tile of tiles) {
      const size = M * tile.latents[0] * tile.latents[1];
      const out = this.#synthesis(symbols.subarray(at, at + size), tile);
      at += size;
      for (let y = 0; y < tile.height; y++) {
        const row = out.data.subarray(y * out.width, y * out.width + tile.width);
        values.set(row, (tile.top + y) * channels + tile.left);
      }
    }
    return values;
  }

  /** @param {Int32Array} symbols of a tile's latents @param {Tile} tile */
  #synthesis(symbols, { latents }) {
    const { layers, inverseGains, latents: M, hasShortcut } = this.weights;
    const input = newMaps(M, latents[0], latents[1]);
    const size = latents[0] * latents[1];
    for (let i = 0; i < symbols.length; i++) {
      const gain = inverseGains[this.rate * M + Math.floor(i / size)];
      input.data[i] = Math.fround(unfold(symbols[i]) * gain);
    }
    let maps = input;
    for (let layer = 0; layer < 7; layer++) {
      const { kernels, biases } = layers[layer];
      maps = layer % 2 ? norm(maps, kernels, biases) : deconv(maps, kernels, biases);
    }
    if (hasShortcut) addBlocks(maps, input, layers[7].kernels);
    return maps;
  }
}

/**
 * @param {import("./entropy.js").Rans} rans
 * @param {import("./tables.js").TableSet} tables
 * @param {any} rows table by symbol
 */
function decodeSymbols(rans, tables, rows) {
  const buckets = new Uint8Array(rows.length);
  decodeRun(rans, (number) => tables.table(number), rows, Int32Array.from(rows.keys()), buckets);
  return decodeExtraBits(rans, buckets);
}

/** The integer of a symbol. @param {number} symbol */
const unfold = (symbol) => (symbol >>> 1) ^ -(symbol & 1);

/** Biases of a layer, with half a unit of what shifting leaves. @param {import("./weights.js").HyperLayer} layer */
const roundedBiases = ({ biases, shifts }) => Float64Array.from(biases, (bias, i) => bias + 2 ** (shifts[i] - 1));

/** @param {import("./convolution.js").Maps} maps @param {Uint8Array} shifts by channel @param {number} largest */
function shiftRight(maps, shifts, largest) {
  const size = maps.height * maps.width;
  for (let i = 0; i < maps.data.length; i++) {
    const value = Math.floor(maps.data[i] / 2 ** shifts[Math.floor(i / size)]);
    maps.data[i] = Math.min(largest, Math.max(0, value));
  }
}
