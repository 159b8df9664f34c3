// Order (section 9.1): the pass, band, rank, block and neighbours of every token of a grid.

const SPECIAL_BANDS = [14, 15];
const STARTS = [0, 1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96];
const PART = 64;
const SQUARE = 8;

/** Band by distance u + v from a block's head, which is at most 126. */
const BANDS = Uint8Array.from(
  { length: 2 * PART },
  (_, distance) => STARTS.filter((start) => start <= distance).length - 1,
);

/**
 * The order of a grid's tokens, numbered within their sample, special ones first.
 * @typedef {object} Order
 * @property {number} tokens
 * @property {Uint8Array} pass
 * @property {Uint8Array} band
 * @property {Uint8Array} rank
 * @property {Uint8Array} degree number of neighbours
 * @property {Int32Array} neighbours four places a token
 * @property {Int32Array} block number of the token's block, -1 without one
 * @property {Int32Array} heads token by block
 * @property {Int32Array} tokensByPass pass 0 by token, the others by block, then by token
 * @property {Int32Array} passStarts where each pass starts in `tokensByPass`, and its end
 */

/** @param {import("./layout.js").Grid} grid @param {boolean} isSpectral @returns {Order} */
export function orderOf(grid, isSpectral) {
  const { specials, planes, rows, columns } = grid;
  const tokens = specials + planes * rows * columns;
  const order = {
    tokens,
    pass: new Uint8Array(tokens),
    band: new Uint8Array(tokens),
    rank: new Uint8Array(tokens),
    degree: new Uint8Array(tokens),
    neighbours: new Int32Array(4 * tokens),
    block: new Int32Array(tokens).fill(-1),
    heads: new Int32Array(0),
    tokensByPass: new Int32Array(0),
    passStarts: new Int32Array(0),
  };
  for (let i = 0; i < specials; i++) order.band[i] = SPECIAL_BANDS[Math.min(i, 1)];
  if (isSpectral) orderSpectral(order, grid);
  else orderInterlaced(order, grid);
  sortByPass(order);
  return order;
}

/** Where the parts of an axis start, and its end [CAUF-0224]. @param {number} size @returns {Int32Array} */
export function parts(size) {
  const count = Math.max(1, Math.ceil(size / PART));
  return Int32Array.from({ length: count + 1 }, (_, i) => Math.floor((i * size) / count));
}

/** Number by place of the part that it lies in. @param {Int32Array} starts */
function partOf(starts) {
  const out = new Int32Array(starts[starts.length - 1]);
  for (let i = 0; i + 1 < starts.length; i++) out.fill(i, starts[i], starts[i + 1]);
  return out;
}

/** @param {Order} order @param {import("./layout.js").Grid} grid */
function orderSpectral(order, { specials, planes, rows, columns }) {
  const rowStarts = parts(rows);
  const columnStarts = parts(columns);
  const rowPart = partOf(rowStarts);
  const columnPart = partOf(columnStarts);
  const blocks = new Blocks(order, (rowStarts.length - 1) * (columnStarts.length - 1) * planes);
  let token = specials;
  for (let plane = 0; plane < planes; plane++) {
    for (let y = 0; y < rows; y++) {
      const u = y - rowStarts[rowPart[y]];
      for (let x = 0; x < columns; x++, token++) {
        const v = x - columnStarts[columnPart[x]];
        const block = (plane * (rowStarts.length - 1) + rowPart[y]) * (columnStarts.length - 1) + columnPart[x];
        blocks.add(token, block, u + v === 0);
        order.pass[token] = u + v;
        order.band[token] = order.rank[token] = BANDS[u + v];
        if (u >= 1) addNeighbour(order, token, token - columns);
        if (v >= 1) addNeighbour(order, token, token - 1);
        if (u >= 1 && v >= 1) addNeighbour(order, token, token - columns - 1);
        if (u >= v && u >= 2) addNeighbour(order, token, token - 2 * columns);
        if (u < v && v >= 2) addNeighbour(order, token, token - 2);
      }
    }
  }
  blocks.finish();
}

