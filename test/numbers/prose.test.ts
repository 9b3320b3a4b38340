import { describe, expect, test } from "vitest";
import type { Run } from "../../src/record/run.ts";
import { CLAIMS, quick, STATED } from "./claims.ts";
import { findUntraced, readTexts } from "./prose.ts";

const texts = readTexts();

const WHAT_TO_DO =
  "these numbers of the text follow from no committed file. Let a cell print what was measured, from the files of data/runs. A number that " +
  "must stand in a sentence gets a phrase in CLAIMS of test/numbers/claims.ts, made from the file it follows from; one that was not " +
  "measured (a version, a limit, another paper's) a phrase in STATED.";

describe.each(texts)("what $name says", ({ name, text }) => {
  test("has what follows from the files of data/, word for word", () => {
    const missing = (CLAIMS[name] ?? []).filter((phrase) => !text.includes(phrase));
    expect(missing, `${name} should say this, which follows from data/ now: correct its words`).toEqual([]);
  });

  test("has no other number that may be measured", () => {
    expect(findUntraced(text, [...(CLAIMS[name] ?? []), ...(STATED[name] ?? [])]), `${name}: ${WHAT_TO_DO}`).toEqual(
      [],
    );
  });
});

test("every phrase belongs to a text that is there, and what is stated is still said", () => {
  expect(texts.map(({ name }) => name)).toEqual(
    expect.arrayContaining([...Object.keys(CLAIMS), ...Object.keys(STATED)]),
  );
  const idle = Object.entries(STATED).flatMap(([name, phrases]) =>
    phrases.filter((phrase) => !texts.find((one) => one.name === name)!.text.includes(phrase)),
  );
  expect(idle).toEqual([]);
});

test("the README's first program is that of its two runs", () => {
  const { text } = texts.find(({ name }) => name === "README")!;
  const [{ header: zeroShot }, { header: tuned }] = quick as [Run, Run];
  const { steps, evaluateEvery } = tuned.settings;
  expect(text).toContain(`mezo({ lr: ${(tuned.tuner!.options.lr as number).toExponential()} })`);
  expect(text).toContain(`{ steps: ${steps}, evaluateEvery: ${evaluateEvery} }`);
  expect(zeroShot.method).toBe("Zero-shot");
  for (const { task, model } of [zeroShot, tuned])
    expect({ task, model }).toEqual({ task: "SST-2", model: "opt-reviews" });
});

describe("a number that may be measured", () => {
  test.each([
    ["MeZO has 73.5 there", 1],
    ["it takes 12 s, and 3 to 5 MiB", 2],
    ["in 2,300 times the 1,000 steps", 1],
    ["gains 21, 27 and 18 points", 1],
    ["`--steps 5.5`, $2.5$, [a](b-1.5) and OPT-2.7B of Section 2.1 in 1,000 steps", 0],
    ["```\n5.5 s\n```\n    npm start -- --eps 1.5", 0],
  ])("is found by its point or its unit: %j has %i", (text, count) => {
    expect(findUntraced(text, [])).toHaveLength(count);
  });

  test("is traced where a phrase has all of it", () => {
    expect(findUntraced("takes 12.5 s, then 3 s", ["takes 12.5 s"])).toEqual(["“…takes 12.5 s, then 3 s…”"]);
    expect(findUntraced("takes 12.5 s", ["takes 12"])).toHaveLength(1);
  });
});
