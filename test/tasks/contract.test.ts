import { expect, test } from "vitest";
import { tasks } from "../../src/tasks/index.ts";

const rows: Readonly<Record<string, Readonly<Record<string, unknown>>[]>> = {
  "SST-2": [
    { sentence: "it 's a charming and often affecting journey . ", label: "1" },
    { text: "\u0085 unflinchingly bleak and desperate\n", class: 0 },
  ],
};

test.each(tasks.map((task) => [task.name, task] as const))(
  "%s puts the right answer among its options",
  (name, task) => {
    const own = rows[name] ?? [];
    expect(own.length).toBeGreaterThan(0);
    for (const row of own) {
      const options = task.options(row);
      expect(options.every((option) => option.startsWith(" "))).toBe(true);
      expect(options[task.gold(row)]).toBeTypeOf("string");
      expect(task.prompt(row)).not.toMatch(/\s$/);
    }
  },
);

test("SST-2 has the paper's prompt and label words (Table 14)", () => {
  const [sst2] = tasks.filter(({ name }) => name === "SST-2");
  expect(rows["SST-2"]!.map((row) => sst2!.prompt(row) + sst2!.options(row)[sst2!.gold(row)])).toMatchInlineSnapshot(`
    [
      "it 's a charming and often affecting journey . It was great",
      "unflinchingly bleak and desperate It was terrible",
    ]
  `);
});
