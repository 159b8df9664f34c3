// Pictures of samples: tokens by channels, or one channel of a grid.

import { Matrix, parseLayout } from "./layout.js";

const LARGEST_SIDE = 4096;
const WIDEST = 960;
const TALLEST = 600;

/** Colours from low to high, as red, green and blue: of even steps in lightness, for any kind of eye. */
const RAMP = [
  [13, 8, 65],
  [49, 18, 117],
  [90, 26, 134],
  [131, 38, 129],
  [171, 56, 112],
  [206, 81, 85],
  [233, 116, 53],
  [248, 161, 27],
  [248, 210, 60],
  [252, 253, 191],
];

/** @param {number} share 0 to 1 @returns {number[]} */
export function colour(share) {
  const at = Math.min(1, Math.max(0, share)) * (RAMP.length - 1);
  const i = Math.min(RAMP.length - 2, Math.floor(at));
  return RAMP[i].map((value, part) => value + (RAMP[i + 1][part] - value) * (at - i));
}

/**
 * Rows and columns of a picture, and the number that stands at each.
 * @typedef {{ rows: number, columns: number, value: (row: number, column: number) => number, caption: string,
 *   channels: number, isSquare: boolean }} Plan with the channels to choose from, 0 where all are shown
 */

/**
 * @param {{ shape: number[] }} array @param {Float64Array} values of it @param {string | null} layout
 * @param {number | null} channel of a grid that is shown; null for the one that varies most
 * @returns {Plan & { channel: number }}
 */
export function planOf({ shape }, values, layout, channel) {
  if (!layout) {
    const columns = shape.at(-1) ?? 1;
    const rows = columns ? values.length / columns : 0;
    const caption = `all axes but the last (down) by the last one (right), ${rows} x ${columns}`;
    return {
      rows,
      columns,
      value: (row, column) => values[row * columns + column],
      caption,
      channels: 0,
      channel: 0,
      isSquare: false,
    };
  }
  const matrix = new Matrix(parseLayout(layout), shape);
  const [tokens, channels] = [matrix.tokenPlaces(), matrix.channelPlaces()];
  const grid = matrix.grid();
  const rows = grid.planes * grid.rows;
  if (rows > 1 && grid.columns > 1 && channels.length) {
    const chosen = Math.min(channel ?? mostVaried(values, tokens, channels), channels.length - 1);
    const value = (/** @type {number} */ row, /** @type {number} */ column) =>
      values[channels[chosen] + tokens[grid.specials + row * grid.columns + column]];
    const specials = grid.specials ? `, without ${grid.specials} special tokens` : "";
    const caption = `channel ${chosen} on its grid of ${rows} x ${grid.columns}${specials}`;
    return { rows, columns: grid.columns, value, caption, channels: channels.length, channel: chosen, isSquare: true };
  }
  const caption = `tokens (down) by channels (right), ${tokens.length} x ${channels.length}`;
  const value = (/** @type {number} */ row, /** @type {number} */ column) => values[tokens[row] + channels[column]];
  return { rows: tokens.length, columns: channels.length, value, caption, channels: 0, channel: 0, isSquare: false };
}

/** @param {Float64Array} values @param {Int32Array} tokens @param {Int32Array} channels */
function mostVaried(values, tokens, channels) {
  let [best, most] = [0, -1];
  channels.forEach((place, channel) => {
    let [sum, squares] = [0, 0];
    for (const token of tokens) {
      sum += values[place + token];
      squares += values[place + token] ** 2;
    }
    const variation = squares - sum ** 2 / tokens.length;
    if (variation > most) [best, most] = [channel, variation];
  });
  return best;
}

/** The 1st and 99th percentile of what is finite. @param {Float64Array} values @returns {[number, number]} */
export function range(values) {
  const sorted = values.filter(Number.isFinite).sort();
  if (!sorted.length) return [0, 0];
  return [sorted[Math.floor(0.01 * (sorted.length - 1))], sorted[Math.ceil(0.99 * (sorted.length - 1))]];
}

/** @param {HTMLCanvasElement} canvas @param {Plan} plan @param {[number, number]} ends of colours */
export function paint(canvas, { rows, columns, value, isSquare }, [low, high]) {
  const [down, across] = [rows, columns].map((size) => Math.max(1, Math.ceil(size / LARGEST_SIDE)));
  canvas.width = Math.max(1, Math.ceil(columns / across));
  canvas.height = Math.max(1, Math.ceil(rows / down));
  const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
  const image = context.createImageData(canvas.width, canvas.height);
  for (let y = 0, at = 0; y < canvas.height; y++) {
    for (let x = 0; x < canvas.width; x++, at += 4) {
      const number = rows && columns ? value(y * down, x * across) : NaN;
      const shown = Number.isNaN(number) ? [128, 128, 128] : colour(high > low ? (number - low) / (high - low) : 0.5);
      image.data.set([...shown, 255], at);
    }
  }
  context.putImageData(image, 0, 0);
  const scales = [WIDEST / canvas.width, TALLEST / canvas.height].map((scale) =>
    Math.min(32, scale < 1 ? 1 : Math.floor(scale)),
  );
  const [wide, tall] = isSquare ? [Math.min(...scales), Math.min(...scales)] : scales;
  canvas.style.width = `${canvas.width * wide}px`;
  canvas.style.height = `${canvas.height * tall}px`;
}
