// Sections (section 4): arrays that codecs need, and metadata.

import { malformed, unknown, unsupported } from "./errors.js";
import { inflate } from "./inflate.js";
import { checkLimit, overLimit } from "./limits.js";
import { parseMetadata } from "./notes.js";
import { Reader } from "./reader.js";

const ELEMENTS = /** @type {const} */ ([Int8Array, Int16Array, Int32Array, Uint8Array, Uint16Array]);
const [I8, I16, I32, U8, U16] = ELEMENTS;

/** Element by type of section. @type {[number, any][]} */
const ROWS = [
  [1, I16],
  [2, I16],
  [3, I8],
  [4, U8],
  [5, U8],
  [6, I8],
  [7, I8],
  [8, I8],
  [9, I16],
  [10, I16],
  [11, I16],
  [12, U16],
  [13, I32],
  [14, I32],
  [15, U8],
  [16, U8],
  [17, I16],
  [18, I32],
  [19, U8],
  [20, I16],
  [21, I32],
  [22, I16],
  [23, I32],
  [24, I16],
  [25, I32],
  [26, U8],
  [27, I32],
  [28, I32],
  [29, I32],
];
const TYPES = new Map(ROWS);
const METADATA = 26;
export const FIRST_WEIGHTS = 12;
export const LAST_WEIGHTS = 25;

/** @typedef {any} Elements a typed array */

/** Sections by tensor and type. */
export class Sections {
  constructor() {
    /** @type {Map<string, Elements>} */
    this.arrays = new Map();
    /** @type {Record<string, string>} */
    this.metadata = {};
  }

  /**
   * A section's elements; null where it is absent or has none [CAUF-0095].
   * @param {number} tensor
   * @param {number} type
   */
  get(tensor, type) {
    const array = this.arrays.get(`${tensor}:${type}`);
    return array?.length ? array : null;
  }

  /** Whether a section stands there, be it without elements. @param {number} tensor @param {number} type */
  has(tensor, type) {
    return this.arrays.has(`${tensor}:${type}`);
  }

  /**
   * Take from another file what is not here, of some types.
   * @param {Sections} other
   * @param {(type: number) => boolean} of
   */
  supply(other, of) {
    for (const [key, array] of other.arrays) {
      const type = Number(key.split(":")[1]);
      if (of(type) && !this.arrays.has(key)) this.arrays.set(key, array);
    }
  }
}

/**
 * @param {import("./container.js").Block[]} blocks @param {number} tensors how many the file has
 * @param {import("./limits.js").Limits} limits @returns {Sections}
 */
export function parseSections(blocks, tensors, limits, weightsRule = 0) {
  const sections = new Sections();
  let left = limits.sections;
  for (const { body } of blocks) {
    const reader = new Reader(body);
    const type = reader.varint();
    if (type >= 256 && type <= 511) continue;
    const element = TYPES.get(type);
    if (!element) throw unsupported(94, `unknown section ${type}`);
    const tensor = reader.varint();
    if (weightsRule && (!isWeights(type) || tensor !== 0))
      throw malformed(weightsRule, `section ${type} of tensor ${tensor} in a file of weights`);
    if (tensor >= tensors && !(tensor === 0 && (type === METADATA || isWeights(type)))) {
      throw malformed(94, `section ${type} of tensor ${tensor}, which does not exist`);
    }
    if (tensor !== 0 && type === METADATA) throw malformed(94, `section ${type} of tensor ${tensor}`);
    const array = elementsOf(reader, type, element, left, limits);
    left -= array.byteLength;
    if (type === METADATA) sections.metadata = array.length ? parseMetadata(array) : {};
    else sections.arrays.set(`${tensor}:${type}`, array);
  }
  return sections;
}

/** @param {number} type */
export const isWeights = (type) => type >= FIRST_WEIGHTS && type <= LAST_WEIGHTS;

/**
 * @param {Reader} reader
 * @param {number} type
 * @param {any} element array of the type
 * @param {number} left bytes of the limit
 * @param {import("./limits.js").Limits} limits @returns {Elements}
 */
function elementsOf(reader, type, element, left, limits) {
  const number = reader.u8();
  if (number >= ELEMENTS.length) throw unknown("element", number);
  const packing = reader.u8();
  if (packing > 1) throw unknown("packing of a section", packing);
  if (ELEMENTS[number] !== element) throw malformed(94, `section ${type} with elements ${number}`);
  const data = reader.rest();
  if (packing === 0) checkLimit(limits, "sections", limits.sections - left + data.length);
  const bytes = packing === 1 ? inflate(data, left, 92, () => overLimit(limits, "sections")) : data;
  if (bytes.length % element.BYTES_PER_ELEMENT) throw malformed(93, `section ${type} ends within an element`);
  return new element(bytes.slice().buffer);
}
