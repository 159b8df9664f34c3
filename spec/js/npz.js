// NumPy's .npz: arrays by name in a zip whose members are stored as they are.

import { bytesOf, crc32 } from "./checksum.js";

/** NumPy's names of dtypes; those it lacks are unsigned integers of their bits. @type {Record<string, string>} */
const DESCRIPTIONS = {
  fp32: "<f4",
  fp16: "<f2",
  bf16: "<u2",
  fp64: "<f8",
  int8: "|i1",
  int16: "<i2",
  int32: "<i4",
  int64: "<i8",
  uint8: "|u1",
  uint16: "<u2",
  uint32: "<u4",
  uint64: "<u8",
  bool: "|b1",
};
const ALIGNMENT = 64;
const LOCAL = 0x04034b50;
const CENTRAL = 0x02014b50;
const END = 0x06054b50;
const VERSION = 20;
const UTF8_NAMES = 1 << 11;
const FIRST_OF_1980 = (1 << 5) | 1;

/** An array as .npy. @param {import("./caufc.js").Values} values @returns {Uint8Array} */
export function npy({ dtype, shape, data }) {
  const sizes = shape.length === 1 ? `${shape[0]},` : shape.join(", ");
  const facts = `{'descr': '${DESCRIPTIONS[dtype] ?? "|u1"}', 'fortran_order': False, 'shape': (${sizes}), }`;
  const start = 10;
  const length = Math.ceil((start + facts.length + 1) / ALIGNMENT) * ALIGNMENT - start;
  const out = new Uint8Array(start + length + data.byteLength);
  out.set([0x93, ...ascii("NUMPY"), 1, 0, length & 255, length >> 8]);
  out.set(ascii(`${facts.padEnd(length - 1)}\n`), start);
  out.set(bytesOf(data), start + length);
  return out;
}

/** @param {string} text */
const ascii = (text) => Uint8Array.from(text, (letter) => letter.charCodeAt(0));

/**
 * Parts of a .npz, to be written one behind another.
 * @param {Iterable<[string, Uint8Array]>} members
 * @returns {Uint8Array[]}
 */
export function npz(members) {
  const parts = [];
  const directory = [];
  let offset = 0;
  for (const [name, body] of members) {
    const path = new TextEncoder().encode(`${name}.npy`);
    const facts = { crc: crc32(body), size: body.length, path };
    const head = header(LOCAL, 30, facts);
    directory.push(header(CENTRAL, 46, { ...facts, offset }));
    parts.push(head, body);
    offset += head.length + body.length;
  }
  const size = directory.reduce((sum, entry) => sum + entry.length, 0);
  const end = new DataView(new ArrayBuffer(22));
  end.setUint32(0, END, true);
  end.setUint16(8, directory.length, true);
  end.setUint16(10, directory.length, true);
  end.setUint32(12, size, true);
  end.setUint32(16, offset, true);
  return [...parts, ...directory, new Uint8Array(end.buffer)];
}

/**
 * @param {number} signature
 * @param {number} length
 * @param {{ crc: number, size: number, path: Uint8Array, offset?: number }} facts
 */
function header(signature, length, { crc, size, path, offset }) {
  const out = new Uint8Array(length + path.length);
  const view = new DataView(out.buffer);
  view.setUint32(0, signature, true);
  const at = signature === CENTRAL ? 6 : 4;
  if (signature === CENTRAL) view.setUint16(4, VERSION, true);
  view.setUint16(at, VERSION, true);
  view.setUint16(at + 2, UTF8_NAMES, true);
  view.setUint16(at + 8, FIRST_OF_1980, true);
  view.setUint32(at + 10, crc, true);
  view.setUint32(at + 14, size, true);
  view.setUint32(at + 18, size, true);
  view.setUint16(at + 22, path.length, true);
  if (offset !== undefined) view.setUint32(42, offset, true);
  out.set(path, length);
  return out;
}
