// The lossless codec (section 11): payloads of elements, bit by bit.

import { malformed, unknown } from "./errors.js";
import { inflate } from "./inflate.js";
import { decodeIntegers } from "./integers.js";
import { decodePlanes } from "./planes.js";
import { Reader } from "./reader.js";

/**
 * The elements of a payload.
 * @param {Uint8Array} payload
 * @param {number} count M
 * @param {number} width w, bytes of an element
 * @param {boolean} isRotated whether method 3 holds rotated floats
 * @returns {Uint8Array} little-endian, at the start of a buffer of its own
 */
export function decodeLossless(payload, count, width, isRotated) {
  const reader = new Reader(payload, 300);
  const method = reader.u8();
  const length = count * width;
  switch (method) {
    case 0:
      if (reader.left !== length) throw malformed(300, `${reader.left} stored bytes, not ${length}`);
      return reader.rest().slice();
    case 1:
      return constant(reader, length, width);
    case 2: {
      const out = inflate(reader.rest(), length, 302);
      if (out.length !== length) throw malformed(302, `deflated elements of ${out.length} bytes, not ${length}`);
      return out.byteLength === out.buffer.byteLength ? out : out.slice();
    }
    case 3:
      return decodePlanes(reader, count, width, isRotated);
    case 4:
      return decodeIntegers(reader, count, width);
    default:
      throw unknown("lossless method", method);
  }
}

/** @param {Reader} reader @param {number} length @param {number} width */
function constant(reader, length, width) {
  if (reader.left !== width) throw malformed(301, "a constant that is not one element");
  const element = reader.rest();
  const out = new Uint8Array(length);
  if (!length) return out;
  out.set(element);
  for (let filled = width; filled < length; filled *= 2) out.copyWithin(filled, 0, Math.min(filled, length - filled));
  return out;
}

/** A payload of `count` i16. @param {Uint8Array} payload @param {number} count */
export const decodeShorts = (payload, count) => new Int16Array(decodeLossless(payload, count, 2, false).buffer);

/** Booleans are 0 or 1 [CAUF-0303]. @param {Uint8Array} values */
export function checkBooleans(values) {
  for (let i = 0; i < values.length; i++) if (values[i] > 1) throw malformed(303, `a boolean of ${values[i]}`);
}
