// Payloads of the codecs of features (section 9, requirement 0206).

import { checkScaleCodes } from "./codes.js";
import { unknown } from "./errors.js";
import { decodeShorts } from "./lossless.js";
import { Reader } from "./reader.js";

const PATCHES = 1;
const SCALES = 2;

/**
 * @typedef {object} Payload
 * @property {Int16Array | null} side offset codes of tokens, then their scale codes
 * @property {Int16Array | null} scales codes of the scales of tokens
 * @property {Uint8Array | null} patches
 * @property {Uint8Array} words
 */

/**
 * @param {Uint8Array} bytes
 * @param {number} tokens N
 * @param {boolean} isOfTokens whether alignment is
 * @returns {Payload}
 */
export function parsePayload(bytes, tokens, isOfTokens) {
  const reader = new Reader(bytes, 3);
  const flags = reader.u8();
  if (flags & ~(PATCHES | SCALES)) throw unknown("flags of a payload", flags);
  const side = isOfTokens ? decodeShorts(reader.take(reader.varint()), 2 * tokens) : null;
  if (side) checkScaleCodes(side.subarray(tokens));
  const scales = flags & SCALES ? decodeShorts(reader.take(reader.varint()), tokens) : null;
  if (scales) checkScaleCodes(scales);
  const patches = flags & PATCHES ? reader.take(reader.varint()) : null;
  return { side, scales, patches, words: reader.rest() };
}
