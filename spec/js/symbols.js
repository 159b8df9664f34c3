// Symbols (section 9): buckets and extra bits.

const FIRST = 16;
const BUCKETS = 64;
const PIECE = 16;

/** Extra bits of a bucket from 16 on [CAUF-0211]. @param {number} bucket */
const extraBits = (bucket) => ((bucket - FIRST) >> 1) + 3;

/** The symbol that a bucket from 16 on starts at. @param {number} bucket */
const start = (bucket) => (2 + (bucket & 1)) << extraBits(bucket);

/**
 * Symbols of buckets, with their extra bits decoded, which follow in the order of the buckets' array [CAUF-0212].
 * @param {import("./entropy.js").Rans} rans @param {Uint8Array} buckets @returns {Int32Array}
 */
export function decodeExtraBits(rans, buckets) {
  const symbols = new Int32Array(buckets.length);
  const ends = new Int32Array(BUCKETS + 1);
  for (let i = 0; i < buckets.length; i++) {
    const bucket = buckets[i];
    if (bucket < FIRST) symbols[i] = bucket;
    else ends[bucket + 1]++;
  }
  for (let bucket = 0; bucket < BUCKETS; bucket++) ends[bucket + 1] += ends[bucket];
  if (!ends[BUCKETS]) return symbols;
  const next = ends.slice();
  const places = new Int32Array(ends[BUCKETS]);
  for (let i = 0; i < buckets.length; i++) if (buckets[i] >= FIRST) places[next[buckets[i]]++] = i;
  for (let bucket = FIRST; bucket < BUCKETS; bucket++) {
    for (let bits = extraBits(bucket); bits > 0; bits -= PIECE) {
      rans.append(Math.min(bits, PIECE), places, ends[bucket], ends[bucket + 1], symbols);
    }
    for (let i = ends[bucket]; i < ends[bucket + 1]; i++) symbols[places[i]] += start(bucket);
  }
  return symbols;
}
