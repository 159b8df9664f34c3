// Weights (section 14.2): the networks of the learned codec.

import { malformed } from "./errors.js";
import { bits } from "./fields.js";
import { TableSet } from "./tables.js";

const SHORTCUT = 1;
const WIDEST = 512;
const MOST_RATES = 64;
const LARGEST_SHIFT = 48;
const LATENT_TABLES = 64;
const BLOCK = 16 * 16;
/** Largest inputs of the layers of the hyper-synthesis [CAUF-0406]. */
const LARGEST = [32767, 65535, 65535];

/**
 * A layer: `outputs` kernels of `size` numbers each.
 * @typedef {{ outputs: number, size: number }} Shape
 */

/** Numbers of the codec's networks. */
export class Weights {
  /** @param {import("./sections.js").Sections} sections */
  constructor(sections) {
    const get = (/** @type {number} */ type) => sections.get(0, type);
    const network = get(12);
    if (network?.length !== 4) throw malformed(401, "no network of four numbers");
    const [width, latents, rates, flags] = network;
    this.hasShortcut = (bits(flags, 402, "flags of the network", SHORTCUT) & SHORTCUT) !== 0;
    if (width < 1 || width > WIDEST || latents < 1 || latents > WIDEST || rates < 1 || rates > MOST_RATES) {
      throw malformed(402, `a network of width ${width}, ${latents} latents and ${rates} rates`);
    }
    this.width = width;
    this.latents = latents;
    this.rates = rates;
    const [n, M] = [width, latents];
    const blocks = this.hasShortcut ? [{ outputs: M, size: BLOCK }] : [];
    const norm = { outputs: n, size: n };
    const inner = { outputs: n, size: 25 * n };
    this.synthesisShapes = [
      { outputs: n, size: 25 * M },
      norm,
      inner,
      norm,
      inner,
      norm,
      { outputs: 1, size: 25 * n },
      ...blocks,
    ];
    this.hyperShapes = [inner, inner, { outputs: M, size: 9 * n }];
    const analysis = [
      { outputs: n, size: 25 },
      norm,
      inner,
      norm,
      inner,
      norm,
      { outputs: M, size: 25 * n },
      ...blocks,
    ];
    const hyperAnalysis = [{ outputs: n, size: 9 * M }, inner, inner];
    this.#checkLengths(get, analysis, hyperAnalysis);
    this.inverseGains = floats(get(14));
    this.latentTables = new TableSet(get(15)).check();
    this.hyperTables = new TableSet(get(16)).check();
    this.hyperLayers = hyperLayers(this.hyperShapes, get(17), get(18), get(19));
    this.layers = layers(this.synthesisShapes, get(20), floats(get(21)));
    for (const type of [13, 23, 25]) if (get(type)) floats(get(type));
    for (const layer of [1, 3, 5]) {
      const { kernels, biases } = this.layers[layer];
      if (biases.some((bias) => bias < 0) || kernels.some((number) => number < 0)) {
        throw malformed(405, "a norm of negative numbers");
      }
    }
  }

  /** @param {(type: number) => any} get @param {Shape[]} analysis @param {Shape[]} hyperAnalysis */
  #checkLengths(get, analysis, hyperAnalysis) {
    const { rates, latents, width, synthesisShapes, hyperShapes } = this;
    const optional = [13, 22, 23, 24, 25];
    const wanted = [
      [13, rates * latents],
      [14, rates * latents],
      [15, LATENT_TABLES * 64],
      [16, rates * width * 64],
      [17, numbersOf(hyperShapes)],
      [18, outputsOf(hyperShapes)],
      [19, outputsOf(hyperShapes)],
      [20, numbersOf(synthesisShapes)],
      [21, 2 * outputsOf(synthesisShapes)],
      [22, numbersOf(analysis)],
      [23, 2 * outputsOf(analysis)],
      [24, numbersOf(hyperAnalysis)],
      [25, 2 * outputsOf(hyperAnalysis)],
    ];
    const hasAnalysis = optional.some((type) => get(type));
    for (const [type, length] of wanted) {
      const found = get(type)?.length ?? 0;
      if (found !== length && (found || hasAnalysis || !optional.includes(type))) {
        throw malformed(403, `section ${type} of the weights has ${found} elements, not ${length}`);
      }
    }
  }
}

/** @param {Shape[]} shapes */
const numbersOf = (shapes) => shapes.reduce((sum, { outputs, size }) => sum + outputs * size, 0);
/** @param {Shape[]} shapes */
const outputsOf = (shapes) => shapes.reduce((sum, { outputs }) => sum + outputs, 0);

/** @param {Int32Array} words bits of `f32` @returns {Float32Array} */
function floats(words) {
  const out = new Float32Array(words.buffer, words.byteOffset, words.length);
  if (!out.every(Number.isFinite)) throw malformed(404, "a float of the weights that is not finite");
  return out;
}

/**
 * @typedef {{ kernels: Float32Array, biases: Float32Array, outputs: number, size: number }} Layer of the synthesis
 * @param {Shape[]} shapes
 * @param {Int16Array} codes
 * @param {Float32Array} numbers scales, then biases
 * @returns {Layer[]}
 */
function layers(shapes, codes, numbers) {
  const total = outputsOf(shapes);
  let output = 0;
  let at = 0;
  return shapes.map(({ outputs, size }) => {
    const kernels = new Float32Array(outputs * size);
    for (let i = 0; i < kernels.length; i++) kernels[i] = codes[at + i] * numbers[output + Math.floor(i / size)];
    const biases = numbers.subarray(total + output, total + output + outputs);
    at += kernels.length;
    output += outputs;
    return { kernels, biases, outputs, size };
  });
}

/**
 * @typedef {{ kernels: Int16Array, biases: Int32Array, shifts: Uint8Array, outputs: number }} HyperLayer
 * @param {Shape[]} shapes @param {Int16Array} codes @param {Int32Array} biases @param {Uint8Array} shifts
 * @returns {HyperLayer[]}
 */
function hyperLayers(shapes, codes, biases, shifts) {
  let output = 0;
  let at = 0;
  return shapes.map(({ outputs, size }, layer) => {
    const kernels = codes.subarray(at, at + outputs * size);
    const own = {
      kernels,
      biases: biases.subarray(output, output + outputs),
      shifts: shifts.subarray(output, output + outputs),
    };
    at += outputs * size;
    output += outputs;
    for (let o = 0; o < outputs; o++) {
      const shift = own.shifts[o];
      if (shift < 1 || shift > LARGEST_SHIFT) throw malformed(406, `a shift of ${shift}`);
      let sum = 0;
      for (let i = o * size; i < (o + 1) * size; i++) sum += Math.abs(kernels[i]);
      if (sum * LARGEST[layer] + Math.abs(own.biases[o]) + 2 ** (shift - 1) >= 2 ** 53) {
        throw malformed(406, "sums of the hyper-synthesis that pass 2^53");
      }
    }
    return { ...own, outputs };
  });
}
