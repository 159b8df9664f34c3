// Dtypes (registry): widths, arrays, and the casts that end reconstruction (section 7.2).

/**
 * @typedef {object} Dtype
 * @property {string} name
 * @property {number} width bytes of a value
 * @property {any} Array the typed array of values; those of fp16, bf16 and the fp8 hold bits
 * @property {boolean} isFloat one of fp32, fp16, bf16 and fp64, which method 3 rotates
 */

/** @type {[string, number, any, boolean?][]} */
const ROWS = [
  ["fp32", 4, Float32Array, true],
  ["fp16", 2, Uint16Array, true],
  ["bf16", 2, Uint16Array, true],
  ["fp64", 8, Float64Array, true],
  ["int8", 1, Int8Array],
  ["int16", 2, Int16Array],
  ["int32", 4, Int32Array],
  ["int64", 8, BigInt64Array],
  ["uint8", 1, Uint8Array],
  ["uint16", 2, Uint16Array],
  ["uint32", 4, Uint32Array],
  ["uint64", 8, BigUint64Array],
  ["bool", 1, Uint8Array],
  ["fp8_e4m3fn", 1, Uint8Array],
  ["fp8_e5m2", 1, Uint8Array],
  ["fp8_e4m3fnuz", 1, Uint8Array],
  ["fp8_e5m2fnuz", 1, Uint8Array],
  ["fp8_e8m0fnu", 1, Uint8Array],
  ["note", 1, Uint8Array],
];

/** By number. @type {Dtype[]} */
export const DTYPES = ROWS.map(([name, width, array, isFloat = false]) => ({ name, width, Array: array, isFloat }));

const FLOAT = new Float32Array(1);
const BITS = new Uint32Array(FLOAT.buffer);
const LARGEST = /** @type {Record<string, number>} */ ({
  fp32: (2 - 2 ** -23) * 2 ** 127,
  fp16: 65504,
  bf16: (2 - 2 ** -7) * 2 ** 127,
  fp64: Number.MAX_VALUE,
});

/**
 * Working floats as values of a dtype, to nearest, ties to even, none beyond the largest finite one [CAUF-0360].
 * @param {Float32Array | Float64Array} from @param {Dtype} dtype @returns {any} the dtype's array
 */
export function cast(from, dtype) {
  const largest = LARGEST[dtype.name];
  const bits = dtype.name === "fp16" ? bitsOfHalf : dtype.name === "bf16" ? bitsOfBrain : null;
  if (!bits) {
    for (let i = 0; i < from.length; i++) {
      if (from[i] > largest) from[i] = largest;
      else if (from[i] < -largest) from[i] = -largest;
    }
    return from;
  }
  const out = new Uint16Array(from.length);
  for (let i = 0; i < out.length; i++) {
    const value = from[i];
    out[i] = bits(value > largest ? largest : value < -largest ? -largest : value);
  }
  return out;
}

/** @param {number} value of 32 bits, at most the largest half */
function bitsOfHalf(value) {
  FLOAT[0] = value;
  const bits = BITS[0];
  const sign = (bits >>> 16) & 0x8000;
  const magnitude = bits & 0x7fffffff;
  if (magnitude > 0x7f800000) return sign | 0x7e00;
  if (magnitude < 0x38800000) {
    FLOAT[0] = Math.abs(value) + 0.5; // its unit is 2^-24, that of halves below 2^-14
    return sign | (BITS[0] - 0x3f000000);
  }
  return sign | ((magnitude - 0x38000000 + 0xfff + ((magnitude >>> 13) & 1)) >>> 13);
}

/** @param {number} value of 32 bits, at most the largest of bf16 */
function bitsOfBrain(value) {
  FLOAT[0] = value;
  const bits = BITS[0];
  if ((bits & 0x7fffffff) > 0x7f800000) return (bits >>> 16) | 0x40;
  return (bits + 0x7fff + ((bits >>> 16) & 1)) >>> 16;
}

/**
 * Values as numbers that a program can reckon with: of fp16, bf16 and the fp8, what their bits mean.
 * @param {ArrayLike<any>} values @param {string} dtype @returns {Float64Array}
 */
export function numbers(values, dtype) {
  const meaning = dtype.startsWith("fp8") ? byteFloats(dtype) : null;
  return Float64Array.from({ length: values.length }, (_, i) => {
    if (meaning) return meaning[values[i]];
    if (dtype === "bf16") {
      BITS[0] = values[i] << 16;
      return FLOAT[0];
    }
    return dtype === "fp16" ? half(values[i]) : Number(values[i]);
  });
}

/** @param {number} bits */
function half(bits) {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 1023;
  if (exponent === 31) return fraction ? NaN : sign * Infinity;
  return sign * (exponent ? (1024 + fraction) * 2 ** (exponent - 25) : fraction * 2 ** -24);
}

/** What each byte of an 8-bit float means. @param {string} dtype */
function byteFloats(dtype) {
  if (dtype === "fp8_e8m0fnu") return Float64Array.from({ length: 256 }, (_, i) => (i === 255 ? NaN : 2 ** (i - 127)));
  const fractionBits = dtype.includes("e4m3") ? 3 : 2;
  const isUnsignedZero = dtype.endsWith("uz");
  const bias = (1 << (6 - fractionBits)) - (isUnsignedZero ? 0 : 1);
  return Float64Array.from({ length: 256 }, (_, i) => {
    const exponent = (i & 127) >> fractionBits;
    const fraction = (i & ((1 << fractionBits) - 1)) / (1 << fractionBits);
    const sign = i & 128 ? -1 : 1;
    if (isUnsignedZero && i === 128) return NaN;
    if (dtype === "fp8_e4m3fn" && (i & 127) === 127) return NaN;
    if (dtype === "fp8_e5m2" && exponent === 31) return fraction ? NaN : sign * Infinity;
    return sign * (exponent ? (1 + fraction) * 2 ** (exponent - bias) : fraction * 2 ** (1 - bias));
  });
}
