// Sums of rows with weights, which the grid transform and bases are made of.

/**
 * Add rows times their weights: `sum[c] += weights[i] * rows[places[i] + c]`. In `f64`, so that no order matters much.
 * @param {Float64Array} sum @param {number} length of a row
 * @param {import("./alignment.js").Floats} rows @param {Int32Array} places @param {Float64Array} weights
 * @param {number} count of rows
 */
export function addRows(sum, length, rows, places, weights, count) {
  let i = 0;
  for (; i + 4 <= count; i += 4) {
    const [p, q, r, s] = [places[i], places[i + 1], places[i + 2], places[i + 3]];
    const [a, b, c, d] = [weights[i], weights[i + 1], weights[i + 2], weights[i + 3]];
    for (let j = 0; j < length; j++) {
      sum[j] += a * rows[p + j] + b * rows[q + j] + (c * rows[r + j] + d * rows[s + j]);
    }
  }
  for (; i < count; i++) {
    const p = places[i];
    const a = weights[i];
    for (let j = 0; j < length; j++) sum[j] += a * rows[p + j];
  }
}
