// Tensor records (section 3.1) and stacks (section 3.4).

import { DTYPES } from "./dtypes.js";
import { malformed, unsupported } from "./errors.js";
import { text } from "./fields.js";
import { parseLayout, product } from "./layout.js";
import { checkLimit } from "./limits.js";
import { Float, isInteger } from "./msgpack.js";

export const LOSSLESS = 0;
export const TRANSFORM = 1;
export const HYPERPRIOR = 2;
const NAMES = /** @type {const} */ ([
  "dtype",
  "framework",
  "shape",
  "layout",
  "tap",
  "codec",
  "alignment",
  "parameters",
  "leader",
]);
export const MOST_CHANNELS = 2 ** 24;

/** @typedef {Record<(typeof NAMES)[number], any>} RecordFields fields as msgpack has them, null where absent */

/** @param {any} array @returns {RecordFields} */
export function recordFields(array) {
  if (!Array.isArray(array)) throw malformed(60, "a record that is no array");
  if (array.length > NAMES.length) throw malformed(60, "a record of more fields than there are");
  if (array.length && array[array.length - 1] === null) throw malformed(60, "a record that ends in nil");
  return /** @type {any} */ (Object.fromEntries(NAMES.map((name, i) => [name, array[i] ?? null])));
}

/**
 * @typedef {object} Alignment
 * @property {number} kind
 * @property {number} scope 0 global, 1 channel, 2 token
 * @property {number} offset
 * @property {number} scale
 * @property {[number, number] | null} ends of the truncation that the encoder applied
 */

/**
 * A tensor of a file.
 * @typedef {object} TensorRecord
 * @property {number} number
 * @property {string} name of the way to it in the tree, joined by points
 * @property {import("./dtypes.js").Dtype} dtype
 * @property {number} framework
 * @property {(number | null)[]} shape of one sample, null where sizes differ between samples
 * @property {string | null} layoutText
 * @property {import("./layout.js").Layout | null} layout
 * @property {string | null} tap
 * @property {number} codec
 * @property {Alignment} alignment
 * @property {(number | bigint | Float)[]} parameters
 * @property {number} leader the own number, if it is not stacked on another one
 */

/**
 * @param {RecordFields} fields after merging @param {number} number @param {string} name @param {boolean} isBatch
 * @param {import("./limits.js").Limits} limits @returns {TensorRecord}
 */
export function parseRecord(fields, number, name, isBatch, limits) {
  const dtype = numbered(fields.dtype, DTYPES.length, "dtype");
  if (fields.framework === null) throw malformed(61, `no framework of tensor ${number}`);
  if (!isInteger(fields.framework) || fields.framework < 0 || fields.framework > 1) throw malformed(60, `framework ${fields.framework}`);
  const shape = shapeOf(fields.shape);
  checkLimit(limits, "axes", shape.length);
  const codec = numbered(fields.codec, HYPERPRIOR + 1, "codec");
  const layoutText = text(fields.layout, 4096, 60, "layout");
  const layout = layoutText === null ? null : parseLayout(layoutText);
  if (layout && layout.axes.length !== shape.length)
    throw malformed(65, `layout '${layoutText}' of ${shape.length} axes`);
  if (codec !== LOSSLESS && layout) checkChannels(layout, shape);
  const isNote = DTYPES[dtype].name === "note";
  if (isBatch && !isNote && shape.includes(null)) throw malformed(67, "a batch whose samples differ in shape");
  if (isNote && shape.length !== 1) throw malformed(503, "a tensor of notes that has not one axis");
  const parameters = fields.parameters ?? [];
  if (!Array.isArray(parameters) || !parameters.every((value) => isInteger(value) || value instanceof Float)) {
    throw malformed(60, "parameters that are no numbers");
  }
  return {
    number,
    name,
    dtype: DTYPES[dtype],
    framework: Number(fields.framework),
    shape,
    layoutText,
    layout,
    tap: text(fields.tap, 4096, 60, "tap"),
    codec,
    alignment: alignmentOf(fields.alignment),
    parameters,
    leader: leaderOf(fields.leader, number),
  };
}

/** @param {any} value @param {number} count @param {string} what */
function numbered(value, count, what) {
  if (value === null) throw malformed(61, `no ${what}`);
  if (!isInteger(value) || value < 0) throw malformed(60, `a ${what} that is no integer from 0 on`);
  if (value >= count) throw unsupported(61, `unknown ${what} ${value}`);
  return Number(value);
}

