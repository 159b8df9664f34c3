// Tensors of codecs 1 and 2: from payloads to the values of samples.

import { ValueAlignment } from "./alignment.js";
import { bytesOf } from "./checksum.js";
import { cast } from "./dtypes.js";
import { Rans } from "./entropy.js";
import { malformed } from "./errors.js";
import { Hyperprior } from "./hyperprior.js";
import { Matrix, product } from "./layout.js";
import { parsePatches } from "./patches.js";
import { parsePayload } from "./payload.js";
import { HYPERPRIOR, MOST_CHANNELS, stackShape } from "./records.js";
import { Transform } from "./transform.js";

const TILE = 32;

/** What decodes a stack of tensors of codec 1 or 2. */
export class FeatureTensor {
  /**
   * @param {import("./records.js").TensorRecord[]} members the leader first
   * @param {import("./sections.js").Sections} sections @param {number} gain
   * @param {() => import("./weights.js").Weights} weights of the learned codec
   */
  constructor(members, sections, gain, weights) {
    const [leader] = members;
    if (!leader.dtype.isFloat) throw malformed(200, `codec ${leader.codec} with dtype ${leader.dtype.name}`);
    if (!leader.layout) throw malformed(200, `codec ${leader.codec} without a layout`);
    this.leader = leader;
    this.layout = leader.layout;
    this.members = members.length;
    this.channels = channelsOf(members);
    if (this.channels > MOST_CHANNELS) throw malformed(66, "too many channels of a stack");
    this.isHyperprior = leader.codec === HYPERPRIOR;
    this.codec = this.isHyperprior
      ? new Hyperprior(leader, weights(), this.channels)
      : new Transform(leader, sections, this.channels, gain);
    this.alignment = new ValueAlignment(leader, sections, this.channels);
  }

  /** The matrix of a stacked sample. @param {number[]} shape of a member */
  matrix(shape) {
    return new Matrix(this.layout, stackShape(this.leader, shape, this.members));
  }

  /**
   * The integer half: symbols and all else that the symbols checksum covers.
   * @param {Uint8Array} payload
   * @param {number[][]} shapes of a member's samples
   * @param {(bytes: Uint8Array) => void} digest
   * @returns {() => any} what finds the values of all samples, in the dtype's array
   */
  decodeSymbols(payload, shapes, digest) {
    const { dtype } = this.leader;
    const matrices = shared(shapes, (shape) => this.matrix(shape));
    const tokens = matrices.reduce((sum, matrix) => sum + matrix.tokens, 0);
    const parts = parsePayload(payload, tokens, this.alignment.isOfTokens);
    const rans = new Rans(parts.words);
    const symbols = this.codec.decodeSymbols(rans, matrices, tokens);
    rans.done();
    const patches = parts.patches && parsePatches(parts.patches, tokens * this.channels, dtype);
    for (const array of [parts.side, parts.scales, symbols, patches?.positions, patches?.values]) {
      if (array) digest(bytesOf(array));
    }
    return () => this.#values(symbols, matrices, parts, patches);
  }

  /**
   * @param {Int32Array} symbols @param {Matrix[]} matrices @param {import("./payload.js").Payload} parts
   * @param {import("./patches.js").Patches | null} patches
   */
  #values(symbols, matrices, parts, patches) {
    const { dtype } = this.leader;
    const working = dtype.name === "fp64" ? Float64Array : Float32Array;
    const values = this.codec.reconstruct(symbols, matrices, working);
    this.alignment.apply(
      values,
      parts.side,
      parts.scales,
      matrices.map((matrix) => matrix.tokens),
    );
    const out = scatter(cast(values, dtype), matrices, dtype.Array);
    if (patches) {
      const exact = new dtype.Array(patches.values.buffer);
      for (let i = 0; i < exact.length; i++) out[patches.positions[i]] = exact[i];
    }
    return out;
  }
}

/**
 * C of a stack; 1 without a layout, which these codecs need.
 * @param {import("./records.js").TensorRecord[]} members the leader first
 */
export function channelsOf([leader, ...others]) {
  const sizes = leader.shape.filter((_, i) => leader.layout?.axes[i].isToken === false);
  return product(/** @type {number[]} */ (sizes)) * (others.length + 1);
}

/**
 * Map shapes, equal ones to the same object.
 * @template T
 * @param {number[][]} shapes
 * @param {(shape: number[]) => T} make
 */
function shared(shapes, make) {
  /** @type {Map<string, T>} */
  const known = new Map();
  return shapes.map((shape) => {
    const key = String(shape);
    const found = known.get(key) ?? make(shape);
    known.set(key, found);
    return found;
  });
}

/** Values `[N, C]` in the C order of each sample. @param {any} values @param {Matrix[]} matrices @param {any} array */
function scatter(values, matrices, array) {
  if (matrices.every(isInOrder)) return values;
  const out = new array(values.length);
  let start = 0;
  /** @type {Map<Matrix, { tokens: Int32Array, channels: Int32Array }>} */
  const places = new Map();
  for (const matrix of matrices) {
    const place = places.get(matrix) ?? { tokens: matrix.tokenPlaces(), channels: matrix.channelPlaces() };
    places.set(matrix, place);
    const { tokens, channels } = place;
    for (let first = 0; first < tokens.length; first += TILE) {
      const last = Math.min(first + TILE, tokens.length);
      for (let c = 0; c < channels.length; c++) {
        const to = start + channels[c];
        for (let n = first; n < last; n++) out[to + tokens[n]] = values[start + n * channels.length + c];
      }
    }
    start += tokens.length * channels.length;
  }
  return out;
}

/** Whether a sample's tokens and channels stand as in its matrix. @param {Matrix} matrix */
function isInOrder({ layout }) {
  const channel = layout.axes.findIndex((axis) => !axis.isToken);
  return channel < 0 || layout.axes.slice(channel).every((axis) => !axis.isToken);
}
