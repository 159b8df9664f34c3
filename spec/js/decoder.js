// The decoder: a file with the profile and weights that it names, checked as a whole, decoded chunk by chunk.

import { crc32 } from "./checksum.js";
import { checkEnd, checkIndex, parseChunks } from "./chunks.js";
import { parseContainer } from "./container.js";
import { damaged, malformed, unsupported } from "./errors.js";
import { FeatureTensor, channelsOf } from "./features.js";
import { resolveHeader } from "./header.js";
import { checkDistinct } from "./keys.js";
import { product } from "./layout.js";
import { checkLimit } from "./limits.js";
import { checkBooleans, decodeLossless } from "./lossless.js";
import { parseNote } from "./notes.js";
import { HYPERPRIOR, LOSSLESS, firstChannelAxis, stackShape, stacksOf } from "./records.js";
import { isWeights, parseSections } from "./sections.js";
import { Weights } from "./weights.js";

/**
 * @typedef {object} Sources what a file may rely on
 * @property {Map<string, Uint8Array>} files profiles and weights by content hash
 * @property {import("./limits.js").Limits} limits
 */

/** A file, of which everything but payloads has been checked. */
export class Decoder {
  /** @param {Uint8Array} file @param {Sources} sources */
  constructor(file, sources) {
    const { limits } = sources;
    const container = parseContainer(file, limits);
    const { fields } = container;
    if (fields.content === "profile" || fields.content === "weights") {
      throw malformed(164, `a file of ${fields.content}, which is not decoded on its own`);
    }
    const profile = fields.profile === null ? null : profileOf(fields.profile, sources);
    this.version = container.version;
    this.profile = fields.profile;
    this.header = resolveHeader(fields, profile?.fields ?? null, limits);
    const { tensors } = this.header;
    this.stacks = stacksOf(tensors);
    const sections = parseSections(container.sections, tensors.length, limits);
    if (profile) sections.supply(profile.sections, () => true);
    this.metadata = sections.metadata;
    const isLearned = tensors.some(({ codec }) => codec === HYPERPRIOR);
    if (this.header.weights !== null) {
      fileOf(this.header.weights, sources, 167, "weights");
      if (isLearned) sections.supply(weightsOf(this.header.weights, sources), isWeights);
    }
    this.features = this.#features(sections, limits);
    const context = { header: this.header, stacks: this.stacks, features: this.features, limits };
    this.chunks = parseChunks(container.chunks, context);
    this.keys = this.chunks.flatMap((chunk) => chunk.keys);
    checkDistinct(this.keys);
    checkIndex(container, this.chunks, context);
    this.samples = this.chunks.reduce((sum, { count }) => sum + count, 0);
    checkEnd(container, this.samples);
  }

