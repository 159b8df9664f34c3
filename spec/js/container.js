// The file (section 2): signature, header and blocks, with their checksums.

import { crc32 } from "./checksum.js";
import { damaged, malformed, unsupported } from "./errors.js";
import { parseFields } from "./header.js";
import { checkLimit } from "./limits.js";
import { Reader } from "./reader.js";

const SIGNATURE = [0x89, 0x43, 0x41, 0x55, 0x46, 0x0d, 0x0a, 0x1a];
const MAJOR = 1;

/**
 * A block whose checksum is right.
 * @typedef {object} Block
 * @property {string} tag
 * @property {Uint8Array} body
 * @property {number} start offset in the file
 * @property {number} length of all of it, tag to checksum
 */

/**
 * A file's header and its blocks in order, the end being the last.
 * @typedef {object} Container
 * @property {import("./header.js").Fields} fields
 * @property {[number, number]} version major and minor
 * @property {Block[]} sections
 * @property {Block[]} chunks
 * @property {Block | null} index
 * @property {Block} end
 * @property {number} size of the file
 */

/** @param {Uint8Array} file @param {import("./limits.js").Limits} limits @returns {Container} */
export function parseContainer(file, limits) {
  const reader = new Reader(file, 20, damaged);
  const compared = Math.min(file.length, SIGNATURE.length);
  if (SIGNATURE.some((byte, i) => i < compared && file[i] !== byte)) throw malformed(10, "no signature of CAUF");
  reader.take(SIGNATURE.length, 10);
  const version = /** @type {[number, number]} */ ([reader.u8(), reader.u8()]);
  if (version[0] !== MAJOR) throw unsupported(11, `version ${version[0]}.${version[1]}`);
  const length = reader.varint();
  checkLimit(limits, "header", length);
  if (length > reader.left - 4) throw damaged(20, "the file ends within its header");
  const body = reader.take(length);
  const checksum = crc32(file.subarray(0, reader.at));
  if (reader.u32() !== checksum) throw damaged(12, "the checksum of the header differs");
  const fields = parseFields(body, limits);
  return { fields, version, ...sortBlocks(parseBlocks(reader, checksum), fields.isIndexed, limits), size: file.length };
}

/** Blocks to the end block. @param {Reader} reader @param {number} seed the header's checksum @returns {Block[]} */
function parseBlocks(reader, seed) {
  const blocks = [];
  for (let tag = ""; tag !== "E";) {
    const start = reader.at;
    tag = String.fromCharCode(reader.u8());
    const length = reader.varint();
    if (length > reader.left - 4) throw damaged(20, "the file ends before its end block");
    const body = reader.take(length);
    const checksum = crc32(reader.bytes.subarray(start, reader.at), seed);
    if (reader.u32() !== checksum) throw damaged(13, `the checksum of block '${tag}' at ${start} differs`);
    if (!/[A-Za-z]/.test(tag)) throw malformed(21, "a tag that is no letter");
    if (/[^SCIEa-z]/.test(tag)) throw unsupported(21, `unknown block '${tag}'`);
    blocks.push({ tag, body, start, length: reader.at - start });
  }
  if (reader.left) throw damaged(22, `${reader.left} bytes behind the end`);
  return blocks;
}

/**
 * Blocks by tag, if they stand in their order [CAUF-0022].
 * @param {Block[]} blocks @param {boolean} isIndexed @param {import("./limits.js").Limits} limits
 */
function sortBlocks(blocks, isIndexed, limits) {
  const sections = blocks.filter((block) => block.tag === "S");
  const chunks = blocks.filter((block) => block.tag === "C");
  const indexes = blocks.filter((block) => block.tag === "I");
  const order = blocks.map((block) => "SCIE".indexOf(block.tag)).filter((rank) => rank >= 0);
  if (order.some((rank, i) => rank < (order[i - 1] ?? 0))) throw malformed(22, "blocks that stand in another order");
  if (indexes.length !== (isIndexed ? 1 : 0)) throw malformed(22, `${indexes.length} indexes`);
  for (const chunk of chunks) checkLimit(limits, "block", chunk.length);
  for (const index of indexes) checkLimit(limits, "index", index.length);
  const [first] = chunks;
  if (
    isIndexed &&
    first &&
    blocks.indexOf(first) + chunks.length - 1 !== blocks.indexOf(/** @type {Block} */ (chunks.at(-1)))
  ) {
    throw malformed(142, "an ancillary block between the chunks of an indexed file");
  }
  return { sections, chunks, index: indexes[0] ?? null, end: blocks[blocks.length - 1] };
}
