// Nodes of integers (section 11.1): how a sequence of integers is made of others.

import { bytesOf } from "./checksum.js";
import { malformed, unknown } from "./errors.js";
import { inflate } from "./inflate.js";
import { checkedBuckets, decodeSymbols } from "./integer_symbols.js";
import { addTo, copyElements, elementOf, newElements, wordsOf } from "./integer_elements.js";
import { narrow } from "./integer_narrow.js";
import { matches } from "./integer_matches.js";

const DEEPEST = 32;
const MOST = 2 ** 32 - 1;

/** @param {import("./reader.js").Reader} reader @param {number} count M @param {number} width @returns {Uint8Array} */
export function decodeIntegers(reader, count, width) {
  reader.rule = 3;
  const elements = new Nodes(reader, 32 * count + 2 ** 20).node(count, width);
  reader.done(535);
  return bytesOf(elements);
}

/** Nodes that follow each other, with what they may still hold. */
export class Nodes {
  /** @param {import("./reader.js").Reader} reader @param {number} left most elements of all nodes together */
  constructor(reader, left) {
    this.reader = reader;
    this.left = left;
    this.depth = 0;
  }

  /**
   * The next node's elements; those of 8 bytes are pairs of words, the lower one first.
   * @param {number} count n @param {number} width W @returns {any} its array
   */
  node(count, width) {
    if (count < 1 || count > MOST) throw malformed(521, `a node of ${count} elements`);
    if (this.depth === DEEPEST) throw malformed(521, `nodes nested deeper than ${DEEPEST}`);
    this.left -= count;
    if (this.left < 0) throw malformed(521, "nodes of too many elements");
    this.depth++;
    const kind = this.reader.u8();
    if (kind >= KINDS.length) throw unknown("kind of node", kind);
    const out = KINDS[kind](this, count, width);
    this.depth--;
    return out;
  }
}

/** @type {((nodes: Nodes, count: number, width: number) => any)[]} */
const KINDS = [
  raw,
  constant,
  deflated,
  narrow,
  delta,
  runs,
  bits,
  palette,
  decodeSymbols,
  checkedBuckets,
  split,
  matches,
  bytes,
];

/** @param {Nodes} nodes @param {number} count @param {number} width */
function raw({ reader }, count, width) {
  return elementsOf(reader.take(count * width), width);
}

/** @param {Uint8Array} data @param {number} width */
function elementsOf(data, width) {
  const out = newElements(data.length / width, width);
  bytesOf(out).set(data);
  return out;
}

/** @param {Nodes} nodes @param {number} count @param {number} width */
function constant({ reader }, count, width) {
  const element = elementsOf(reader.take(width), width);
  const out = newElements(count, width);
  if (width < 8) return out.fill(element[0]);
  for (let i = 0; i < out.length; i++) out[i] = element[i & 1];
  return out;
}

/** @param {Nodes} nodes @param {number} count @param {number} width */
function deflated({ reader }, count, width) {
  const data = inflate(reader.take(reader.varint()), count * width, 523);
  if (data.length !== count * width) throw malformed(523, "deflated data that end before their elements");
  return elementsOf(data, width);
}

/** @param {Nodes} nodes @param {number} count @param {number} width */
function delta(nodes, count, width) {
  const { reader } = nodes;
  const mode = reader.u8();
  const stride = reader.varint();
  const start = reader.varint64();
  if (mode > 2) throw malformed(525, `mode ${mode} of a delta`);
  if (stride < 1 || stride >= count) throw malformed(525, `stride ${stride} of ${count} elements`);
  if (start >> BigInt(8 * width)) throw malformed(525, "a start that is too large");
  const out = nodes.node(count, width);
  const first = elementOf(start, width);
  if (mode === 1) undoZigzag(out, width);
  const step = stride * wordsOf(width);
  for (let i = 0; i < out.length; i += wordsOf(width)) {
    const [from, at] = i < step ? [first, 0] : [out, i - step];
    if (mode < 2) addTo(out, i, from, at, width);
    else for (let word = 0; word < wordsOf(width); word++) out[i + word] ^= from[at + word];
  }
  return out;
}

