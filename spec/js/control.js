// What rate was asked for, in words (0552): informative.

/** @type {Record<string, string>} */
const ALONE = { l: "quality 25", m: "quality 50", h: "quality 75", x: "lossless", lossless: "lossless" };
/** @type {Record<string, string>} */
const WORDS = {
  q: "quality {}",
  s: "SNR {} dB",
  snr: "SNR {} dB",
  t: "SNR {} dB per token",
  b: "{} BPFP",
  bpfp: "{} BPFP",
  e: "largest error {}",
};

/** A control as people read it; what has no such form stays as it is. @param {string | null} control */
export function controlText(control) {
  if (control === null) return null;
  if (Object.hasOwn(ALONE, control)) return ALONE[control];
  const found = /^(q|snr|s|t|bpfp|b|e)([-+]?(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?)(\/token)?$/.exec(control);
  if (!found || (found[3] && found[1] !== "snr")) return control;
  return WORDS[found[3] ? "t" : found[1]].replace("{}", String(Number(found[2])));
}
