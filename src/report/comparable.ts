import { KitError } from "../error.ts";
import { sourceOf } from "../experiment/dataIdentity.ts";
import type { Run, RunHeader } from "../experiment/run.ts";
import { isMarked, methodsOf } from "./methods.ts";

/** What must be the same in two runs, by the name of its field in the header. */
type Facts = Readonly<Record<string, unknown>>;

/**
 * Throws a KitError with the first field that tells runs apart: all of one report must be of one task, data and model, and those
 * averaged for one method must differ in nothing but their seeds and the machine.
 */
export function checkComparable(runs: readonly Run[]): void {
  const headers = runs.map(({ header }) => header);
  if (headers.length === 0) throw new KitError("A report was asked for without any run; give at least one.");
  const isOneSource = new Set(headers.map(({ data }) => sourceOf(data))).size === 1;
  requireEqual("A report needs runs of the same %, but these", headers, ({ task, data }) => ({
    task,
    ...(!isOneSource && { data }),
  }));
  const withModel = headers.filter(({ method }) => isMarked(method));
  requireEqual(
    "A report needs runs of the same %, but these",
    withModel,
    ({ model, weightsHash, weights, untied }) => ({
      model,
      weightsHash,
      ...(weights !== undefined && { weights }),
      ...(untied && { untied }),
    }),
  );
  for (const method of methodsOf(runs)) {
    const own = headers.filter((header) => header.method === method);
    requireEqual(`The ${method} runs can only be averaged with the same %, but they`, own, settings);
  }
}

/** What a method finds in its seed's rows stands among its options too: the majority's label, the strength of LP's penalty. */
const FOUND: readonly string[] = ["label", "C"];

function settings({ kit, split, options }: RunHeader): Facts {
  const asked = Object.fromEntries(Object.entries(options).filter(([name]) => !FOUND.includes(name)));
  return { kit, ...named("split", split), ...named("options", asked) };
}

function named(group: string, fields: Facts): Facts {
  return Object.fromEntries(Object.entries(fields).map(([name, value]) => [`${group}.${name}`, value]));
}

function requireEqual(asked: string, headers: readonly RunHeader[], factsOf: (header: RunHeader) => Facts): void {
  const facts = headers.map(factsOf);
  for (const field of new Set(facts.flatMap(Object.keys))) {
    const values = [...new Set(facts.map((own) => own[field] ?? "none"))];
    if (values.length > 1)
      throw new KitError(`${asked.replace("%", field)} have ${values.join(" and ")}; report them apart.`);
  }
}
