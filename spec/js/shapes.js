// Shapes of a chunk's samples (section 8), read from its bytes when they are asked for: a few bytes announce many.

import { Reader } from "./reader.js";

/** Shapes of one tensor's samples in a chunk. */
export class Shapes {
  #template;
  #sizes;

  /**
   * @param {(number | null)[]} template the record's shape
   * @param {number} count of samples
   * @param {Reader} reader at the sizes of axes that are nil in the record's shape
   */
  constructor(template, count, reader) {
    this.#template = template;
    this.count = count;
    const start = reader.at;
    const nils = template.filter((size) => size === null).length;
    for (let i = nils * count; i > 0; i--) reader.varint();
    this.#sizes = reader.bytes.subarray(start, reader.at);
  }

  /** Whether they are those of another tensor of the same template. @param {Shapes} other */
  equal(other) {
    const [own, others] = [this.#sizes, other.#sizes];
    return own.length === others.length && own.every((byte, i) => byte === others[i]);
  }

  /** Shapes in order, each with the number of samples that have it. @returns {Generator<[number[], number]>} */
  *runs() {
    if (!this.#template.includes(null)) {
      yield [/** @type {number[]} */ (this.#template), this.count];
      return;
    }
    const reader = new Reader(this.#sizes);
    for (let i = 0; i < this.count; i++) yield [this.#template.map((size) => size ?? reader.varint()), 1];
  }

  /** One shape a sample. @returns {number[][]} */
  list() {
    return Array.from(this.runs()).flatMap(([shape, times]) => Array(times).fill(shape));
  }

  /** What a number of each shape adds up to. @param {(shape: number[]) => number} of */
  total(of) {
    let sum = 0;
    for (const [shape, times] of this.runs()) sum += of(shape) * times;
    return sum;
  }
}
