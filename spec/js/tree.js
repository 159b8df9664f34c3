// The tree of a header (section 3): the structure of one sample.

import { malformed, unknown } from "./errors.js";
import { text } from "./fields.js";
import { inflate } from "./inflate.js";
import { checkLimit } from "./limits.js";
import { isInteger } from "./msgpack.js";
import { LONGEST_NOTE, checkNames, parseNote } from "./notes.js";

/**
 * @typedef {{ kind: "tensor", number: number } | { kind: "note", value: any } |
 *   { kind: "dict" | "list" | "tuple", names: (string | number | bigint)[], children: Tree[] }} Tree
 */

const BRANCHES = /** @type {const} */ (["dict", "list", "tuple"]);
const NOTE_KIND = 3;
const LONGEST_NAME = 4096;

/**
 * The tree of a parsed header, nil included.
 * @param {any} value @param {number} tensors how many there are @param {import("./limits.js").Limits} limits
 * @returns {Tree}
 */
export function parseTree(value, tensors, limits) {
  const builder = new Builder(limits);
  const tree = builder.tree(value ?? 0, 0);
  if (builder.leaves !== tensors) throw malformed(52, `a tree of ${builder.leaves} tensors, not ${tensors}`);
  return tree;
}

class Builder {
  /** @param {import("./limits.js").Limits} limits */
  constructor(limits) {
    this.limits = limits;
    this.leaves = 0;
    this.noteBytes = 0;
  }

  /** @param {any} value @param {number} level branches around it @returns {Tree} */
  tree(value, level) {
    if (isInteger(value)) {
      if (value !== this.leaves) throw malformed(52, `tensor ${value} in the place of tensor ${this.leaves}`);
      return { kind: "tensor", number: this.leaves++ };
    }
    if (!Array.isArray(value) || !isInteger(value[0]) || value[0] < 0) {
      throw malformed(50, "a tree that is neither a tensor number nor an array of a kind");
    }
    if (value[0] === NOTE_KIND) return { kind: "note", value: this.note(value) };
    if (value[0] > NOTE_KIND) throw unknown("kind of branch", value[0]);
    const [kind, names, children] = value;
    if (value.length !== 3 || !Array.isArray(children)) throw malformed(50, "a branch without names or children");
    if (!Array.isArray(names)) throw malformed(50, "a branch without names");
    checkLimit(this.limits, "levels", level + 1);
    for (const name of names) if (typeof name === "string") text(name, LONGEST_NAME, 44, "a name");
    checkNames(kind === 0, names, children.length, 51);
    return { kind: BRANCHES[Number(kind)], names, children: children.map((child) => this.tree(child, level + 1)) };
  }

  /** @param {any[]} leaf */
  note(leaf) {
    const [, bytes, packing = null] = leaf;
    if (leaf.length < 2 || leaf.length > 3 || !(bytes instanceof Uint8Array)) {
      throw malformed(501, "a note that is not bytes and a packing");
    }
    if (leaf.length === 3 && (!isInteger(packing) || packing < 1)) throw malformed(501, "a packing that is none");
    if (leaf.length === 3 && packing !== 1) throw unknown("packing of a note", packing);
    const tooLong = () => malformed(502, "notes that are too long");
    const plain = packing === 1 ? inflate(bytes, LONGEST_NOTE - this.noteBytes, 501, tooLong) : bytes;
    this.noteBytes += plain.length;
    if (this.noteBytes > LONGEST_NOTE) throw tooLong();
    return parseNote(plain);
  }
}

/**
 * Names of tensors by number: of the way to them in the tree, joined by points.
 * @param {Tree} tree
 * @returns {string[]}
 */
export function tensorNames(tree) {
  if (tree.kind === "tensor") return [""];
  if (tree.kind === "note") return [];
  return tree.children.flatMap((child, i) => {
    const name = String(tree.kind === "dict" ? tree.names[i] : i);
    return tensorNames(child).map((rest) => (rest ? `${name}.${rest}` : name));
  });
}

/**
 * A sample in its structure: dicts as Maps, lists and tuples as arrays, notes as they are.
 * @param {Tree} tree @param {(tensor: number) => any} leaf @returns {any}
 */
export function fillTree(tree, leaf) {
  if (tree.kind === "tensor") return leaf(tree.number);
  if (tree.kind === "note") return tree.value;
  const parts = tree.children.map((child) => fillTree(child, leaf));
  return tree.kind === "dict" ? new Map(tree.names.map((name, i) => [name, parts[i]])) : parts;
}
