import { expect, test } from "vitest";
import { findClosest } from "../../src/error.ts";
import { findTask, tasks } from "../../src/tasks/index.ts";

test.each(["SST-2", "sst2", "Sst_2"])("the task is found as %s", (name) => {
  expect(findTask(name).name).toBe("SST-2");
});

test("an unknown task is refused with the known ones and the closest", () => {
  expect(() => findTask("SST-3")).toThrow(
    /^There is no task "SST-3": choose one of SST-2, RTE, .*\. Did you mean SST-2\?$/,
  );
  expect(() => findTask("translation")).toThrow(/^There is no task "translation": choose one of SST-2, .*, TREC\.$/);
});

test("the paper's tasks have their forms: eleven of Table 14 and six of Table 13", () => {
  const names = (form: "autoregressive" | "masked"): string[] =>
    tasks.filter((task) => task[form]).map(({ name }) => name);
  expect(names("autoregressive").join(" ")).toBe("SST-2 RTE CB BoolQ WSC WIC MultiRC COPA ReCoRD SQuAD DROP");
  expect(names("masked").join(" ")).toBe("SST-2 RTE SST-5 SNLI MNLI TREC");
});

test("no two tasks have the same name", () => {
  expect(new Set(tasks.map(({ name }) => name.toLowerCase().replace(/\W/g, ""))).size).toBe(tasks.length);
});

test("the closest name needs the fewest edits, and none is offered for a word unlike all", () => {
  expect(findClosest("copa", ["CB", "COPA", "BoolQ"])).toBe("COPA");
  expect(findClosest("bolq", ["CB", "COPA", "BoolQ"])).toBe("BoolQ");
  expect(findClosest("kitten", ["sitting", "mitten"])).toBe("mitten");
  expect(findClosest("summarization", ["CB", "COPA"])).toBeUndefined();
});
