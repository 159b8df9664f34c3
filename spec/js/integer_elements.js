// Elements of nodes: unsigned integers of 1, 2, 4 or 8 bytes, the last as pairs of words, the lower word first.

/** @param {number} count @param {number} width @returns {any} */
export function newElements(count, width) {
  if (width === 1) return new Uint8Array(count);
  if (width === 2) return new Uint16Array(count);
  return new Uint32Array(count * wordsOf(width));
}

/** Entries of an array that an element takes. @param {number} width */
export const wordsOf = (width) => (width === 8 ? 2 : 1);

/** An integer as an element, modulo 2^(8 W). @param {bigint} value @param {number} width */
export function elementOf(value, width) {
  const out = newElements(1, width);
  const view = new DataView(out.buffer);
  for (let i = 0; i < width; i++) view.setUint8(i, Number((value >> BigInt(8 * i)) & 255n));
  return out;
}

/**
 * Copy so many elements, which may be some that are copied just before.
 * @param {any} from
 * @param {number} source
 * @param {any} to
 * @param {number} target
 * @param {number} count
 * @param {number} width
 */
export function copyElements(from, source, to, target, count, width) {
  const words = wordsOf(width);
  const shift = target * words - source * words;
  for (let i = source * words, end = i + count * words; i < end; i++) to[i + shift] = from[i];
}

/**
 * Add an element to another one.
 * @param {any} to
 * @param {number} target
 * @param {any} from
 * @param {number} source
 * @param {number} width
 */
export function addTo(to, target, from, source, width) {
  if (width < 8) {
    to[target] += from[source];
    return;
  }
  const low = to[target] + from[source];
  to[target] = low;
  to[target + 1] += from[source + 1] + (low >= 2 ** 32 ? 1 : 0);
}

/**
 * Multiply an element by a factor.
 * @param {any} elements
 * @param {number} at
 * @param {any} factor
 * @param {number} width
 */
export function multiply(elements, at, factor, width) {
  const [a, b] = [elements[at], factor[0]];
  if (width < 8) {
    elements[at] = Math.imul(a, b);
    return;
  }
  const middle = (a & 0xffff) * (b >>> 16) + (a >>> 16) * (b & 0xffff);
  const low = (a & 0xffff) * (b & 0xffff) + (middle % 65536) * 65536;
  const high = (a >>> 16) * (b >>> 16) + Math.floor(middle / 65536) + Math.floor(low / 2 ** 32);
  elements[at] = low;
  elements[at + 1] = high + Math.imul(a, factor[1]) + Math.imul(elements[at + 1], b);
}
