// Narrow nodes: elements of fewer bytes, times a step, plus a base.

import { malformed } from "./errors.js";
import { addTo, elementOf, multiply, newElements, wordsOf } from "./integer_elements.js";

const STEPPED = 16;

/** @param {import("./integers.js").Nodes} nodes @param {number} count @param {number} width [CAUF-0524] */
export function narrow(nodes, count, width) {
  const { reader } = nodes;
  const form = reader.u8();
  const childWidth = form & ~STEPPED;
  if (![1, 2, 4, 8].includes(childWidth) || childWidth > width) throw malformed(524, `form ${form} of a narrow node`);
  const code = reader.varint64();
  const base = elementOf((code >> 1n) ^ -(code & 1n), width);
  const step = form & STEPPED ? reader.varint64() : 1n;
  if (form & STEPPED && step < 2n) throw malformed(524, `step ${step}`);
  const child = nodes.node(count, childWidth);
  const factor = elementOf(step, width);
  const out = newElements(count, width);
  const [words, childWords] = [wordsOf(width), wordsOf(childWidth)];
  for (let i = 0; i < count; i++) {
    for (let word = 0; word < childWords; word++) out[i * words + word] = child[i * childWords + word];
    if (step !== 1n) multiply(out, i * words, factor, width);
    addTo(out, i * words, base, 0, width);
  }
  return out;
}
