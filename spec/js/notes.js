// Notes (section 3.2): what stands beside tensors and is none.

import { malformed } from "./errors.js";
import { Float, NOTE, areDistinct, isInteger, isName, parse } from "./msgpack.js";

/** Most bytes of a note, and of all notes of a tree [CAUF-0502]. */
export const LONGEST_NOTE = 2 ** 22;

/**
 * The value of a note: null, booleans, numbers, bigints, strings, Uint8Arrays, arrays (lists and tuples) and Maps
 * (dicts).
 * @param {Uint8Array} bytes
 */
export function parseNote(bytes) {
  if (bytes.length > LONGEST_NOTE) throw malformed(502, "a note that is too long");
  return noteOf(parse(bytes, NOTE));
}

/** @param {any} value as msgpack has it @returns {any} */
function noteOf(value) {
  if (value instanceof Float) return value.value;
  if (!Array.isArray(value)) return value;
  if (value.length !== 3) throw malformed(500, "a note's array that is not kind, names and children");
  const [kind, names, children] = value;
  if (!isInteger(kind) || kind < 0 || kind > 2) throw malformed(500, "a note of another kind");
  if (!Array.isArray(names) || !Array.isArray(children)) throw malformed(500, "a note without names or children");
  checkNames(kind === 0, names, children.length, 500);
  const parts = children.map(noteOf);
  return kind === 0 ? new Map(names.map((name, i) => [name, parts[i]])) : parts;
}

/**
 * A dict has one name a child, distinct, each text or an integer; lists and tuples have none [CAUF-0051].
 * @param {boolean} isDict @param {unknown[]} names @param {number} count @param {number} rule
 */
export function checkNames(isDict, names, count, rule) {
  if (names.length !== (isDict ? count : 0)) throw malformed(rule, "names that are not one a child of a dict");
  if (!names.every(isName)) throw malformed(rule, "a name that is neither text nor an integer");
  if (!areDistinct(/** @type {string[]} */ (names))) throw malformed(rule, "a name that stands twice");
}

/** Metadata: texts by name [CAUF-0510]. @param {Uint8Array} bytes @returns {Record<string, string>} */
export function parseMetadata(bytes) {
  const note = parseNote(bytes);
  if (!(note instanceof Map)) throw malformed(510, "metadata that are no dict");
  for (const pair of note) {
    if (pair.some((part) => typeof part !== "string")) throw malformed(510, "metadata that are no text");
  }
  return Object.fromEntries(note);
}
