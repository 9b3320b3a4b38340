import { KitError } from "../error.ts";
import type { LanguageModel } from "../models/network.ts";
import type { Example, Task } from "../tasks/task.ts";
import { type EncodedExample, encodePrompt, stripSpaces } from "../text/prompt.ts";
import { candidatePasses } from "./candidates.ts";
import { type Begin, readForm } from "./encode.ts";
import { runPasses } from "./passes.ts";
import { inChunks, type Scorer, scoreAccuracy } from "./score.ts";

/** Throws a KitError for tasks and models whose scores cannot be calibrated. */
export function checkCalibration(model: Pick<LanguageModel, "id" | "prompts">, { name, metric }: Task): void {
  if (metric === "F1")
    throw new KitError(
      `Scores on ${name} were to be calibrated, but its answers are written out and there are no options to compare: leave out calibrate.`,
    );
  if (model.prompts === "masked")
    throw new KitError(
      `Scores of ${model.id} were to be calibrated, which fills masks, and prompts without content are for models that continue a text: leave out calibrate, or choose one of these.`,
    );
}

/**
 * The scorer by which some options are not ahead for being likely words in any text (surface form competition, Holtzman et al. 2021; the
 * authors' options sfc and icl_sfc): the answer is the option whose log-probability gains most by the example, over what it is after the
 * task's prompt without content. Demonstrations stand before both. As in the authors' code log-probabilities of an option's tokens are
 * added up here, where scores without calibration are their means. The loss stays that which training minimizes.
 */
export function calibratedScorer(model: LanguageModel, task: Task, begin: Begin): Scorer {
  return async (part, onDone) => {
    const { examples, texts, demonstrations = () => [] } = part;
    const contentFree = texts.map((example, i) => encodeContentFree(model, example, begin, demonstrations(i)));
    const found = await inChunks(examples, onDone, async (some, from, onSome) => {
      const scores = await runPasses(model, candidatePasses(some), onSome);
      const free = contentFree.slice(from, from + some.length);
      const without = addUp(free, await scoreDistinct(model, free));
      return addUp(some, scores).map((sums, i) => ({ scores: scores[i]!, gains: subtract(sums, without[i]!) }));
    });
    const [scores, gains] = [found.map((one) => one.scores), found.map((one) => one.gains)];
    return scoreAccuracy({ model, task, part, scores, choice: gains });
  };
}

/**
 * An example's options after the prompt without content, and the demonstrations given. Unlike the authors' code, which calibrates nothing
 * where that leaves no text at all and texts have no begin token, options stand after the one of the model's config there. Throws a
 * KitError for a task without such a prompt, and where there is no token for options to stand after.
 */
export function encodeContentFree(
  model: LanguageModel,
  example: Example,
  begin: Begin,
  demonstrations: readonly string[],
): EncodedExample {
  const { tokenizer, maxLength } = model;
  const { contentFree: prompt, options } = readForm(example, "autoregressive");
  if (prompt === undefined)
    throw new KitError(
      "Scores were to be calibrated, but the task has no prompt without content: give its autoregressive form the function contentFree.",
    );
  const isBare = demonstrations.length === 0 && stripSpaces(prompt) === "";
  const first = model.begin[begin] ?? (isBare ? model.begin.config : undefined);
  if (isBare && first === undefined)
    throw new KitError(
      `Scores were to be calibrated by options after nothing but a begin token, but ${model.id} has none: leave out calibrate, or give demonstrations.`,
    );
  return encodePrompt({ tokenizer, begin: first, maxLength, demonstrations, prompt, options });
}

/** The scores of examples, of which those with the same tokens are scored once. */
async function scoreDistinct(model: LanguageModel, examples: readonly EncodedExample[]): Promise<number[][]> {
  const keys = examples.map(({ candidates }) => candidates.map(({ ids }) => ids.join(" ")).join("/"));
  const distinct = new Map(keys.map((key, i) => [key, examples[i]!]));
  const scores = await runPasses(model, candidatePasses([...distinct.values()]));
  const byKey = new Map([...distinct.keys()].map((key, i) => [key, scores[i]!]));
  return keys.map((key) => byKey.get(key)!);
}

/** Sums over the tokens of each option, of means over them: [examples][options]. Logits are of single tokens. */
function addUp(examples: readonly EncodedExample[], means: readonly (readonly number[])[]): number[][] {
  return examples.map(({ candidates }, i) =>
    candidates.map(({ optionLength }, option) => optionLength * means[i]![option]!),
  );
}

const subtract = (sums: readonly number[], without: readonly number[]): number[] =>
  sums.map((sum, option) => sum - without[option]!);