/** @param {Order} order @param {import("./layout.js").Grid} grid */
function orderInterlaced(order, { specials, planes, rows, columns }) {
  const height = planes * rows;
  const across = Math.ceil(columns / SQUARE);
  const blocks = new Blocks(order, Math.ceil(height / SQUARE) * across);
  let token = specials;
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < columns; x++, token++) {
      blocks.add(token, Math.floor(y / SQUARE) * across + Math.floor(x / SQUARE), !((y | x) % SQUARE));
      const step = (y | x) % SQUARE ? (y | x) & -(y | x) : 0; // the largest power of two that divides both
      if (!step) continue;
      const isDiagonal = (y & step) !== 0 && (x & step) !== 0;
      order.pass[token] = (step === 4 ? 1 : step === 2 ? 3 : 5) + (isDiagonal ? 0 : 1);
      order.rank[token] = 1;
      const [up, down, before, behind] = [y >= step, y + step < height, x >= step, x + step < columns];
      const row = step * columns;
      if (isDiagonal) {
        if (up && before) addNeighbour(order, token, token - row - step);
        if (up && behind) addNeighbour(order, token, token - row + step);
        if (down && before) addNeighbour(order, token, token + row - step);
        if (down && behind) addNeighbour(order, token, token + row + step);
      } else {
        if (up) addNeighbour(order, token, token - row);
        if (down) addNeighbour(order, token, token + row);
        if (before) addNeighbour(order, token, token - step);
        if (behind) addNeighbour(order, token, token + step);
      }
    }
  }
  blocks.finish();
}

/** @param {Order} order @param {number} token @param {number} neighbour */
function addNeighbour(order, token, neighbour) {
  order.neighbours[4 * token + order.degree[token]++] = neighbour;
}

/** Blocks as they are met; those of one token are none [CAUF-0219]. */
class Blocks {
  /** @param {Order} order @param {number} count */
  constructor(order, count) {
    this.order = order;
    this.sizes = new Int32Array(count);
    this.heads = new Int32Array(count);
  }

  /** @param {number} token @param {number} block @param {boolean} isHead */
  add(token, block, isHead) {
    this.order.block[token] = block;
    this.sizes[block]++;
    if (isHead) this.heads[block] = token;
  }

  finish() {
    const { order, sizes, heads } = this;
    const numbers = new Int32Array(sizes.length).fill(-1);
    let count = 0;
    for (let block = 0; block < sizes.length; block++) if (sizes[block] > 1) numbers[block] = count++;
    order.heads = new Int32Array(count);
    for (let block = 0; block < sizes.length; block++)
      if (numbers[block] >= 0) order.heads[numbers[block]] = heads[block];
    for (let token = 0; token < order.tokens; token++) {
      if (order.block[token] >= 0) order.block[token] = numbers[order.block[token]];
    }
  }
}

/** @param {Order} order */
function sortByPass(order) {
  const { tokens, pass, block } = order;
  const byBlock = countingSort(
    tokens,
    (i) => i,
    (token) => block[token] + 1,
    order.heads.length + 1,
  ).sorted;
  // Tokens of pass 0 go by token: heads do anyway, and those without a block are none of another pass.
  const last = pass.reduce((a, b) => Math.max(a, b), 0);
  const { sorted, starts } = countingSort(
    tokens,
    (i) => byBlock[i],
    (token) => pass[token],
    last + 1,
  );
  sorted.subarray(0, starts[1]).sort();
  order.tokensByPass = sorted;
  order.passStarts = starts;
}

/**
 * @param {number} count @param {(i: number) => number} item @param {(item: number) => number} key @param {number} keys
 */
function countingSort(count, item, key, keys) {
  const starts = new Int32Array(keys + 1);
  for (let i = 0; i < count; i++) starts[key(item(i)) + 1]++;
  for (let i = 0; i < keys; i++) starts[i + 1] += starts[i];
  const next = starts.slice();
  const sorted = new Int32Array(count);
  for (let i = 0; i < count; i++) sorted[next[key(item(i))]++] = item(i);
  return { sorted, starts };
}
