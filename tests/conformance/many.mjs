// The command line of the decoder in JavaScript, many times in one process: a line of JSON with its arguments comes in,
// a line with exit code, what was printed and what was printed to stderr goes out.

import { createInterface } from "node:readline";

const CLI = new URL("../../spec/js/cli.mjs", import.meta.url);
const write = (line) => process.stdout.write(`${JSON.stringify(line)}\n`);
let number = 0;

for await (const line of createInterface({ input: process.stdin })) {
  const told = { out: [], err: [] };
  console.log = (text) => told.out.push(text);
  console.error = (text) => told.err.push(text);
  process.argv = [process.argv[0], CLI.pathname, ...JSON.parse(line)];
  process.exitCode = 1;
  try {
    await import(`${CLI}?${number++}`); // another URL each time, so that the module runs again
  } catch (error) {
    process.exitCode = 1;
    told.err.push(error.stack);
  }
  write([process.exitCode, told.out.join("\n"), told.err.join("\n")]);
}
process.exitCode = 0;
