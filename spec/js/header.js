// The header (section 3): its fields, and what a profile supplies (section 5).

import { malformed } from "./errors.js";
import { bits, choice, hash, text } from "./fields.js";
import { checkLimit } from "./limits.js";
import { Float, HEADER, parse } from "./msgpack.js";
import { parseRecord, recordFields } from "./records.js";
import { parseTree, tensorNames } from "./tree.js";

export const CONTENTS = /** @type {const} */ (["batch", "list", "tuple", "single", "profile", "weights", "keyed"]);
const INDEXED = 1;
const FIELDS = 10;

/**
 * Fields as a file has them, null where absent.
 * @typedef {object} Fields
 * @property {(typeof CONTENTS)[number]} content
 * @property {string | null} profile content hash, 32 letters
 * @property {boolean} isIndexed
 * @property {number | null} gain
 * @property {any} tree
 * @property {import("./records.js").RecordFields[] | null} tensors
 * @property {string | null} arch
 * @property {string | null} weights content hash, 32 letters
 * @property {string | null} control
 * @property {string | null} software
 */

/** @param {Uint8Array} bytes the msgpack of a header @param {import("./limits.js").Limits} limits @returns {Fields} */
export function parseFields(bytes, limits) {
  const array = parse(bytes, HEADER);
  if (!Array.isArray(array)) throw malformed(40, "a header that is no array");
  if (array.length > FIELDS) throw malformed(44, "a header of more fields than there are");
  if (array.length && array[array.length - 1] === null) throw malformed(44, "a header that ends in nil");
  const [content, profile, flags, gain, tree, tensors, arch, weights, control, software] = array.concat(
    Array(FIELDS - array.length).fill(null),
  );
  /** @type {Fields} */
  const fields = {
    content: CONTENTS[choice(content, CONTENTS.length, 45, "content")],
    profile: hash(profile, 46, "profile"),
    isIndexed: (bits(flags, 47, "flags of the header", INDEXED) & INDEXED) !== 0,
    gain: gainOf(gain),
    tree,
    tensors: tensorsOf(tensors, limits),
    arch: text(arch, 4096, 44, "arch"),
    weights: hash(weights, 53, "weights"),
    control: text(control, 64, 550, "control"),
    software: text(software, 64, 551, "software"),
  };
  checkContent(fields, flags);
  return fields;
}

/** @param {Fields} fields @param {number} flags */
function checkContent(fields, flags) {
  if (fields.content === "weights") {
    const { profile, gain, tree, tensors, weights, control, software } = fields;
    const others = [profile, gain, tree, tensors, weights, control, software];
    if (flags !== 0 || others.some((field) => field !== null)) throw malformed(54, "weights with fields of samples");
    return;
  }
  if (fields.content === "profile" && (fields.profile !== null || fields.isIndexed)) {
    throw malformed(160, "a profile that has a profile or an index");
  }
  if (fields.profile === null && fields.tensors === null)
    throw malformed(49, "no tensors, and no profile to take them from");
}

/** @param {any} tensors @param {import("./limits.js").Limits} limits */
function tensorsOf(tensors, limits) {
  if (tensors === null) return null;
  if (!Array.isArray(tensors)) throw malformed(44, "tensors that are no array");
  checkLimit(limits, "tensors", tensors.length);
  return tensors.map(recordFields);
}

/** @param {any} gain */
function gainOf(gain) {
  if (gain === null) return null;
  if (!(gain instanceof Float) || !(gain.value > 0)) throw malformed(48, "a gain that is no float above 0");
  return gain.value;
}

/**
 * A header after its profile has supplied what is absent.
 * @typedef {object} Header
 * @property {(typeof CONTENTS)[number]} content
 * @property {boolean} isIndexed
 * @property {number} gain
 * @property {import("./tree.js").Tree} tree
 * @property {import("./records.js").TensorRecord[]} tensors
 * @property {string | null} arch
 * @property {string | null} weights
 * @property {string | null} control
 * @property {string | null} software
 */

/**
 * @param {Fields} own @param {Fields | null} profile @param {import("./limits.js").Limits} limits @returns {Header}
 */
export function resolveHeader(own, profile, limits) {
  const supplied = profile?.tensors ?? null;
  if (own.tensors && supplied && own.tensors.length !== supplied.length) {
    throw malformed(162, `${own.tensors.length} tensors, and ${supplied.length} in the profile`);
  }
  const records = own.tensors ?? supplied ?? [];
  const merged = records.map((record, i) => {
    /** @type {any} */
    const out = { ...record };
    for (const key of Object.keys(out)) out[key] ??= supplied ? /** @type {any} */ (supplied[i])[key] : null;
    return out;
  });
  const tree = parseTree(own.tree ?? profile?.tree ?? null, merged.length, limits);
  const names = tensorNames(tree);
  const tensors = merged.map((record, i) => parseRecord(record, i, names[i], own.content === "batch", limits));
  const { content, isIndexed, weights, control, software } = own;
  return {
    content,
    isIndexed,
    gain: own.gain ?? 1,
    tree,
    tensors,
    arch: own.arch ?? profile?.arch ?? null,
    weights,
    control,
    software,
  };
}
