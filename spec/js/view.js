// The page: files that are chosen, dropped or named as `?file=URL`, and what is in them.

import { CaufError, numbers, open } from "./caufc.js";
import { controlText } from "./control.js";
import { colour, paint, planOf, range } from "./picture.js";

/** @param {string} id @returns {any} */
const element = (id) => document.getElementById(id);
/** @type {import("./caufc.js").CaufFile | null} */
let file = null;

/** Bytes for people. @param {number} bytes */
const size = (bytes) =>
  bytes < 10_000 ? `${bytes} bytes` : `${(bytes / 1000).toLocaleString("en", { maximumFractionDigits: 1 })} kB`;

/** @param {number} count @param {string} noun */
const counted = (count, noun) => `${count} ${noun}${count === 1 ? "" : "s"}`;

/** @param {HTMLElement} body of a table @param {[string, unknown][]} rows */
function fillFacts(body, rows) {
  body.replaceChildren(
    ...rows
      .filter(([, value]) => value !== null && value !== "")
      .map(([name, value]) => {
        const row = document.createElement("tr");
        const head = document.createElement("th");
        head.textContent = name;
        row.append(head);
        row.insertCell().textContent = String(value);
        return row;
      }),
  );
}

/** @param {{ name: string, size: number, data: Blob }[]} blobs one of them a file of samples */
async function show(blobs) {
  element("problem").textContent = "";
  element("file").hidden = true;
  file = null;
  const main = blobs.find(({ name }) => !/\.cauf[pw]$/.test(name)) ?? blobs[0];
  if (!main) return;
  try {
    const needs = await Promise.all(
      blobs.filter((blob) => blob !== main).map(async ({ data }) => new Uint8Array(await data.arrayBuffer())),
    );
    file = await open(main.data, { needs });
    showFacts(file, main);
    element("file").hidden = false;
    showPicture();
  } catch (error) {
    element("problem").textContent =
      error instanceof CaufError ? `${main.name} is refused: ${error.message}` : String(error);
    if (!(error instanceof CaufError)) throw error;
  }
}

/** @param {import("./caufc.js").CaufFile} opened @param {{ name: string, size: number }} main */
function showFacts(opened, main) {
  element("title").textContent = main.name;
  const values = opened.tensors.map((_, tensor) => opened.valuesOf(tensor));
  const total = values.reduce((a, b) => a + b, 0);
  const keys = opened.keys.slice(0, 20).join(", ") + (opened.keys.length > 20 ? ", ..." : "");
  fillFacts(element("facts"), [
    ["content", `${opened.content}, ${counted(opened.samples, "sample")} in ${counted(opened.chunks.length, "chunk")}`],
    ["size", `${size(main.size)}, ${total ? ((8 * main.size) / total).toFixed(3) : 0} bits a value`],
    ["asked for", controlText(opened.control)],
    ["software", opened.software],
    ["architecture", opened.arch],
    ["profile", opened.profile],
    ["weights", opened.weights],
    ["keys", keys],
    ["format", `CAUF ${opened.version.join(".")}`],
  ]);
  element("tensors").replaceChildren(
    ...opened.tensors.map(({ name, dtype, shape, layout, tap, codec }, i) => {
      const bytes = opened.chunks.reduce((sum, chunk) => sum + chunk.bytes[i], 0);
      const row = document.createElement("tr");
      const rate = values[i] ? ((8 * bytes) / values[i]).toFixed(3) : "";
      const shown = [
        name || "(alone)",
        dtype,
        shape.map((n) => n ?? "?").join(" x ") || "scalar",
        layout,
        tap,
        codec,
        bytes,
        rate,
      ];
      for (const cell of shown) row.insertCell().textContent = String(cell ?? "");
      return row;
    }),
  );
  fillFacts(element("metadata"), Object.entries(opened.metadata));
  element("metadata-part").hidden = !Object.keys(opened.metadata).length;
  const options = opened.tensors.flatMap(({ name, dtype }, i) =>
    dtype === "note" ? [] : [new Option(name || "(alone)", String(i))],
  );
  element("tensor").replaceChildren(...options);
  element("sample").value = "0";
  element("channel").value = "";
  element("sample").max = String(Math.max(0, opened.samples - 1));
  element("picture").hidden = !opened.samples || !options.length;
}

function showPicture() {
  if (!file || element("picture").hidden) return;
  const bounded = (/** @type {string} */ id, /** @type {number} */ last) =>
    Math.min(last, Math.max(0, Math.floor(Number(element(id).value) || 0)));
  const sample = bounded("sample", file.samples - 1);
  const tensor = Number(element("tensor").value);
  const chosen = element("channel").value === "" ? null : bounded("channel", Infinity);
  element("problem").textContent = "";
  element("image").hidden = true;
  try {
    const array = file.array(tensor, sample);
    const values = numbers(array.data, array.dtype);
    const plan = planOf(array, values, file.tensors[tensor].layout, chosen);
    const ends = range(values);
    element("key").textContent = file.keys.length ? `key ${file.keys[sample]}` : "";
    element("channel-part").hidden = !plan.channels;
    element("channel").max = String(plan.channels - 1);
    element("channel").value = plan.channels ? String(plan.channel) : "";
    element("caption").textContent =
      `${plan.caption}; values from ${format(least(values))} to ${format(-least(values.map((x) => -x)))}`;
    element("low").textContent = format(ends[0]);
    element("high").textContent = format(ends[1]);
    paint(element("canvas"), plan, ends);
    element("image").hidden = false;
  } catch (error) {
    if (!(error instanceof CaufError)) throw error;
    element("problem").textContent = `sample ${sample} is refused: ${error.message}`;
  }
}

/** @param {number} value */
const format = (value) => String(Number(value.toPrecision(4)));
/** @param {Float64Array} values */
const least = (values) => values.reduce((a, b) => (b < a ? b : a), values.length ? Infinity : 0);

function paintRamp() {
  const context = element("ramp").getContext("2d");
  for (let x = 0; x < 256; x++) {
    context.fillStyle = `rgb(${colour(x / 255)
      .map(Math.round)
      .join(" ")})`;
    context.fillRect(x, 0, 1, 1);
  }
}

/** @param {FileList} list */
const given = (list) => show(Array.from(list, (data) => ({ name: data.name, size: data.size, data })));

element("modules").remove();
paintRamp();
element("files").addEventListener("change", () => given(element("files").files));
element("tensor").addEventListener("input", () => (element("channel").value = ""));
for (const id of ["tensor", "sample", "channel"]) element(id).addEventListener("input", showPicture);
const drop = element("drop");
for (const kind of ["dragover", "dragleave", "drop"]) {
  document.addEventListener(kind, (event) => {
    event.preventDefault();
    drop.classList.toggle("over", kind === "dragover");
    if (kind === "drop") given(/** @type {DragEvent} */ (event).dataTransfer?.files ?? element("files").files);
  });
}
const named = new URLSearchParams(location.search).getAll("file");
if (named.length) {
  const fetched = named.map(async (url) => {
    const data = await (await fetch(url)).blob();
    return { name: url.split("/").at(-1) ?? url, size: data.size, data };
  });
  show(await Promise.all(fetched));
}
