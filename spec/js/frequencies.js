// The grid transform (section 9.4): frequencies of blocks become values of their tokens.

import { parts } from "./order.js";
import { RowSums } from "./sums.js";

const STRIP = 64;

/** D(n, k, j) by k, then j. @type {Map<number, Float64Array>} */
const cosines = new Map();

/** @param {number} n */
function cosinesOf(n) {
  let out = cosines.get(n);
  if (!out) {
    out = new Float64Array(n * n);
    for (let k = 0; k < n; k++) {
      for (let j = 0; j < n; j++)
        out[k * n + j] = Math.sqrt((k ? 2 : 1) / n) * Math.cos((Math.PI * (2 * j + 1) * k) / (2 * n));
    }
    cosines.set(n, out);
  }
  return out;
}

/**
 * Transform a sample's grid in place.
 * @param {import("./alignment.js").Floats} values `[N, K]` of a chunk @param {number} first the sample's first token
 * @param {import("./layout.js").Grid} grid @param {number} channels K
 */
export function transformGrid(values, first, grid, channels) {
  const { specials, planes, rows, columns } = grid;
  const [rowStarts, columnStarts] = [parts(rows), parts(columns)];
  for (let plane = 0; plane < planes; plane++) {
    for (let i = 0; i + 1 < rowStarts.length; i++) {
      for (let j = 0; j + 1 < columnStarts.length; j++) {
        const height = rowStarts[i + 1] - rowStarts[i];
        const width = columnStarts[j + 1] - columnStarts[j];
        if (height * width <= 1) continue; // wave(1, 0, 0) is 1
        const corner = first + specials + (plane * rows + rowStarts[i]) * columns + columnStarts[j];
        for (let strip = 0; strip < channels; strip += STRIP) {
          const block = new Block(values, corner * channels + strip, columns * channels, channels, height, width);
          block.transform(Math.min(STRIP, channels - strip));
        }
      }
    }
  }
}

/** Some channels of a block of coefficients, which lie in rows of the chunk's values. */
class Block {
  /**
   * @param {import("./alignment.js").Floats} values
   * @param {number} at of the block's head
   * @param {number} down to the next
   * row @param {number} right to the next column @param {number} height @param {number} width
   */
  constructor(values, at, down, right, height, width) {
    this.values = values;
    this.at = at;
    this.down = down;
    this.right = right;
    this.height = height;
    this.width = width;
  }

  /** @param {number} length channels */
  transform(length) {
    const { values, at, down, right, height, width } = this;
    const rows = new RowSums(length, Math.max(height, width));
    const half = new /** @type {any} */ (values.constructor)(height * width * length);
    const columns = [];
    for (let v = 0; v < width; v++) {
      const used = [];
      for (let u = 0; u < height; u++) if (!isZero(values, at + u * down + v * right, length)) used.push(u);
      if (!used.length) continue;
      columns.push(v);
      used.forEach((u, i) => (rows.places[i] = at + u * down + v * right));
      invert(rows, values, used, height, length, (sum, y) => half.set(sum, (y * width + v) * length));
    }
    for (let y = 0; y < height; y++) {
      columns.forEach((v, i) => (rows.places[i] = (y * width + v) * length));
      invert(rows, half, columns, width, length, (sum, x) => values.set(sum, at + y * down + x * right));
    }
  }
}

/**
 * The inverse of one axis: from coefficients at `rows.places`, of the frequencies in `used`, to all its values.
 * @param {RowSums} rows
 * @param {import("./alignment.js").Floats} values
 * @param {number[]} used
 * @param {number} size of the
 * axis @param {number} length of rows @param {(sum: Float64Array, place: number) => void} store
 */
function invert(rows, values, used, size, length, store) {
  const {
    sums,
    weights: [v, w],
  } = rows;
  const factors = cosinesOf(size);
  for (let place = 0; place < size; place += 2) {
    const hasSecond = place + 1 < size;
    for (let i = 0; i < used.length; i++) {
      v[i] = factors[used[i] * size + place];
      w[i] = hasSecond ? factors[used[i] * size + place + 1] : 0;
    }
    rows.find(values, used.length, length);
    store(sums[0], place);
    if (hasSecond) store(sums[1], place + 1);
  }
}

/** @param {import("./alignment.js").Floats} values @param {number} at @param {number} length */
function isZero(values, at, length) {
  for (let i = at; i < at + length; i++) if (values[i] !== 0) return false;
  return true;
}
