// Node's JSON.parse as a reader: one body a line in hexadecimal, its normal form a line back.
//
// An empty line is only of use to other readers. `!` stands for a body that is refused.

import { createInterface } from "node:readline";

const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const bits = new DataView(new ArrayBuffer(8));

function hex(text) {
  return Buffer.from(text, "utf8").toString("hex");
}

function normal(value) {
  if (value === null) return "n";
  if (value === true) return "t";
  if (value === false) return "f";
  if (typeof value === "number") {
    bits.setFloat64(0, value);
    return "#" + Buffer.from(bits.buffer).toString("hex");
  }
  if (typeof value === "string") return '"' + hex(value);
  if (Array.isArray(value)) return "[" + value.map(normal).join(",") + "]";
  const members = Object.keys(value).map((key) => [hex(key), normal(value[key])]);
  members.sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
  return "{" + members.map(([key, member]) => key + ":" + member).join(",") + "}";
}

function read(line) {
  try {
    return normal(JSON.parse(decoder.decode(Buffer.from(line, "hex"))));
  } catch {
    return "!";
  }
}

for await (const line of createInterface({ input: process.stdin })) {
  if (line) process.stdout.write(read(line) + "\n");
}
