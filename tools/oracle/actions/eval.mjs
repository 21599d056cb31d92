// Evaluates expressions with @actions/expressions. The first line of the input is an object of contexts, every other
// one {"expr": "…"}; each is answered by one line: {"json": "…"}, {"parse": "error"} or {"failed": "error"}.
import { readFileSync } from "node:fs";
import { Evaluator, Lexer, Parser, data } from "@actions/expressions";

function toData(v) {
  if (v === null) return new data.Null();
  if (Array.isArray(v)) return new data.Array(...v.map(toData));
  switch (typeof v) {
    case "boolean": return new data.BooleanData(v);
    case "number": return new data.NumberData(v);
    case "string": return new data.StringData(v);
    default: return new data.Dictionary(...Object.entries(v).map(([key, x]) => ({ key, value: toData(x) })));
  }
}

function toJSON(d) {
  if (d === undefined) return "null";
  switch (d.kind) {
    case data.Kind.Null: return "null";
    case data.Kind.Boolean: return String(d.value);
    case data.Kind.Number: return d.coerceString();
    case data.Kind.String: return JSON.stringify(d.value);
    case data.Kind.Array: return "[" + d.values().map(toJSON).join(",") + "]";
    default: return "{" + d.pairs().map(p => JSON.stringify(p.key) + ":" + toJSON(p.value)).join(",") + "}";
  }
}

const lines = readFileSync(0, "utf8").split("\n").filter(line => line !== "");
const given = JSON.parse(lines[0]);
const names = Object.keys(given);
const contexts = new data.Dictionary(...names.map(key => ({ key, value: toData(given[key]) })));
console.log("{}");

for (const line of lines.slice(1)) {
  let tree;
  try {
    tree = new Parser(new Lexer(JSON.parse(line).expr).lex().tokens, names, []).parse();
  } catch (e) {
    console.log(JSON.stringify({ parse: String(e.message) }));
    continue;
  }
  try {
    console.log(JSON.stringify({ json: toJSON(new Evaluator(tree, contexts).evaluate()) }));
  } catch (e) {
    console.log(JSON.stringify({ failed: String(e.message) }));
  }
}