/** @param {any} shape */
function shapeOf(shape) {
  if (shape === null) throw malformed(61, "no shape");
  const isSize = (/** @type {any} */ size) => size === null || (isInteger(size) && size >= 0);
  if (!Array.isArray(shape) || !shape.every(isSize)) throw malformed(60, "a shape that is no array of sizes");
  return shape.map((size) => (size === null ? null : Number(size)));
}

/** @param {import("./layout.js").Layout} layout @param {(number | null)[]} shape */
function checkChannels(layout, shape) {
  const sizes = shape.filter((_, i) => !layout.axes[i].isToken);
  if (sizes.includes(null)) throw malformed(66, "channels that differ between samples");
  if (product(/** @type {number[]} */ (sizes)) > MOST_CHANNELS) throw malformed(66, "too many channels");
}

/** @param {any} fields @returns {Alignment} */
function alignmentOf(fields) {
  if (fields === null) return { kind: 0, scope: 0, offset: 0, scale: 1, ends: null };
  if (!Array.isArray(fields)) throw malformed(60, "an alignment that is no array");
  if (fields.length !== 4 && fields.length !== 6)
    throw malformed(62, "an alignment of other fields");
  const [kind, scope, ...floats] = fields;
  if (![kind, scope].every((value) => isInteger(value) && value >= 0))
    throw malformed(62, "an alignment without kind or scope");
  if (kind > 4 || scope > 2) throw unsupported(352, `alignment of kind ${kind} and scope ${scope}`);
  if (!floats.every((value) => value instanceof Float)) throw malformed(62, "an alignment whose numbers are no floats");
  const [offset, scale, low, high] = floats.map((value) => value.value);
  if (!(scale > 0)) throw malformed(62, "a scale that is not above 0");
  if (fields.length === 6 && low > high) throw malformed(62, "ends of a truncation that are crossed");
  return { kind, scope, offset, scale, ends: fields.length === 6 ? [low, high] : null };
}

/** @param {any} leader @param {number} number */
function leaderOf(leader, number) {
  if (leader === null) return number;
  if (!isInteger(leader) || leader < 0) throw malformed(60, "a leader that is no tensor number");
  return Number(leader);
}

/**
 * Stacks by number of their leader, each with its members; a tensor on its own is a stack of one [CAUF-0562].
 * @param {TensorRecord[]} records @returns {Map<number, TensorRecord[]>}
 */
export function stacksOf(records) {
  /** @type {Map<number, TensorRecord[]>} */
  const stacks = new Map();
  for (const record of records) {
    if (record.leader !== record.number) checkMember(record, records[record.leader]);
    const members = stacks.get(record.leader);
    if (members) members.push(record);
    else stacks.set(record.leader, [record]);
  }
  return stacks;
}

/** @param {TensorRecord} record @param {TensorRecord | undefined} leader */
function checkMember(record, leader) {
  const fail = (/** @type {string} */ what) => malformed(562, `tensor ${record.number} is stacked on one ${what}`);
  if (!leader || record.leader > record.number) throw fail("that does not stand before it");
  if (leader.leader !== leader.number) throw fail("that is stacked itself");
  if (leader.dtype !== record.dtype || leader.codec !== record.codec) throw fail("of another dtype or codec");
  if (leader.layoutText !== record.layoutText || String(leader.shape) !== String(record.shape)) {
    throw fail("of another shape or layout");
  }
  if (record.codec === LOSSLESS) throw fail("that is coded without loss");
  if (!record.layout || record.layout.axes.every((axis) => axis.isToken)) throw fail("without a channel axis");
}

/**
 * The shape of a stack: the first channel axis has the channels of all members.
 * @template {number | null} Size
 * @param {TensorRecord} leader @param {Size[]} shape of a member @param {number} members @returns {Size[]}
 */
export function stackShape(leader, shape, members) {
  if (members === 1) return shape;
  const first = firstChannelAxis(leader);
  return shape.map((size, i) => (i === first && size !== null ? /** @type {Size} */ (size * members) : size));
}

/** @param {TensorRecord} record */
export const firstChannelAxis = (record) => record.layout?.axes.findIndex((axis) => !axis.isToken) ?? -1;
