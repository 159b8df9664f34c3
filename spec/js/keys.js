// Keys of samples (section 3.3).

import { malformed, unknown } from "./errors.js";
import { inflate } from "./inflate.js";
import { overLimit } from "./limits.js";
import { KEYS, areDistinct, isName, parse } from "./msgpack.js";

/** @typedef {string | number | bigint} Key */

/**
 * The keys that stand to the end of a reader [CAUF-0506].
 * @param {import("./reader.js").Reader} reader @param {number} count @param {import("./limits.js").Limits} limits
 * @returns {Key[]}
 */
export function parseKeys(reader, count, limits) {
  const packing = reader.u8();
  if (packing > 1) throw unknown("packing of keys", packing);
  const data = reader.rest();
  const bytes = packing === 1 ? inflate(data, limits.sections, 92, () => overLimit(limits, "sections")) : data;
  const keys = parse(bytes, KEYS);
  if (!Array.isArray(keys)) throw malformed(506, "keys that are no array");
  if (!keys.every(isName)) throw malformed(505, "a key that is neither text nor an integer");
  if (keys.length !== count) throw malformed(506, `${keys.length} keys of ${count} samples`);
  checkDistinct(keys);
  return keys;
}

/** @param {Key[]} keys */
export function checkDistinct(keys) {
  if (!areDistinct(keys)) throw malformed(505, "a key that stands twice");
}
