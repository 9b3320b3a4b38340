import { describe, expect, test } from "vitest";
import { evaluate } from "../../src/experiment/evaluate.ts";
import { classification } from "../../src/tasks/classification.ts";
import type { Example, Task } from "../../src/tasks/task.ts";
import { asked, close, LONG, SCRIPT, scripted, taskOf, YES_NO } from "../experiment/scripted/cases.ts";

const { log, sqrt } = Math;

/** Without an example yes is likelier than no, 4 to 1. */
const LEANING = { ...SCRIPT, was: { yes: 0.4, no: 0.1 } };

/** "it was good", say, whose prompt without content is "it was". */
const calibrated = (word: string, options: readonly string[], ...gold: number[]): Example => ({
  autoregressive: { prompt: `it was ${word}`, options, contentFree: " it was" },
  gold,
});

const words = ["good", "bad", "odd"] as const;

describe("a calibrated score", () => {
  test.each<[string, readonly string[], readonly number[], readonly number[]]>([
    // Yes and no gain by "good" 1.5 and 2 times, by "bad" 0.25 and 4, by "odd" 0.75 and 1.
    ["of one token", YES_NO, [0, 1, 0], [1, 1, 1]],
    // "no way" gains as "no" does, since "way" follows "no" as often in any text. By the mean of its tokens it would gain 1.41 by "good".
    ["of several tokens, which are added up,", LONG, [0, 1, 1], [1, 1, 1]],
  ])("of options %s is what the example adds to their log-probability", async (_what, options, plain, gains) => {
    const answersOf = async (calibrate: boolean): Promise<number[]> => {
      const found: number[] = [];
      for (const word of words) {
        const task = taskOf([calibrated(word, options, 0)]);
        found.push(1 - (await evaluate(scripted(LEANING), task, { calibrate })).scores[0]!.score);
      }
      return found;
    };
    expect(await answersOf(false)).toEqual(plain);
    expect(await answersOf(true)).toEqual(gains);
  });

  test("decides the answer, while the loss stays that of training; the prompt without content is run once", async () => {
    const task = taskOf(words.map((word) => calibrated(word, YES_NO, 1)));
    const model = scripted(LEANING);
    const { header, scores } = await evaluate(model, task, { calibrate: true });
    expect(header).toMatchObject({ method: "Zero-shot (calibrated)", settings: { shots: 0, calibrate: true } });
    const loss = -(log(1 / 4) + log(4 / 5) + log(1 / 4)) / 3;
    expect(scores).toMatchObject([{ on: "test", score: 1, standardError: 0, n: 3, loss: close(loss) }]);
    expect(model.seen.filter((text) => text === "<s> it was")).toHaveLength(1);
    const plain = await evaluate(scripted(LEANING), task);
    expect(plain.scores).toMatchObject([{ score: 1 / 3, standardError: close(sqrt(2 / 27)), loss: close(loss) }]);
    expect(plain.header.settings.calibrate).toBeUndefined();
  });

  test("in context has the demonstrations before the prompt without content too", async () => {
    const task = taskOf([calibrated("good", YES_NO, 0)], { train: [calibrated("bad", YES_NO, 1)] });
    const model = scripted(LEANING);
    const { header } = await evaluate(model, task, { shots: 1, calibrate: true });
    expect(header).toMatchObject({ method: "ICL (calibrated)", settings: { shots: 1, draw: "fresh" } });
    expect(model.seen).toEqual(["<s> it was bad no \n \n it was good", "<s> it was bad no \n \n it was"]);
  });

  test("beyond the 64 that are scored at once is each example's own", async () => {
    const [left, right] = [" it was bad", " it was good"];
    // By "good" over "bad" yes gains 6 times and no a half; by "bad" over "good" it is the other way round.
    const examples = Array.from({ length: 70 }, (_, i): Example => {
      const [word, contentFree] = i < 66 ? ["good", left] : ["bad", right];
      return { autoregressive: { prompt: `it was ${word}`, options: YES_NO, contentFree }, gold: [i < 66 ? 0 : 1] };
    });
    expect((await evaluate(scripted(), taskOf(examples), { calibrate: true })).scores[0]!.score).toBe(1);
  });
});

describe("where the prompt without content is empty", () => {
  const empty: Example = { autoregressive: { prompt: "it was good", options: YES_NO, contentFree: "" }, gold: [0] };

  test("options stand after the begin token, or the config's where texts have none", async () => {
    const model = scripted({ ...SCRIPT, "<s>": { yes: 0.1 } });
    await evaluate(model, taskOf([empty]), { calibrate: true });
    expect(model.seen).toEqual(["<s> it was good", "<s>"]);
    const bare = { ...model, begin: { mezo: undefined, config: 3 } };
    await evaluate(bare, taskOf([empty]), { calibrate: true });
    expect(model.seen.slice(2)).toEqual(["it was good", "<bos>"]);
  });

  test("a model without any begin token is refused", async () => {
    const bare = { ...scripted(), begin: { mezo: undefined, config: undefined } };
    await expect(evaluate(bare, taskOf([empty]), { calibrate: true })).rejects.toThrow(
      /after nothing but a begin token/,
    );
  });
});

test.each<[string, Task, boolean, RegExp]>([
  ["answers that are written out", taskOf([asked("good", 0)], { metric: "F1", loss: "answer" }), false, /written out/],
  ["a masked model", taskOf([asked("good", 0)]), true, /which fills masks/],
  ["a task without a prompt without content", taskOf([asked("good", 0)]), false, /function contentFree/],
])("%s cannot be calibrated, which a sentence says", async (_what, task, masked, sentence) => {
  await expect(evaluate(scripted(SCRIPT, { masked }), task, { calibrate: true })).rejects.toThrow(sentence);
});

test("a classification's prompt without content is its prompt without the row's texts", () => {
  const { autoregressive } = classification({
    ...{ text: ["title", "text"], label: "mood", classes: ["glad", "sad"] },
    prompt: "{text} ({title}) It was",
  });
  expect(autoregressive!.contentFree!({ title: "t", text: "x", mood: "glad" })).toBe(" () It was");
});
