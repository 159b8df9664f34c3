// Codes of scales and offsets (section 7), which bases and steps use too.

import { malformed } from "./errors.js";

const OCTAVE = new Float32Array(
  Uint32Array.of(0x3f800000, 0x3f8b95c2, 0x3f9837f0, 0x3fa5fed7, 0x3fb504f3, 0x3fc5672a, 0x3fd744fd, 0x3feac0c7).buffer,
);
const MOST = 960;

/** What a scale code stands for, 2^(code / 8) by the table of [CAUF-0354], exact in `f64`. @param {number} code */
export const scaleOf = (code) => OCTAVE[code & 7] * 2 ** (code >> 3);

/** What an offset code stands for beside a scale [CAUF-0355]. @param {number} code @param {number} scale */
export const offsetOf = (code, scale) => Math.fround(Math.fround(code) * (scale / 16));

/** @param {Int16Array} codes [CAUF-0356] */
export function checkScaleCodes(codes) {
  for (let i = 0; i < codes.length; i++) {
    if (codes[i] < -MOST || codes[i] > MOST) throw malformed(356, `scale code ${codes[i]}`);
  }
}
