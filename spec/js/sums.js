// Sums of rows with weights, which the grid transform and bases are made of.

const STEP = 4;

/**
 * Two sums over the same rows, taken at once: most time goes into reading rows. Sums are of 64 bits, so that no order
 * matters much.
 */
export class RowSums {
  /** @param {number} length of a row @param {number} most rows of a sum */
  constructor(length, most) {
    const room = most + STEP - 1;
    this.sums = [new Float64Array(length), new Float64Array(length)];
    /** Where each row starts. */
    this.places = new Int32Array(room);
    this.weights = [new Float64Array(room), new Float64Array(room)];
  }

  /**
   * Find `sums[n][j]`, the sum of `weights[n][i] * rows[places[i] + j]` over rows.
   * @param {import("./alignment.js").Floats} rows @param {number} count of rows @param {number} length of a row
   */
  find(rows, count, length) {
    const { places, sums, weights } = this;
    sums[0].fill(0);
    sums[1].fill(0);
    for (let i = count; i % STEP; i++) {
      places[i] = places[0];
      weights[0][i] = weights[1][i] = 0;
    }
    for (let i = 0; i < count; i += STEP) addFour(sums[0], sums[1], rows, places, weights[0], weights[1], i, length);
  }
}

/**
 * Add four rows to both sums.
 * @param {Float64Array} first @param {Float64Array} second @param {import("./alignment.js").Floats} rows
 * @param {Int32Array} places @param {Float64Array} v @param {Float64Array} w @param {number} i @param {number} length
 */
function addFour(first, second, rows, places, v, w, i, length) {
  const a = places[i];
  const b = places[i + 1];
  const c = places[i + 2];
  const d = places[i + 3];
  const va = v[i];
  const vb = v[i + 1];
  const vc = v[i + 2];
  const vd = v[i + 3];
  const wa = w[i];
  const wb = w[i + 1];
  const wc = w[i + 2];
  const wd = w[i + 3];
  for (let j = 0; j < length; j++) {
    const p = rows[a + j];
    const q = rows[b + j];
    const r = rows[c + j];
    const s = rows[d + j];
    first[j] += va * p + vb * q + (vc * r + vd * s);
    second[j] += wa * p + wb * q + (wc * r + wd * s);
  }
}
