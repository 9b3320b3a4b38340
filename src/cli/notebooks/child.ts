import { resolve } from "node:path";
import { type Reports, serve } from "../../measure/process.ts";
import { turns } from "./cellInterrupt.ts";
import type { CellEvent, CellResult, NotebookJob, Output } from "./runNotebook.ts";
import { watchReads } from "./sources.ts";
import { type Failure, lineOf, reported, SILENT, type StreamName, writer } from "./streams.ts";
import { createConverter, createExecutor, type Displayed, jupyter } from "./tslab.ts";

/** What the running cell has shown and how it failed. */
let outputs: Output[] = [];
export let failure: Failure | undefined;
export let compiled = "";
/** Displays by their ids, to be replaced in place. */
const displays = new Map<string, { data: Displayed["data"] }>();

function addText(name: StreamName, text: string): void {
  const last = outputs.at(-1);
  if (last?.output_type === "stream" && last.name === name) last.text += text;
  else outputs.push({ output_type: "stream", name, text });
}

for (const name of ["stdout", "stderr"] as const) process[name].write = writer((text) => addText(name, text));

jupyter.lastWriteDisplayData = ({ data, metadata = {}, transient }, isUpdate) => {
  const id = transient?.display_id;
  const shown = isUpdate && id !== undefined ? displays.get(id) : undefined;
  if (shown) {
    shown.data = data;
    return;
  }
  const output = { output_type: "display_data" as const, data, metadata };
  outputs.push(output);
  if (id !== undefined) displays.set(id, output);
};

const fail = (...args: unknown[]): void => {
  failure = reported(failure, args);
};
// A plain kernel lets errors of promises that nobody awaits pass; here they fail the cell.
for (const event of ["unhandledRejection", "uncaughtException"])
  process.on(event, (reason: unknown) => fail(reason instanceof Error ? reason : new Error(String(reason))));

const converter = createConverter({ isJS: false, isBrowser: false });
const node = {
  ...converter,
  convert: (previous: string, source: string) => {
    const converted = converter.convert(previous, source);
    compiled = converted.output ?? "";
    return converted;
  },
};
const log = (...values: unknown[]): void => console.log(...values);
const converters = { node, browser: null, close: () => converter.close() };
const executor = createExecutor(process.cwd(), converters, { log, error: fail });

async function run(code: string): Promise<CellResult> {
  outputs = [];
  failure = undefined;
  const started = performance.now();
  const executed = await executor.execute(code);
  await turns();
  const seconds = (performance.now() - started) / 1000;
  const failed = executed ? failure : (failure ?? SILENT);
  const line = failed && lineOf(failed, code, compiled);
  return { outputs, seconds, ...(failed && { failure: failed }), ...(line !== undefined && { line }) };
}

/** Runs cells until one fails, and returns which files of data/ they read. */
async function runCells({ cells }: NotebookJob, { progress }: Reports<CellEvent>): Promise<string[]> {
  const reads = watchReads(resolve("../data"));
  for (const code of cells) {
    progress("begin");
    const result = await run(code);
    progress(result);
    if (result.failure) break;
  }
  executor.close();
  return reads();
}

serve(runCells);