  /** @param {import("./sections.js").Sections} sections @param {import("./limits.js").Limits} limits */
  #features(sections, limits) {
    const { header } = this;
    /** @type {Weights | undefined} */
    let weights;
    const needed = () => (weights ??= new Weights(sections));
    /** @type {Map<number, FeatureTensor>} */
    const features = new Map();
    const coded = [...this.stacks].filter(([, members]) => members[0].codec !== LOSSLESS);
    const channels = coded.reduce((sum, [, members]) => sum + channelsOf(members), 0);
    checkLimit(limits, "channels", channels);
    for (const [leader, members] of coded) {
      features.set(leader, new FeatureTensor(members, sections, header.gain, needed));
    }
    return features;
  }

  /**
   * The values of a chunk, by tensor and sample, once the checksum of its symbols is found right [CAUF-0118].
   * @param {number} number of the chunk
   * @param {(bytes: Uint8Array) => void} [digest] is given all that the checksum covers
   * @returns {{ shapes: number[][][], values: any[][] }} typed arrays; those of a chunk share their buffer
   */
  decodeChunk(number, digest = () => {}) {
    const { payloads, checksum, ...chunk } = this.chunks[number];
    const shapes = chunk.shapes.map((own) => own.list());
    const { tensors } = this.header;
    let crc = 0;
    const cover = (/** @type {Uint8Array} */ bytes) => {
      crc = crc32(bytes, crc);
      digest(bytes);
    };
    const finish = tensors.map((record) => {
      if (record.codec !== LOSSLESS)
        return this.features.get(record.number)?.decodeSymbols(payloads[record.number], shapes[record.number], cover);
      const count = shapes[record.number].reduce((sum, shape) => sum + product(shape), 0);
      const bytes = decodeLossless(payloads[record.number], count, record.dtype.width, record.dtype.isFloat);
      if (record.dtype.name === "bool") checkBooleans(bytes);
      cover(bytes);
      return () => new record.dtype.Array(bytes.buffer);
    });
    if (crc !== checksum) throw damaged(118, "the checksum of symbols differs");
    const out = tensors.map(() => /** @type {any[]} */ ([]));
    for (const [leader, members] of this.stacks) {
      const values = /** @type {() => any} */ (finish[leader])();
      const samples = cut(values, shapes[leader], members.length);
      if (members.length === 1) out[leader] = samples;
      else unstack(samples, shapes[leader], members, out);
      if (members[0].dtype.name === "note") samples.forEach(parseNote);
    }
    return { shapes, values: out };
  }
}

/** A chunk's values by sample. @param {any} values @param {number[][]} shapes of a member @param {number} members */
function cut(values, shapes, members) {
  let at = 0;
  return shapes.map((shape) => values.subarray(at, (at += product(shape) * members)));
}

/**
 * Members of a stack, which stand one behind another along the first channel axis [CAUF-0562].
 * @param {any[]} samples @param {number[][]} shapes of a member @param {import("./records.js").TensorRecord[]} members
 * @param {any[][]} out by tensor
 */
function unstack(samples, shapes, members, out) {
  const axis = firstChannelAxis(members[0]);
  samples.forEach((sample, i) => {
    const rest = product(shapes[i].slice(axis));
    const row = product(stackShape(members[0], shapes[i], members.length).slice(axis));
    members.forEach(({ number }, member) => {
      const own = new sample.constructor(product(shapes[i]));
      for (let at = 0, from = member * rest; at < own.length; at += rest, from += row) {
        own.set(sample.subarray(from, from + rest), at);
      }
      out[number].push(own);
    });
  });
}

/** @param {string} hash @param {Sources} sources @param {number} rule @param {string} what */
function fileOf(hash, { files }, rule, what) {
  const file = files.get(hash);
  if (!file) throw unsupported(rule, `the file needs ${what} ${hash}, which is not there`);
  return file;
}

/** Header and sections of a profile [CAUF-0160]. @param {string} hash @param {Sources} sources */
function profileOf(hash, sources) {
  const container = parseContainer(fileOf(hash, sources, 162, "profile"), sources.limits);
  const { fields } = container;
  if (fields.content !== "profile") throw malformed(160, `a file of ${fields.content} in the place of a profile`);
  checkEmpty(container, 160);
  return { fields, sections: parseSections(container.sections, fields.tensors?.length ?? 0, sources.limits) };
}

/** The sections of a file of weights [CAUF-0165]. @param {string} hash @param {Sources} sources */
function weightsOf(hash, sources) {
  const container = parseContainer(fileOf(hash, sources, 167, "weights"), sources.limits);
  if (container.fields.content !== "weights")
    throw malformed(165, `a file of ${container.fields.content} in the place of weights`);
  checkEmpty(container, 165);
  return parseSections(container.sections, 0, sources.limits, 166);
}

/** @param {import("./container.js").Container} container @param {number} rule */
function checkEmpty(container, rule) {
  if (container.chunks.length || container.end.body.length !== 1 || container.end.body[0])
    throw malformed(rule, "samples in a file that has none");
  checkEnd(container, 0);
}
