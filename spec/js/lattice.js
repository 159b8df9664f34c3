// Elements on grids (section 11, order): the passes in which planes 0 and 1 are decoded.

import { malformed } from "./errors.js";

/**
 * Elements of a pass in their order, with the places of their two neighbours; the first pass has none.
 * @typedef {{ places: Int32Array, before: Int32Array, behind: Int32Array, isFirst: boolean }} Pass
 */

const NONE = new Int32Array(0);

/** Elements `[outer, rows, columns, inner]` in C order; passes go through them as `[rows, columns, outer, inner]`. */
export class Lattice {
  /** @param {number} count @param {[number, number, number] | null} sizes rows, columns, inner; null without grids */
  constructor(count, sizes) {
    const [rows, columns, inner] = sizes ?? [1, 1, 1];
    const cell = rows * columns * inner;
    if (sizes && (cell < 1 || cell > count || count % cell || rows * columns < 2)) {
      throw malformed(317, `grids of ${sizes.join(" x ")} for ${count} elements`);
    }
    this.rows = rows;
    this.columns = columns;
    this.inner = inner;
    this.outer = count / cell;
  }

  /** All elements as one pass. @returns {Pass} */
  whole() {
    return { places: this.#places(0, 1, 0, 1), before: NONE, behind: NONE, isFirst: true };
  }

  /** @returns {Generator<Pass>} */
  *passes() {
    const { rows, columns, inner } = this;
    yield { places: this.#places(0, rows, 0, columns), before: NONE, behind: NONE, isFirst: true };
    let step = 1;
    while (step < rows || step < columns) step *= 2;
    for (; step > 1; step /= 2) {
      const half = step / 2;
      if (half < columns) {
        const places = this.#places(0, step, half, step);
        yield this.#withNeighbours(
          places,
          half * inner,
          (place) => (Math.floor(place / inner) % columns) + half < columns,
        );
      }
      if (half < rows) {
        const places = this.#places(half, step, 0, half);
        const row = columns * inner;
        yield this.#withNeighbours(places, half * row, (place) => (Math.floor(place / row) % rows) + half < rows);
      }
    }
  }

  /**
   * Places of elements in some rows and columns.
   * @param {number} row first one
   * @param {number} down
   * @param {number} column
   * @param {number} right
   */
  #places(row, down, column, right) {
    const { rows, columns, inner, outer } = this;
    const out = new Int32Array(Math.ceil((rows - row) / down) * Math.ceil((columns - column) / right) * outer * inner);
    let length = 0;
    for (let r = row; r < rows; r += down) {
      for (let q = column; q < columns; q += right) {
        for (let a = 0; a < outer; a++) {
          const start = ((a * rows + r) * columns + q) * inner;
          for (let i = 0; i < inner; i++) out[length++] = start + i;
        }
      }
    }
    return out;
  }

  /** @param {Int32Array} places @param {number} far @param {(place: number) => boolean} hasBehind @returns {Pass} */
  #withNeighbours(places, far, hasBehind) {
    const before = new Int32Array(places.length);
    const behind = new Int32Array(places.length);
    for (let i = 0; i < places.length; i++) {
      before[i] = places[i] - far;
      behind[i] = hasBehind(places[i]) ? places[i] + far : before[i];
    }
    return { places, before, behind, isFirst: false };
  }
}
