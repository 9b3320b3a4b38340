import { readdirSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { npmRunNotebooks, root } from "./runNotebooks.ts";

const notebooks = readdirSync(join(root, "notebooks")).filter((name) => name.endsWith(".ipynb"));

test.each(notebooks)("%s is type-checked and runs to its end in smoke mode", async (name) => {
  const { code, out, err } = await npmRunNotebooks("--smoke", join("notebooks", name));
  expect({ code, err }).toEqual({ code: 0, err: "" });
  expect(out).toMatch(new RegExp(`^ok +${name}`));
});
