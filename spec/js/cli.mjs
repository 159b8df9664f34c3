// The command line that spec/README.md asks of decoders; `--time N` tells how long decoding takes.

import { readFileSync, writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { CaufError, UnsupportedError, openBytes } from "./caufc.js";
import { Sha256, bytesOf } from "./checksum.js";
import { npy, npz } from "./npz.js";

const USAGE = "node cli.mjs [--json] [--profile FILE] [--weights FILE] [-o SAMPLES.npz] [--time N] FILE.cauf";
const MALFORMED = 3;
const UNSUPPORTED = 4;

/**
 * Facts of a file, all of it decoded.
 * @param {import("./caufc.js").CaufFile} file
 * @param {string | undefined} output
 */
function describe(file, output) {
  const symbols = new Sha256();
  const values = file.tensors.map(() => new Sha256());
  /** @type {[string, Uint8Array][]} */
  const members = [];
  file.chunks.forEach(({ first }, number) => {
    file
      .chunk(number, (bytes) => symbols.update(bytes))
      .forEach((samples, tensor) => {
        samples.forEach((array, i) => {
          values[tensor].update(bytesOf(array.data));
          if (output) members.push([`${file.tensors[tensor].name}/${first + i}`, npy(array)]);
        });
      });
  });
  if (output) writeFileSync(output, Buffer.concat(npz(members)));
  const { samples, content, keys, arch, control, software, metadata, profile, weights } = file;
  const tensors = file.tensors.map((tensor, i) => ({ ...tensor, values_sha256: values[i].hex() }));
  return {
    samples,
    symbols_sha256: symbols.hex(),
    content,
    tensors,
    keys,
    arch,
    control,
    software,
    metadata,
    profile,
    weights,
  };
}

/** As JSON, in which integers of 64 bits have all their digits. @param {ReturnType<typeof describe>} facts */
function toJson({ keys, ...facts }) {
  const texts = keys.map((key) => (typeof key === "bigint" ? String(key) : JSON.stringify(key)));
  return `${JSON.stringify(facts).slice(0, -1)},"keys":[${texts.join(",")}]}`;
}

/** @param {ReturnType<typeof describe>} facts */
function print(facts) {
  console.log(`${facts.content} of ${facts.samples}, symbols ${facts.symbols_sha256}`);
  for (const { name, dtype, shape, codec, layout } of facts.tensors) {
    console.log(
      `  ${name || "-"}  ${dtype} [${shape.map((size) => size ?? "?").join(", ")}]  ${layout ?? ""}  ${codec}`,
    );
  }
}

function main() {
  const { values: options, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      json: { type: "boolean" },
      profile: { type: "string", multiple: true },
      weights: { type: "string", multiple: true },
      output: { type: "string", short: "o" },
      time: { type: "string" },
    },
  });
  const [path] = positionals;
  if (positionals.length !== 1) {
    console.error(USAGE);
    return 2;
  }
  try {
    const needs = [...(options.profile ?? []), ...(options.weights ?? [])].map((need) => readFileSync(need));
    const bytes = readFileSync(path);
    if (options.time) {
      console.log(JSON.stringify(time(bytes, needs, Number(options.time))));
      return 0;
    }
    const facts = describe(openBytes(bytes, { needs }), options.output);
    if (options.json) console.log(toJson(facts));
    else print(facts);
    return 0;
  } catch (error) {
    if (!(error instanceof CaufError)) throw error;
    console.error(`${path}: ${error.name}: ${error.message}`);
    return error instanceof UnsupportedError ? UNSUPPORTED : MALFORMED;
  }
}

/**
 * Seconds of processor time of several decodings, and the bytes of values of one.
 * @param {Uint8Array} bytes
 * @param {Uint8Array[]} needs
 * @param {number} turns
 */
function time(bytes, needs, turns) {
  const seconds = [];
  let size = 0;
  for (let turn = 0; turn < turns; turn++) {
    const started = process.cpuUsage();
    const file = openBytes(bytes, { needs });
    size = file.chunks
      .flatMap((_, number) => file.chunk(number).flat())
      .reduce((sum, { data }) => sum + data.byteLength, 0);
    const { user, system } = process.cpuUsage(started);
    seconds.push((user + system) / 1e6);
  }
  return { seconds, bytes: size };
}

process.exitCode = main();
