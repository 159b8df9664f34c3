// Checksums (section 2): CRC-32 of blocks and symbols, SHA-256 of profiles, weights and symbols.

const CRC = new Int32Array(8 * 256);
for (let i = 0; i < 256; i++) {
  let value = i;
  for (let bit = 0; bit < 8; bit++) value = value & 1 ? (value >>> 1) ^ 0xedb88320 : value >>> 1;
  CRC[i] = value;
}
for (let i = 256; i < CRC.length; i++) CRC[i] = (CRC[i - 256] >>> 8) ^ CRC[CRC[i - 256] & 255];

/**
 * CRC-32 as zlib has it [CAUF-0012], continued from an earlier one.
 * @param {Uint8Array} bytes @param {number} [crc] @returns {number} unsigned
 */
export function crc32(bytes, crc = 0) {
  const length = bytes.length;
  let c = ~crc;
  let i = 0;
  for (; i + 8 <= length; i += 8) {
    c ^= bytes[i] | (bytes[i + 1] << 8) | (bytes[i + 2] << 16) | (bytes[i + 3] << 24);
    c =
      CRC[1792 + (c & 255)] ^
      CRC[1536 + ((c >>> 8) & 255)] ^
      CRC[1280 + ((c >>> 16) & 255)] ^
      CRC[1024 + (c >>> 24)] ^
      CRC[768 + bytes[i + 4]] ^
      CRC[512 + bytes[i + 5]] ^
      CRC[256 + bytes[i + 6]] ^
      CRC[bytes[i + 7]];
  }
  for (; i < length; i++) c = (c >>> 8) ^ CRC[(c ^ bytes[i]) & 255];
  return ~c >>> 0;
}

/** The bytes of a typed array, not copied. @param {ArrayBufferView} array */
export const bytesOf = (array) => new Uint8Array(array.buffer, array.byteOffset, array.byteLength);

/** @type {number[]} */
const primes = [];
for (let n = 2; primes.length < 64; n++) if (primes.every((p) => n % p)) primes.push(n);
/** The first 32 bits of the fraction of a root, found by integers. @param {number} n @param {bigint} power */
const fraction = (n, power) => {
  const wanted = BigInt(n) << (32n * power);
  let root = BigInt(Math.floor(n ** (1 / Number(power)) * 2 ** 32));
  while (root ** power > wanted) root--;
  while ((root + 1n) ** power <= wanted) root++;
  return Number(root & 0xffffffffn) | 0;
};
const START = Int32Array.from(primes.slice(0, 8), (p) => fraction(p, 2n));
const ROUND = Int32Array.from(primes, (p) => fraction(p, 3n));

/** SHA-256 of bytes that come in pieces. */
export class Sha256 {
  constructor() {
    this.state = START.slice();
    this.schedule = new Int32Array(64);
    this.block = new Uint8Array(64);
    this.filled = 0;
    this.length = 0;
  }

  /** @param {Uint8Array} bytes */
  update(bytes) {
    this.length += bytes.length;
    let at = 0;
    if (this.filled) {
      at = Math.min(64 - this.filled, bytes.length);
      this.block.set(bytes.subarray(0, at), this.filled);
      this.filled += at;
      if (this.filled < 64) return this;
      this.#mix(this.block, 0);
    }
    for (; at + 64 <= bytes.length; at += 64) this.#mix(bytes, at);
    this.block.set(bytes.subarray(at));
    this.filled = bytes.length - at;
    return this;
  }

  /** The digest. @returns {Uint8Array} */
  digest() {
    const bits = this.length * 8;
    const end = new Uint8Array(this.filled < 56 ? 64 - this.filled : 128 - this.filled);
    end[0] = 128;
    const view = new DataView(end.buffer);
    view.setUint32(end.length - 8, Math.floor(bits / 2 ** 32));
    view.setUint32(end.length - 4, bits >>> 0);
    this.update(end);
    const out = new DataView(new ArrayBuffer(32));
    this.state.forEach((word, i) => out.setInt32(4 * i, word));
    return new Uint8Array(out.buffer);
  }

  /** The digest as 64 letters. */
  hex() {
    return hex(this.digest());
  }

  /** @param {Uint8Array} b @param {number} at */
  #mix(b, at) {
    const w = this.schedule;
    const s = this.state;
    for (let i = 0; i < 16; i++, at += 4) w[i] = (b[at] << 24) | (b[at + 1] << 16) | (b[at + 2] << 8) | b[at + 3];
    for (let i = 16; i < 64; i++) {
      const x = w[i - 15];
      const y = w[i - 2];
      const s0 = ((x >>> 7) | (x << 25)) ^ ((x >>> 18) | (x << 14)) ^ (x >>> 3);
      const s1 = ((y >>> 17) | (y << 15)) ^ ((y >>> 19) | (y << 13)) ^ (y >>> 10);
      w[i] = (w[i - 16] + s0 + w[i - 7] + s1) | 0;
    }
    let [a, bb, c, d, e, f, g, h] = s;
    for (let i = 0; i < 64; i++) {
      const s1 = ((e >>> 6) | (e << 26)) ^ ((e >>> 11) | (e << 21)) ^ ((e >>> 25) | (e << 7));
      const t1 = (h + s1 + ((e & f) ^ (~e & g)) + ROUND[i] + w[i]) | 0;
      const s0 = ((a >>> 2) | (a << 30)) ^ ((a >>> 13) | (a << 19)) ^ ((a >>> 22) | (a << 10));
      const t2 = (s0 + ((a & bb) ^ (a & c) ^ (bb & c))) | 0;
      h = g;
      g = f;
      f = e;
      e = (d + t1) | 0;
      d = c;
      c = bb;
      bb = a;
      a = (t1 + t2) | 0;
    }
    s[0] += a;
    s[1] += bb;
    s[2] += c;
    s[3] += d;
    s[4] += e;
    s[5] += f;
    s[6] += g;
    s[7] += h;
  }
}

/** @param {Uint8Array} bytes */
export const hex = (bytes) => Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");

/** The content hash of a profile or of weights [CAUF-0161], as 32 letters. @param {Uint8Array} file */
export const contentHash = (file) => new Sha256().update(file).hex().slice(0, 32);
