// Matches: elements that repeat earlier ones, between literals.

import { malformed } from "./errors.js";
import { copyElements, newElements } from "./integer_elements.js";

const LEAST_COPY = 2;

/** @param {import("./integers.js").Nodes} nodes @param {number} count @param {number} width [CAUF-0533] */
export function matches(nodes, count, width) {
  const matchCount = nodes.reader.varint();
  if (matchCount < 1 || matchCount > count / 2) throw malformed(533, `${matchCount} matches in ${count} elements`);
  const gaps = nodes.node(matchCount, 4);
  const lengths = nodes.node(matchCount, 4);
  const distances = nodes.node(matchCount, 4);
  let copies = 0;
  let gapSum = 0;
  for (let i = 0; i < matchCount; i++) {
    copies += lengths[i] + LEAST_COPY;
    gapSum += gaps[i];
  }
  if (copies + gapSum > count) throw malformed(533, "matches that go beyond the elements");
  const literals = copies < count ? nodes.node(count - copies, width) : newElements(0, width);
  const out = newElements(count, width);
  let at = 0;
  let used = 0;
  let distance = 0;
  for (let i = 0; i < matchCount; i++) {
    copyElements(literals, used, out, at, gaps[i], width);
    used += gaps[i];
    at += gaps[i];
    distance = distances[i] || distance;
    if (!distance || distance > at) throw malformed(534, `distance ${distance} of ${at} elements`);
    copyElements(out, at - distance, out, at, lengths[i] + LEAST_COPY, width);
    at += lengths[i] + LEAST_COPY;
  }
  copyElements(literals, used, out, at, count - at, width);
  return out;
}
