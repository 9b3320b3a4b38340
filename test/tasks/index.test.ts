import { expect, test } from "vitest";
import { closest } from "../../src/tasks/closest.ts";
import { findTask, tasks } from "../../src/tasks/index.ts";

test.each(["SST-2", "sst2", "Sst_2"])("the task is found as %s", (name) => {
  expect(findTask(name).name).toBe("SST-2");
});

test("an unknown task is answered with the known ones and the closest", () => {
  expect(() => findTask("SST-3")).toThrow('There is no task "SST-3": choose one of SST-2. Did you mean SST-2?');
  expect(() => findTask("translation")).toThrow(/^There is no task "translation": choose one of SST-2\.$/);
});

test("no two tasks answer to the same name", () => {
  expect(new Set(tasks.map(({ name }) => name.toLowerCase().replace(/\W/g, ""))).size).toBe(tasks.length);
});

test("the closest name needs the fewest edits, and none is offered for a word unlike all", () => {
  expect(closest("copa", ["CB", "COPA", "BoolQ"])).toBe("COPA");
  expect(closest("bolq", ["CB", "COPA", "BoolQ"])).toBe("BoolQ");
  expect(closest("kitten", ["sitting", "mitten"])).toBe("mitten");
  expect(closest("summarization", ["CB", "COPA"])).toBeUndefined();
});
