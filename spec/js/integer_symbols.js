// Nodes that are entropy-coded: symbols of one table, and buckets with extra bits.

import { Rans } from "./entropy.js";
import { malformed } from "./errors.js";
import { newElements, wordsOf } from "./integer_elements.js";
import { Table } from "./tables.js";

const MOST_SYMBOLS = 65536;
const MOST_EXTRA = 56;
const PIECE = 1 << 16;

/** @param {import("./integers.js").Nodes} nodes @param {number} count @param {number} width [CAUF-0529] */
export function decodeSymbols(nodes, count, width) {
  const size = nodes.reader.varint();
  if (size < 2 || size > Math.min(MOST_SYMBOLS, 2 ** (8 * width), Math.max(count, 256))) {
    throw malformed(529, `${size} symbols of ${count} elements`);
  }
  const table = new Table(nodes.node(size, 1));
  const rans = new Rans(nodes.reader.take(nodes.reader.varint()));
  const out = newElements(count, width);
  const words = wordsOf(width);
  const places = new Int32Array(Math.min(count, PIECE));
  for (let start = 0; start < count; start += PIECE) {
    const length = Math.min(PIECE, count - start);
    for (let i = 0; i < length; i++) places[i] = (start + i) * words;
    rans.decode(table, places, 0, length, out);
  }
  rans.done();
  return out;
}

/** @param {import("./integers.js").Nodes} nodes @param {number} count @param {number} width [CAUF-0530] */
export function checkedBuckets(nodes, count, width) {
  const mantissa = nodes.reader.u8();
  if (mantissa > 2) throw malformed(530, `a mantissa of ${mantissa} bits`);
  const buckets = nodes.node(count, 1);
  let bits = 0;
  for (let i = 0; i < count; i++) {
    const extra = Math.max(0, (buckets[i] >> mantissa) - 1);
    if (extra > MOST_EXTRA || extra + mantissa + 1 > 8 * width)
      throw malformed(530, `bucket ${buckets[i]} is too large`);
    bits += extra;
  }
  const length = nodes.reader.varint();
  if (length !== Math.ceil(bits / 8)) throw malformed(531, `${length} bytes of extra bits, not ${Math.ceil(bits / 8)}`);
  const data = nodes.reader.take(length);
  if (bits % 8 && data[length - 1] >> (bits % 8)) throw malformed(531, "spare bits that are not 0");
  return joinBuckets(buckets, data, mantissa, count, width);
}

/**
 * @param {any} buckets
 * @param {Uint8Array} data
 * @param {number} mantissa
 * @param {number} count
 * @param {number} width
 */
function joinBuckets(buckets, data, mantissa, count, width) {
  const out = newElements(count, width);
  const words = wordsOf(width);
  let at = 0;
  let used = 0; // bits of the byte there
  const take = (/** @type {number} */ bits) => {
    let value = 0;
    for (let done = 0; done < bits;) {
      const piece = Math.min(8 - used, bits - done);
      value += ((data[at] >> used) & ((1 << piece) - 1)) * 2 ** done;
      done += piece;
      used += piece;
      if (used === 8) {
        at++;
        used = 0;
      }
    }
    return value;
  };
  for (let i = 0; i < count; i++) {
    const bucket = buckets[i];
    const extra = (bucket >> mantissa) - 1;
    if (extra < 1) {
      out[i * words] = bucket;
      continue;
    }
    const top = bucket - (extra << mantissa);
    const lowExtra = Math.min(extra, 32);
    const low = take(lowExtra);
    if (words === 1) out[i] = top * 2 ** extra + low;
    else if (extra < 32) {
      const value = top * 2 ** extra + low; // below 2^35
      out[2 * i] = value;
      out[2 * i + 1] = Math.floor(value / 2 ** 32);
    } else {
      out[2 * i] = low;
      out[2 * i + 1] = top * 2 ** (extra - 32) + take(extra - 32);
    }
  }
  return out;
}
