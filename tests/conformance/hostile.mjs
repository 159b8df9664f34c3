// What strangers' bytes do to the decoder in JavaScript: `node hostile.mjs SEED TIMES FILE ...` prints, as JSON, how many
// files were tried, which of those with a flipped bit or a cut were not refused, and what was thrown that is no CaufError.

import { readFileSync } from "node:fs";
import { CaufError, openBytes } from "../../spec/js/caufc.js";
import { crc32 } from "../../spec/js/checksum.js";

const HEADER = 10;
const [, , seed, times, ...paths] = process.argv;
const needs = paths.filter((path) => /\.cauf[pw]$/.test(path)).map((path) => readFileSync(path));
const found = { tried: 0, accepted: [], foreign: [] };
let state = Number(seed);

/** Whole numbers below a bound, the same ones in every run. */
function random(below) {
  state = (Math.imul(state, 1103515245) + 12345) >>> 0;
  return Math.floor((state / 2 ** 32) * below);
}

/** Whether a file decodes. */
function decodes(bytes, what) {
  found.tried++;
  try {
    openBytes(bytes, { needs }).decode();
    return true;
  } catch (error) {
    if (!(error instanceof CaufError)) found.foreign.push(`${what}: ${error.stack}`);
    return false;
  }
}

/** Every cut and every flipped bit. */
function damage(file, path) {
  for (let at = 0; at < file.length; at++) {
    if (decodes(file.slice(0, at), `${path} cut at ${at}`)) found.accepted.push(`${path} cut at ${at}`);
    for (let bit = 0; bit < 8; bit++) {
      const flipped = file.slice();
      flipped[at] ^= 1 << bit;
      if (decodes(flipped, `${path}, bit ${bit} of ${at}`)) found.accepted.push(`${path}, bit ${bit} of ${at}`);
    }
  }
}

/** Where the header and the blocks of a sound file start, and where what they hold does and ends. */
function parts(file) {
  const out = [];
  for (let start = 0; start < file.length; ) {
    let at = start ? start + 1 : HEADER;
    let length = 0;
    for (let factor = 1; ; factor *= 128) {
      length += (file[at] & 127) * factor;
      if (file[at++] < 128) break;
    }
    out.push({ start, from: at, to: at + length });
    start = at + length + 4;
  }
  return out;
}

/** A file with a few other bytes, whose checksums of blocks are right again. */
function forge(file) {
  const out = file.slice();
  const all = parts(file);
  for (let change = random(3); change >= 0; change--) {
    const { from, to } = all[random(all.length)];
    if (from === to) continue;
    const at = from + random(random(2) ? Math.min(40, to - from) : to - from);
    out[at] = random(3) ? out[at] ^ (1 << random(8)) : [0, 1, 127, 128, 255][random(5)];
  }
  const view = new DataView(out.buffer);
  let checksum = 0;
  for (const { start, to } of all) {
    const own = crc32(out.subarray(start, to), checksum);
    if (!start) checksum = own;
    view.setUint32(to, own, true);
  }
  return out;
}

for (const path of paths.filter((path) => path.endsWith(".cauf"))) {
  const file = new Uint8Array(readFileSync(path));
  if (Number(times)) for (let i = 0; i < Number(times); i++) decodes(forge(file), `${path} forged, number ${i}`);
  else damage(file, path);
}
console.log(JSON.stringify(found));
