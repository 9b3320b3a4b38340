import { availableParallelism } from "node:os";
import { Command, InvalidArgumentError, Option } from "commander";
import { weightFormats } from "../../src/models/weights.ts";
import { PRODUCTS } from "../../src/tensor/products.ts";
import { benchMethods, moreBenchMethods } from "./methods.ts";
import { benchModels, tableModels } from "./models.ts";
import type { BenchRequest, CaseRequest } from "./request.ts";

/** What `npm run bench` is asked for, checked. */
export interface BenchOptions {
  readonly request: BenchRequest;
  readonly cases: readonly CaseRequest[];
  readonly output: string;
  readonly profile: boolean;
  readonly smoke: boolean;
}

/** A look at everything in seconds; its numbers mean nothing. */
const SMOKE = { rows: 2, tokens: 8, steps: 1, model: ["bundled"] };

type Given = BenchRequest &
  Pick<BenchOptions, "profile" | "smoke"> & {
    readonly model?: readonly string[];
    readonly method?: readonly string[];
    readonly output?: string;
  };

/** Reads the command line of `npm run bench`; ends the process with a sentence where it makes no sense. */
export function parseBenchOptions(argv: readonly string[]): BenchOptions {
  const parser = new Command("mezo-bench")
    .description("Measures steps of every method beside inference: seconds, GFLOPS, peak memory.")
    .option("--rows <n>", "rows a batch", count, 16)
    .option("--tokens <n>", "tokens a row", countFrom(2), 64)
    .option("--steps <n>", "steps a case, after one to warm up", count, 5)
    .option("--threads <n>", "threads", count, availableParallelism())
    .addOption(new Option("--noise <law>", "law of z").choices(["gaussian", "rademacher"]).default("gaussian"))
    .addOption(
      new Option("--loss <loss>", "the language-model loss on each row's last token, or two one-token candidates a row")
        .choices(["answer", "candidates"])
        .default("answer"),
    )
    .addOption(new Option("--weights <format>", "what matrices are kept in").choices(weightFormats).default("float32"))
    .addOption(productsOption())
    .option("--model <names>", `models, with commas between them (${tableModels})`, among(Object.keys(benchModels)))
    .option(
      "--method <names>",
      "methods, with commas between them",
      among([...benchMethods, ...moreBenchMethods].map(({ name }) => name)),
    )
    .option("--profile", "where the time of one step of one case goes, as a Markdown table, instead", false)
    .option("--output <folder>", "where the results are written (data/runs, of a smoke run data/runs/smoke)")
    .option("--smoke", "everything in small; the numbers mean nothing", false)
    .parse(argv, { from: "user" });
  const given = parser.opts<Given>();
  return optionsOf(given.smoke ? { ...given, ...SMOKE } : given);
}

function optionsOf({ profile, smoke, ...given }: Given): BenchOptions {
  const { output = smoke ? "data/runs/smoke" : "data/runs" } = given;
  const { rows, tokens, steps, threads, noise, loss, weights, products } = given;
  const request = { rows, tokens, steps, threads, noise, loss, weights, ...(products && { products }) };
  const models = given.model ?? tableModels;
  const methods = given.method ?? (profile ? ["MeZO"] : benchMethods.map(({ name }) => name));
  const cases = models.flatMap((model) => methods.map((method) => ({ ...request, model, method })));
  return { request, cases: profile ? cases.slice(0, 1) : cases, output, profile, smoke };
}

/** How products are formed; the processor's default where it is left out. */
export const productsOption = (): Option =>
  new Option("--products <form>", "how products are formed (this processor's default)").choices(PRODUCTS);

/** Reads a whole number from `least` on. */
export function countFrom(least: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (text.trim() === "" || !Number.isInteger(value) || value < least)
      throw new InvalidArgumentError(`It must be a whole number from ${least} on.`);
    return value;
  };
}

/** Reads a whole number from 1 on. */
export const count: (text: string) => number = countFrom(1);

/** Reads names with commas between them, whatever their case and punctuation: "mezo-lora" is MeZO (LoRA). */
export function among<Name extends string>(names: readonly Name[]): (text: string) => Name[] {
  const plain = (text: string): string => text.toLowerCase().replace(/[^a-z0-9]/g, "");
  return (text) =>
    text.split(",").map((part) => {
      const found = names.find((name) => plain(name) === plain(part));
      if (found === undefined) throw new InvalidArgumentError(`Choose from ${names.join(", ")}.`);
      return found;
    });
}
