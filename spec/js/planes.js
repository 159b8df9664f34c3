// Byte planes (section 11, method 3): the bytes of elements by significance, each in contexts of those before.

import { Rans } from "./entropy.js";
import { malformed, unknown } from "./errors.js";
import { Lattice } from "./lattice.js";
import { Reader } from "./reader.js";
import { Table } from "./tables.js";

const MOST_INTERVALS = 15;
const RAW = 0;
const CONSTANT = 1;
const TABLE = 2;
const NO_FAVOURITE = 256;

/**
 * How bytes of a context are found: a table, a constant (favourite alone), or raw bytes (neither).
 * @typedef {{ table: Table | null, favourite: number }} Model
 */

/**
 * @param {Reader} reader
 * @param {number} count
 * @param {number} width
 * @param {boolean} isRotated
 * @returns {Uint8Array}
 */
export function decodePlanes(reader, count, width, isRotated) {
  reader.rule = 310;
  const lengths = [reader.u32(), reader.u32()];
  const head = new Reader(reader.take(lengths[0]), 311);
  const words = reader.take(lengths[1]);
  const decoder = new Decoder(head, words, reader.rest(), count, width);
  for (let plane = 0; plane < width; plane++) decoder.decodePlane(plane);
  decoder.done();
  return joinPlanes(decoder.planes, count, width, isRotated);
}

class Decoder {
  /**
   * @param {Reader} head
   * @param {Uint8Array} words
   * @param {Uint8Array} raw
   * @param {number} count
   * @param {number} width
   */
  constructor(head, words, raw, count, width) {
    const grid = head.u8();
    if (grid > 1) throw malformed(316, `grid ${grid}`);
    this.isGrid = grid === 1;
    this.lattice = new Lattice(count, this.isGrid ? [head.u32(), head.u32(), head.u32()] : null);
    const means = this.isGrid ? intervals(head) : null;
    const firsts = intervals(head);
    this.intervalOfMean = means?.interval ?? new Uint8Array(256);
    this.intervalOfFirst = firsts.interval;
    const contexts = (/** @type {number} */ plane) => {
      if (plane === 0) return means ? means.count + 2 : 1;
      return (plane > 1 ? 2 : this.isGrid ? 3 : 1) * (firsts.count + 1);
    };
    /** @type {Model[][]} */
    this.models = [];
    for (let plane = 0; plane < width; plane++) {
      this.models.push(Array.from({ length: contexts(plane) }, () => contextModel(head)));
    }
    head.done(311);
    this.rans = new Rans(words);
    this.raw = raw;
    this.rawUsed = 0;
    this.planes = Array.from({ length: width }, () => new Uint8Array(count));
    /** Context by element, in the order of a pass. */
    this.contexts = new Uint8Array(count);
    /** Whether an element's byte in the plane before was the favourite of its context. */
    this.isFavourite = new Uint8Array(count);
  }

  /** @param {number} plane */
  decodePlane(plane) {
    const passes = plane < 2 ? this.lattice.passes() : [this.lattice.whole()];
    for (const { places, before, behind, isFirst } of passes) {
      if (plane === 0) this.findContextsOfFirst(places, before, behind, isFirst);
      else if (plane === 1) this.findContextsOfSecond(places, before, behind, isFirst);
      else this.findContexts(places);
      this.decodePass(this.planes[plane], this.models[plane], places, plane > 0);
    }
  }

  /** @param {Int32Array} places @param {Int32Array} before @param {Int32Array} behind @param {boolean} isFirst */
  findContextsOfFirst(places, before, behind, isFirst) {
    const {
      contexts,
      intervalOfMean,
      planes: [bytes],
    } = this;
    if (isFirst) contexts.fill(0, 0, places.length);
    else {
      for (let i = 0; i < places.length; i++) {
        contexts[i] = 1 + intervalOfMean[(bytes[before[i]] + bytes[behind[i]] + 1) >> 1];
      }
    }
  }

  /** @param {Int32Array} places @param {Int32Array} before @param {Int32Array} behind @param {boolean} isFirst */
  findContextsOfSecond(places, before, behind, isFirst) {
    const {
      contexts,
      intervalOfFirst,
      planes: [firsts, bytes],
      isGrid,
    } = this;
    for (let i = 0; i < places.length; i++) {
      const interval = intervalOfFirst[firsts[places[i]]];
      const large = isFirst ? 1 : (bytes[before[i]] >> 7) + (bytes[behind[i]] >> 7);
      contexts[i] = isGrid ? 3 * interval + large : interval;
    }
  }

