// The transform codec (section 9): symbols of a matrix, and the aligned values that they stand for.

import { basisOf } from "./basis.js";
import { scaleOf } from "./codes.js";
import { decodeBuckets } from "./contexts.js";
import { malformed } from "./errors.js";
import { bits } from "./fields.js";
import { transformGrid } from "./frequencies.js";
import { Float, isInteger } from "./msgpack.js";
import { orderOf } from "./order.js";
import { decodeExtraBits } from "./symbols.js";
import { TableSet } from "./tables.js";
import { UNIVERSAL_MAP, UNIVERSAL_TABLES } from "./universal.js";

const SPECTRAL = 1;
const EXTENTS = 2;
const DEPENDENT = 4;
const BANDS = 16;
const CONTEXTS = 40;
const TABLE_SIZE = 64;
const MOST_TABLES = 256;
const MOST_ROWS = 48;
const MOST_ORDERS = 64;
const UNIVERSAL = new TableSet(UNIVERSAL_TABLES);
const NO_LEVELS = new Int8Array(BANDS);

/** What decodes one tensor of codec 1. */
export class Transform {
  /**
   * @param {import("./records.js").TensorRecord} record of the leader
   * @param {import("./sections.js").Sections} sections
   * @param {number} channels C of the stack @param {number} gain
   */
  constructor(record, sections, channels, gain) {
    const { number } = record;
    const { step, shift, flags, level } = parametersOf(record);
    this.isSpectral = (flags & SPECTRAL) !== 0;
    this.hasExtents = (flags & EXTENTS) !== 0;
    this.isDependent = (flags & DEPENDENT) !== 0;
    this.shift = shift;
    this.basis = basisOf(sections, number, channels);
    /** Coefficients K. */
    this.channels = this.basis?.size ?? channels;
    const levels = levelsOf(sections, number, 3, this.channels) ?? new Int8Array(this.channels);
    const bandLevels = levelsOf(sections, number, 6, BANDS) ?? NO_LEVELS;
    const bandSteps = levelsOf(sections, number, 7, BANDS) ?? NO_LEVELS;
    this.steps = Float64Array.from(bandSteps, (code) => Math.fround(step * gain * scaleOf(code)));
    if (this.steps.some((value) => !(value > 0 && value < Infinity))) {
      throw malformed(221, `tensor ${number} has a step that is 0 or infinite`);
    }
    const { map, tables } = tablesOf(sections, number);
    this.map = map;
    this.tables = tables;
    this.level = level;
    this.levels = levels;
    this.bandLevels = bandLevels;
    /** What `rowsOf` has found, by band. @type {Uint16Array[]} */
    this.rows = [];
    /** @type {Map<string, import("./order.js").Order>} */
    this.orders = new Map();
  }

  /** @param {number} tokens */
  products(tokens) {
    return tokens * (this.basis?.products ?? 0);
  }

  latents() {
    return 0;
  }

  /**
   * Where in S5 the row of each channel's class starts.
   * @param {number} band
   */
  rowsOf(band) {
    const { map, level, levels, bandLevels, rows } = this;
    const last = map.length / CONTEXTS - 1;
    rows[band] ??= Uint16Array.from(levels, (own) => {
      return CONTEXTS * Math.max(0, Math.min(last, level + own + bandLevels[band]));
    });
    return rows[band];
  }

  /** @param {import("./layout.js").Grid} grid */
  orderOf(grid) {
    const key = `${grid.specials} ${grid.planes} ${grid.rows} ${grid.columns}`;
    let order = this.orders.get(key);
    if (!order) {
      if (this.orders.size === MOST_ORDERS) this.orders.clear();
      order = orderOf(grid, this.isSpectral);
      this.orders.set(key, order);
    }
    return order;
  }

  /**
   * @param {import("./entropy.js").Rans} rans @param {import("./layout.js").Matrix[]} matrices of samples
   * @returns {Int32Array} `[N, K]`
   */
  decodeSymbols(rans, matrices) {
    const next = { token: 0, block: 0 };
    const placed = matrices.map((matrix) => {
      const order = this.orderOf(matrix.grid());
      const { token, block } = next;
      next.token += order.tokens;
      next.block += order.heads.length;
      return { order, token, block };
    });
    return decodeExtraBits(rans, decodeBuckets(rans, this, placed));
  }

