// Layers of networks (section 14.2), in floats of 64 bits, which are exact for the integers of the hyper-synthesis.

/**
 * Channels of a plane: `[channels, height, width]`.
 * @typedef {{ data: Float64Array, channels: number, height: number, width: number }} Maps
 */

/** @param {number} channels @param {number} height @param {number} width @returns {Maps} */
export const newMaps = (channels, height, width) => ({
  data: new Float64Array(channels * height * width),
  channels,
  height,
  width,
});

/**
 * Twice as many rows and columns, by kernels `[outputs, channels, 5, 5]`.
 * @param {Maps} input @param {ArrayLike<number>} kernels @param {ArrayLike<number>} biases @returns {Maps}
 */
export function deconv(input, kernels, biases) {
  const out = newMaps(biases.length, 2 * input.height, 2 * input.width);
  for (let o = 0, at = 0; o < out.channels; o++) {
    for (let c = 0; c < input.channels; c++) {
      for (let i = -2; i <= 2; i++) {
        for (let j = -2; j <= 2; j++) addProducts(out, o, input, c, kernels[at++], 2, i, j);
      }
    }
  }
  return addBiases(out, biases);
}

/**
 * As many rows and columns, by kernels `[outputs, channels, 3, 3]`.
 * @param {Maps} input @param {ArrayLike<number>} kernels @param {ArrayLike<number>} biases @returns {Maps}
 */
export function conv(input, kernels, biases) {
  const out = newMaps(biases.length, input.height, input.width);
  for (let o = 0, at = 0; o < out.channels; o++) {
    for (let c = 0; c < input.channels; c++) {
      for (let i = 1; i >= -1; i--) {
        for (let j = 1; j >= -1; j--) addProducts(out, o, input, c, kernels[at++], 1, i, j);
      }
    }
  }
  return addBiases(out, biases);
}

/**
 * Add one number of a kernel times an input channel: `out[o, step y + i, step x + j] += factor x[c, y, x]`.
 * @param {Maps} out @param {number} o @param {Maps} input @param {number} c @param {number} factor @param {number} step
 * @param {number} i @param {number} j
 */
function addProducts(out, o, input, c, factor, step, i, j) {
  if (factor === 0) return;
  const { height, width } = input;
  const firstRow = i < 0 ? Math.ceil(-i / step) : 0;
  const firstColumn = j < 0 ? Math.ceil(-j / step) : 0;
  const endRow = Math.min(height, Math.ceil((out.height - i) / step));
  const endColumn = Math.min(width, Math.ceil((out.width - j) / step));
  for (let y = firstRow; y < endRow; y++) {
    const from = (c * height + y) * width;
    const to = (o * out.height + step * y + i) * out.width + j;
    for (let x = firstColumn; x < endColumn; x++) out.data[to + step * x] += factor * input.data[from + x];
  }
}

/** @param {Maps} maps @param {ArrayLike<number>} biases */
function addBiases(maps, biases) {
  const size = maps.height * maps.width;
  for (let o = 0; o < maps.channels; o++) {
    for (let i = o * size; i < (o + 1) * size; i++) maps.data[i] += biases[o];
  }
  return maps;
}

/**
 * Every value times a root of the squares at its place, by kernels `[channels, channels]`.
 * @param {Maps} input @param {ArrayLike<number>} kernels @param {ArrayLike<number>} biases @returns {Maps}
 */
export function norm(input, kernels, biases) {
  const { channels, height, width, data } = input;
  const size = height * width;
  const squares = data.map((value) => value * value);
  const out = newMaps(channels, height, width);
  for (let o = 0; o < channels; o++) {
    const sums = out.data.subarray(o * size, (o + 1) * size).fill(biases[o]);
    for (let c = 0; c < channels; c++) {
      const factor = kernels[o * channels + c];
      for (let i = 0; i < size; i++) sums[i] += factor * squares[c * size + i];
    }
    for (let i = 0; i < size; i++) sums[i] = data[o * size + i] * Math.sqrt(sums[i]);
  }
  return out;
}

/**
 * Add blocks of 16 x 16, one a latent, each as large as the latent at its place.
 * @param {Maps} out one channel @param {Maps} latents @param {ArrayLike<number>} kernels `[M, 16, 16]`
 */
export function addBlocks(out, latents, kernels) {
  const { channels, height, width, data } = latents;
  for (let m = 0; m < channels; m++) {
    for (let y = 0; y < height; y++) {
      for (let x = 0; x < width; x++) {
        const value = data[(m * height + y) * width + x];
        if (value === 0) continue;
        for (let i = 0; i < 256; i++) {
          out.data[(16 * y + (i >> 4)) * out.width + 16 * x + (i & 15)] += kernels[256 * m + i] * value;
        }
      }
    }
  }
}