  /** @param {Int32Array} places */
  findContexts(places) {
    const {
      contexts,
      intervalOfFirst,
      isFavourite,
      planes: [firsts],
    } = this;
    for (let i = 0; i < places.length; i++) {
      contexts[i] = 2 * intervalOfFirst[firsts[places[i]]] + isFavourite[places[i]];
    }
  }

  /**
   * @param {Uint8Array} bytes
   * @param {Model[]} models
   * @param {Int32Array} places
   * @param {boolean} isTold whether favourites decide on the next plane
   */
  decodePass(bytes, models, places, isTold) {
    const { contexts, rans, raw, isFavourite } = this;
    const { length } = places;
    const ends = new Int32Array(models.length + 1);
    for (let i = 0; i < length; i++) ends[contexts[i] + 1]++;
    for (let i = 0; i < models.length; i++) ends[i + 1] += ends[i];
    const next = ends.slice();
    const sorted = new Int32Array(length);
    for (let i = 0; i < length; i++) sorted[next[contexts[i]]++] = places[i];
    let hasRaw = false;
    models.forEach(({ table, favourite }, context) => {
      const [from, to] = [ends[context], ends[context + 1]];
      if (table) rans.decode(table, sorted, from, to, bytes);
      else if (favourite !== NO_FAVOURITE) for (let i = from; i < to; i++) bytes[sorted[i]] = favourite;
      else hasRaw ||= to > from;
    });
    const favourites = Uint16Array.from(models, ({ favourite }) => favourite);
    if (hasRaw) {
      for (let i = 0; i < length; i++) {
        if (favourites[contexts[i]] !== NO_FAVOURITE) continue;
        if (this.rawUsed === raw.length) throw malformed(312, "raw bytes that end early");
        bytes[places[i]] = raw[this.rawUsed++];
      }
    }
    if (!isTold) return;
    for (let i = 0; i < length; i++) isFavourite[places[i]] = bytes[places[i]] === favourites[contexts[i]] ? 1 : 0;
  }

  done() {
    this.rans.done(251);
    if (this.rawUsed !== this.raw.length) throw malformed(311, "raw bytes that are left over");
  }
}

/** @param {Reader} head */
function intervals(head) {
  head.rule = 314;
  const count = head.u8();
  if (count > MOST_INTERVALS) throw malformed(314, `${count} intervals`);
  const starts = head.take(count);
  if (starts.some((start, i) => start <= (i ? starts[i - 1] : 0)))
    throw malformed(314, "intervals that do not ascend from 1");
  head.rule = 311;
  const interval = Uint8Array.from({ length: 256 }, (_, byte) => starts.filter((start) => start <= byte).length);
  return { count, interval };
}

/** @param {Reader} head @returns {Model} */
function contextModel(head) {
  const rule = 321;
  const kind = head.take(1, rule)[0];
  if (kind === RAW) return { table: null, favourite: NO_FAVOURITE };
  if (kind === CONSTANT) return { table: null, favourite: head.take(1, rule)[0] };
  if (kind !== TABLE) throw unknown("context model", kind);
  const isSet = head.take(32, 322);
  const levels = new Uint8Array(256);
  for (let byte = 0; byte < 256; byte++) {
    if (!((isSet[byte >> 3] >> (7 - (byte & 7))) & 1)) continue;
    levels[byte] = head.take(1, 322)[0];
    if (!levels[byte]) throw malformed(322, "a level that is 0 where it is said not to be");
  }
  const table = new Table(levels);
  return { table, favourite: table.favourite };
}

/**
 * Elements of their bytes, those of rotated floats turned back [CAUF-0319].
 * @param {Uint8Array[]} planes @param {number} count @param {number} width @param {boolean} isRotated
 */
function joinPlanes(planes, count, width, isRotated) {
  const out = new Uint8Array(count * width);
  planes.forEach((plane, number) => {
    for (let i = 0, at = width - 1 - number; i < count; i++, at += width) out[at] = plane[i];
  });
  if (!isRotated) return out;
  for (let at = width - 1; at < out.length; at += width) {
    const first = out[at];
    const second = out[at - 1];
    out[at] = (second & 128) | (first >> 1);
    out[at - 1] = ((first & 1) << 7) | (second & 127);
  }
  return out;
}