/** `(c >> 1) ^ -(c & 1)`. @param {any} elements @param {number} width */
function undoZigzag(elements, width) {
  if (width < 8) {
    for (let i = 0; i < elements.length; i++) elements[i] = (elements[i] >>> 1) ^ -(elements[i] & 1);
    return;
  }
  for (let i = 0; i < elements.length; i += 2) {
    const sign = -(elements[i] & 1);
    elements[i] = ((elements[i] >>> 1) | (elements[i + 1] << 31)) ^ sign;
    elements[i + 1] = (elements[i + 1] >>> 1) ^ sign;
  }
}

/** @param {Nodes} nodes @param {number} count @param {number} width */
function runs(nodes, count, width) {
  const runCount = nodes.reader.varint();
  if (runCount < 1 || runCount > count / 2) throw malformed(527, `${runCount} runs of ${count} elements`);
  const lengths = nodes.node(runCount, 4);
  const values = nodes.node(runCount, width);
  let sum = runCount;
  for (let i = 0; i < runCount; i++) sum += lengths[i];
  if (sum !== count) throw malformed(527, "runs whose lengths are not those of all elements");
  const out = newElements(count, width);
  for (let i = 0, at = 0; i < runCount; i++) {
    for (const end = at + lengths[i] + 1; at < end; at++) copyElements(values, i, out, at, 1, width);
  }
  return out;
}

/** @param {Nodes} nodes @param {number} count @param {number} width */
function bits(nodes, count, width) {
  const packed = nodes.node(Math.ceil(count / 8), 1);
  if (count % 8 && packed[packed.length - 1] & (255 >> (count % 8))) throw malformed(526, "spare bits that are not 0");
  const out = newElements(count, width);
  const words = wordsOf(width);
  for (let i = 0; i < count; i++) out[i * words] = (packed[i >> 3] >> (7 - (i & 7))) & 1;
  return out;
}

/** @param {Nodes} nodes @param {number} count @param {number} width */
function palette(nodes, count, width) {
  const size = nodes.reader.varint();
  if (size < 1 || size > Math.min(count, 65536)) throw malformed(528, `a palette of ${size} for ${count} elements`);
  const values = nodes.node(size, width);
  const indexes = nodes.node(count, size <= 256 ? 1 : 2);
  const out = newElements(count, width);
  for (let i = 0; i < count; i++) {
    if (indexes[i] >= size) throw malformed(528, "an index beyond its palette");
    copyElements(values, indexes[i], out, i, 1, width);
  }
  return out;
}

/** @param {Nodes} nodes @param {number} count @param {number} width */
function split(nodes, count, width) {
  const inner = nodes.reader.varint();
  const period = nodes.reader.varint();
  if (inner < 1 || period < 1 || inner * period > count)
    throw malformed(532, "a split of more elements than there are");
  const groups = nodes.node(period, 1);
  const sizes = new Float64Array(largest(groups) + 1);
  const whole = Math.floor(count / (inner * period));
  const rest = count - whole * inner * period;
  groups.forEach(
    (/** @type {number} */ group, /** @type {number} */ i) =>
      (sizes[group] += whole * inner + Math.min(inner, Math.max(0, rest - i * inner))),
  );
  if (sizes.some((size) => !size)) throw malformed(532, "a group without elements");
  const parts = Array.from(sizes, (size) => nodes.node(size, width));
  const next = new Int32Array(sizes.length);
  const out = newElements(count, width);
  for (let at = 0, i = 0; at < count; at += inner, i = i + 1 === period ? 0 : i + 1) {
    const length = Math.min(inner, count - at);
    copyElements(parts[groups[i]], next[groups[i]], out, at, length, width);
    next[groups[i]] += length;
  }
  return out;
}

/** @param {Uint8Array} numbers */
const largest = (numbers) => numbers.reduce((a, b) => Math.max(a, b), 0);

/** @param {Nodes} nodes @param {number} count @param {number} width */
function bytes(nodes, count, width) {
  return elementsOf(nodes.node(count * width, 1), width);
}