  /**
   * Aligned values `[N, C]`.
   * @param {Int32Array} symbols
   * @param {import("./layout.js").Matrix[]} matrices
   * @param {any} working array of the working float
   * @returns {import("./alignment.js").Floats}
   */
  reconstruct(symbols, matrices, working) {
    const values = new working(symbols.length);
    let token = 0;
    for (const matrix of matrices) {
      const grid = matrix.grid();
      const { band } = this.orderOf(grid);
      for (let i = 0; i < matrix.tokens; i++) this.#scale(symbols, values, token + i, this.steps[band[i]]);
      if (this.isSpectral) transformGrid(values, token, grid, this.channels);
      token += matrix.tokens;
    }
    return this.basis ? this.basis.apply(values) : values;
  }

  /**
   * What a token's symbols stand for [CAUF-0220].
   * @param {Int32Array} symbols
   * @param {import("./alignment.js").Floats} values
   * @param {number} token
   * @param {number} step
   */
  #scale(symbols, values, token, step) {
    const { channels, shift, isDependent } = this;
    const parities = [0, 0]; // of the indices of even and of odd channels so far
    for (let channel = 0, at = token * channels; channel < channels; channel++, at++) {
      const symbol = symbols[at];
      const index = (symbol >>> 1) ^ -(symbol & 1);
      const half = parities[(channel & 1) ^ 1];
      if (isDependent) parities[channel & 1] ^= index & 1;
      if (index === 0) continue;
      values[at] = index;
      const added = isDependent && half ? shift - 32 : shift;
      if (added !== 0) values[at] += (index < 0 ? -added : added) / 64;
      values[at] *= step;
    }
  }
}

/** @param {import("./records.js").TensorRecord} record [CAUF-0201] */
function parametersOf(record) {
  if (record.parameters.length !== 4) throw malformed(201, `tensor ${record.number} has not four parameters`);
  const [step, shift, flags, level] = record.parameters;
  if (!(step instanceof Float)) throw malformed(201, "a step that is no float");
  if (!isInteger(shift) || !isInteger(level)) throw malformed(201, "a shift or a level that is no integer");
  const known = bits(flags, 201, "flags of the transform", SPECTRAL | EXTENTS | DEPENDENT);
  if (!(step.value > 0)) throw malformed(201, "a step that is not above 0");
  if (shift < -32 || shift > 32) throw malformed(201, "a shift that is not -32 to 32");
  if (level < -255 || level > 255) throw malformed(201, "a level that is not -255 to 255");
  return { step: step.value, shift: Number(shift), flags: known, level: Number(level) };
}

/**
 * @param {import("./sections.js").Sections} sections
 * @param {number} tensor
 * @param {number} type
 * @param {number} length
 */
function levelsOf(sections, tensor, type, length) {
  const levels = sections.get(tensor, type);
  if (levels && levels.length !== length) {
    throw malformed(204, `section ${type} of tensor ${tensor} has ${levels.length} elements, not ${length}`);
  }
  return levels;
}

/** @param {import("./sections.js").Sections} sections @param {number} tensor */
function tablesOf(sections, tensor) {
  const levels = sections.get(tensor, 4);
  const map = sections.get(tensor, 5);
  if (!levels && !map) return { map: UNIVERSAL_MAP, tables: UNIVERSAL };
  if (!levels) throw malformed(203, `tensor ${tensor} has a context map without tables`);
  if (levels.length % TABLE_SIZE || levels.length > MOST_TABLES * TABLE_SIZE) {
    throw malformed(203, `tensor ${tensor} has ${levels.length} levels of tables`);
  }
  const tables = new TableSet(levels).check();
  if (!map || map.length % CONTEXTS || map.length > MOST_ROWS * CONTEXTS) {
    throw malformed(216, `tensor ${tensor} has a context map of ${map?.length ?? 0} numbers`);
  }
  if (map.some((/** @type {number} */ table) => table >= tables.count))
    throw malformed(216, "a table that does not exist");
  return { map, tables };
}
