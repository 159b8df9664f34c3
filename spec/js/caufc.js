// The decoder's public names. `open` takes a file's bytes; the rest is in the object that it gives.

import { Sha256, contentHash } from "./checksum.js";
import { Decoder } from "./decoder.js";
import { CaufError, unsupported } from "./errors.js";
import { product } from "./layout.js";
import { LIMITS } from "./limits.js";
import { parseNote } from "./notes.js";
import { fillTree } from "./tree.js";

export { CaufError, DamagedError, MalformedError, UnsupportedError } from "./errors.js";
export { numbers } from "./dtypes.js";
export { LIMITS } from "./limits.js";

/**
 * @typedef {object} Options
 * @property {Uint8Array[]} [needs] files of profiles and weights that the file may name
 * @property {Partial<typeof LIMITS>} [limits] other limits than those of the text
 */

/**
 * An array of a sample.
 * @typedef {object} Values
 * @property {string} dtype
 * @property {number[]} shape
 * @property {any} data typed array in C order: numbers; of fp16, bf16 and the 8-bit floats their bits (`numbers` tells
 *   what they mean); bigints of 64 bits
 */

/**
 * Open a file, whatever holds its bytes.
 * @param {Uint8Array | ArrayBuffer | Blob} source @param {Options} [options] @returns {Promise<CaufFile>}
 */
export async function open(source, options) {
  return openBytes(source instanceof Blob ? await source.arrayBuffer() : source, options);
}

/**
 * Open a file whose bytes are there.
 * @param {Uint8Array | ArrayBuffer} source @param {Options} [options] @returns {CaufFile}
 * @throws {CaufError} where it is damaged, malformed or not supported
 */
export function openBytes(source, options = {}) {
  const files = new Map((options.needs ?? []).map((file) => [contentHash(bytesIn(file)), bytesIn(file)]));
  return new CaufFile(guarded(() => new Decoder(bytesIn(source), { files, limits: { ...LIMITS, ...options.limits } })));
}

/** A file of samples; everything but their payloads is known to be sound. */
export class CaufFile {
  #decoder;
  /** The chunk that was decoded last. @type {{ chunk: { first: number, count: number }, arrays: Values[][] } | null} */
  #last = null;

  /** @param {Decoder} decoder */
  constructor(decoder) {
    const { header } = decoder;
    this.#decoder = decoder;
    this.version = decoder.version;
    /** batch, list, tuple, single or keyed. */
    this.content = header.content;
    /** Number of samples. */
    this.samples = decoder.samples;
    /** Content hashes of what the file relies on. */
    this.profile = decoder.profile;
    this.weights = header.weights;
    this.arch = header.arch;
    /** What rate was asked for, and what wrote the file. */
    this.control = header.control;
    this.software = header.software;
    /** Keys of samples, if they are keyed. */
    this.keys = decoder.keys;
    /** Texts by name. */
    this.metadata = decoder.metadata;
    /** Structure of a sample. */
    this.tree = header.tree;
    this.chunks = decoder.chunks.map(({ first, count, payloads }) => ({
      first,
      count,
      bytes: payloads.map((p) => p.length),
    }));
    this.tensors = header.tensors.map(({ name, dtype, shape, layoutText, tap, codec, framework }) => ({
      name,
      dtype: dtype.name,
      shape,
      layout: layoutText,
      tap,
      codec: /** @type {const} */ (["lossless", "transform", "hyperprior"])[codec],
      framework: /** @type {const} */ (["numpy", "torch"])[framework],
    }));
  }

  /** How many values a tensor has in all samples. @param {number} tensor number */
  valuesOf(tensor) {
    return this.#decoder.chunks.reduce((sum, { shapes }) => sum + shapes[tensor].total(product), 0);
  }

  /** One array. @param {number} tensor number @param {number} sample number @returns {Values} */
  array(tensor, sample) {
    if (!this.tensors[tensor]) throw new RangeError(`no tensor ${tensor}: there are ${this.tensors.length}`);
    const holds = ({ first = 0, count = 0 }) => sample >= first && sample < first + count;
    let last = this.#last;
    if (!last || !holds(last.chunk)) {
      const number = this.chunks.findIndex(holds);
      if (number < 0) throw new RangeError(`no sample ${sample}: there are ${this.samples}`);
      last = this.#last = { chunk: this.chunks[number], arrays: this.chunk(number) };
    }
    return last.arrays[tensor][sample - last.chunk.first];
  }

  /**
   * One sample in its structure: Values in Maps (dicts) and arrays (lists and tuples); notes are plain values.
   * @param {number} sample number @returns {any}
   */
  read(sample) {
    return fillTree(this.tree, (tensor) => {
      const values = this.array(tensor, sample);
      return values.dtype === "note" ? parseNote(values.data) : values;
    });
  }

  /** All samples: the one of a single, a Map of keyed ones, else an array. @returns {any} */
  decode() {
    const all = Array.from({ length: this.samples }, (_, i) => this.read(i));
    if (this.content === "single") return all[0];
    return this.content === "keyed" ? new Map(this.keys.map((key, i) => [key, all[i]])) : all;
  }

  /** SHA-256 over all symbols [CAUF-0119], which every decoder finds the same. */
  symbolsSha256() {
    const sha = new Sha256();
    this.chunks.forEach((_, number) => guarded(() => this.#decoder.decodeChunk(number, (bytes) => sha.update(bytes))));
    return sha.hex();
  }

  /**
   * The arrays of a chunk, by tensor and sample.
   * @param {number} number @param {(bytes: Uint8Array) => void} [digest] is given all symbols @returns {Values[][]}
   */
  chunk(number, digest) {
    const { shapes, values } = guarded(() => this.#decoder.decodeChunk(number, digest));
    return values.map((samples, tensor) =>
      samples.map((data, i) => ({ dtype: this.tensors[tensor].dtype, shape: shapes[tensor][i], data })),
    );
  }
}

/** @param {Uint8Array | ArrayBuffer} source */
function bytesIn(source) {
  // A Buffer of Node's would not do: its slices are no copies.
  return source instanceof Uint8Array
    ? new Uint8Array(source.buffer, source.byteOffset, source.length)
    : new Uint8Array(source);
}

/** What memory does not hold is a limit too. @template T @param {() => T} run @returns {T} */
function guarded(run) {
  try {
    return run();
  } catch (error) {
    if (error instanceof RangeError && !(error instanceof CaufError))
      throw unsupported(370, `too large for memory: ${error.message}`);
    throw error;
  }
}
