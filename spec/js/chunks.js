// Chunks (section 8): which samples they hold, of what shapes, and their payloads; limits are checked here.

import { malformed } from "./errors.js";
import { parseKeys } from "./keys.js";
import { product } from "./layout.js";
import { Sums, checkLimit } from "./limits.js";
import { LOSSLESS } from "./records.js";
import { Reader } from "./reader.js";
import { Shapes } from "./shapes.js";

const MOST_SAMPLES = 65536;
const BYTES_OF_NOTE = 64;

/**
 * @typedef {object} Chunk
 * @property {number} first
 * @property {number} count
 * @property {Shapes[]} shapes by tensor
 * @property {number} checksum of symbols
 * @property {Uint8Array[]} payloads by tensor
 * @property {import("./keys.js").Key[]} keys of samples, if the file is keyed
 */

/**
 * @typedef {object} Context what chunks are read with
 * @property {import("./header.js").Header} header
 * @property {Map<number, import("./records.js").TensorRecord[]>} stacks
 * @property {Map<number, import("./features.js").FeatureTensor>} features by number of the leader
 * @property {import("./limits.js").Limits} limits
 */

/** @param {import("./container.js").Block[]} blocks @param {Context} context @returns {Chunk[]} */
export function parseChunks(blocks, context) {
  const { header, limits } = context;
  if (header.content === "single" && blocks.length !== 1) throw malformed(113, `a single of ${blocks.length} chunks`);
  const sums = new Sums(limits);
  const chunks = [];
  let first = 0;
  for (const { body } of blocks) {
    const chunk = parseChunk(body, first, context, sums);
    first += chunk.count;
    chunks.push(chunk);
    const isEmpty = header.tensors.every(({ shape }) => shape.includes(0));
    if (header.content !== "batch" || isEmpty) checkLimit(limits, "samples", first);
  }
  return chunks;
}

/** @param {Uint8Array} body @param {number} expected @param {Context} context @param {Sums} sums @returns {Chunk} */
function parseChunk(body, expected, context, sums) {
  const { header, limits } = context;
  const { tensors } = header;
  const reader = new Reader(body);
  const first = reader.varint();
  const count = reader.varint();
  if (count < 1 || count > MOST_SAMPLES) throw malformed(111, `a chunk of ${count} samples`);
  if (header.content === "single" && count !== 1) throw malformed(113, `a single of ${count} samples`);
  if (first !== expected) throw malformed(114, `a chunk that starts at sample ${first}, not ${expected}`);
  checkLimit(limits, "chunkArrays", count * tensors.length);
  const nils = tensors.reduce((sum, { shape }) => sum + shape.filter((size) => size === null).length, 0);
  if (nils * count + tensors.length + 4 > reader.left)
    throw malformed(112, "more sizes and lengths than there are bytes");
  const shapes = tensors.map(({ shape }) => new Shapes(shape, count, reader));
  const lengths = tensors.map(() => reader.varint());
  checkStacks(context, shapes, lengths);
  checkAmounts(context, shapes, sums);
  const checksum = reader.u32();
  const payloads = lengths.map((length) => reader.take(length));
  const keys = header.content === "keyed" ? parseKeys(reader, count, limits) : [];
  reader.done();
  return { first, count, shapes, checksum, payloads, keys };
}

/** @param {Context} context @param {Shapes[]} shapes @param {number[]} lengths [CAUF-0563] */
function checkStacks({ stacks }, shapes, lengths) {
  for (const [leader, members] of stacks) {
    for (const { number } of members) {
      if (number === leader) continue;
      if (lengths[number]) throw malformed(563, `tensor ${number} has a payload besides its leader's`);
      if (!shapes[number].equal(shapes[leader])) {
        throw malformed(563, `tensor ${number} has other shapes than its leader`);
      }
    }
  }
}

/**
 * Check all limits of a chunk, and those of the file so far.
 * @param {Context} context
 * @param {Shapes[]} shapes
 * @param {Sums} sums
 */
function checkAmounts({ header, stacks, features, limits }, shapes, sums) {
  const chunk = new Sums(limits);
  for (const { number, dtype, codec } of header.tensors) {
    const bytes = dtype.name === "note" ? BYTES_OF_NOTE : dtype.width;
    for (const [shape, times] of shapes[number].runs()) {
      const values = times * product(shape);
      chunk.add("chunkValues", values || times * product(shape.map((size) => Math.max(1, size))));
      sums.add("values", values);
      sums.add("output", values * bytes);
    }
    if (codec !== LOSSLESS && stacks.has(number)) {
      const feature = /** @type {import("./features.js").FeatureTensor} */ (features.get(number));
      checkFeature(feature, shapes[number], chunk, sums);
    }
  }
}

/**
 * @param {import("./features.js").FeatureTensor} feature
 * @param {Shapes} shapes
 * @param {Sums} chunk
 * @param {Sums} sums
 */
function checkFeature(feature, shapes, chunk, sums) {
  let tokens = 0;
  const known = new Map();
  for (const [shape, times] of shapes.runs()) {
    const key = String(shape);
    if (!known.has(key)) {
      known.set(key, feature.matrix(shape).tokens);
      if (!feature.isHyperprior || known.size === 1) chunk.add("chunkGrids", 1);
    }
    tokens += times * known.get(key);
    chunk.add("chunkTokens", times * known.get(key));
  }
  const products = feature.codec.products(tokens);
  chunk.add("chunkProducts", products);
  sums.add("products", products);
  chunk.add("chunkLatents", feature.codec.latents(tokens));
}

/**
 * The index, if there is one, agrees with the chunks [CAUF-0142].
 * @param {import("./container.js").Container} container @param {Chunk[]} chunks @param {Context} context
 */
export function checkIndex({ index, chunks: blocks }, chunks, { header, limits }) {
  if (!index) return;
  const reader = new Reader(index.body);
  const offset = reader.varint();
  const count = reader.varint();
  if (2 * count > reader.left) throw malformed(141, `an index of ${count} chunks in ${reader.left} bytes`);
  const entries = Array.from({ length: count }, () => [reader.varint(), reader.varint()]);
  const isRight = entries.every(([length, samples], i) => blocks[i]?.length === length && chunks[i].count === samples);
  if (offset !== (blocks[0] ?? index).start || count !== chunks.length || !isRight) {
    throw malformed(142, "an index that does not agree with the chunks");
  }
  if (header.content === "keyed") {
    const own = chunks.flatMap((chunk) => chunk.keys);
    const keys = parseKeys(reader, own.length, limits);
    if (keys.some((key, i) => key !== own[i]))
      throw malformed(507, "keys of an index that are not those of the chunks");
  }
  reader.done();
}

/** @param {import("./container.js").Container} container @param {number} samples of all chunks [CAUF-0146] */
export function checkEnd({ end, index, size }, samples) {
  const reader = new Reader(end.body);
  const announced = reader.varint();
  const distance = index ? reader.u64() : 0;
  reader.done();
  if (announced !== samples) throw malformed(146, `an end of ${announced} samples, and chunks of ${samples}`);
  if (index && distance !== size - index.start) throw malformed(146, "a distance to the index that is wrong");
}
