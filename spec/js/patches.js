// Patches (section 10): values that are stored exactly.

import { malformed } from "./errors.js";
import { decodeLossless } from "./lossless.js";
import { Reader } from "./reader.js";

/** @typedef {{ positions: Uint32Array, values: Uint8Array }} Patches values little-endian */

/**
 * @param {Uint8Array} data @param {number} total number of values of the chunk's samples
 * @param {import("./dtypes.js").Dtype} dtype @returns {Patches}
 */
export function parsePatches(data, total, dtype) {
  const reader = new Reader(data, 330);
  const count = reader.varint();
  if (count < 1 || count > total) throw malformed(331, `${count} patches of ${total} values`);
  const gaps = new Uint32Array(decodeLossless(reader.take(reader.varint()), count, 4, false).buffer);
  const values = decodeLossless(reader.rest(), count, dtype.width, dtype.isFloat);
  const positions = gaps;
  let position = -1;
  for (let i = 0; i < count; i++) {
    position += gaps[i] + 1;
    if (position >= total) throw malformed(332, `a patch at ${position} of ${total} values`);
    positions[i] = position;
  }
  return { positions, values };
}
