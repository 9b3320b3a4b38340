import { createRequire } from "node:module";
import { expect, test } from "vitest";
import { explainLoading, KitError, NotInstalled } from "../src/error.ts";

const require = createRequire(import.meta.url);

/** What loading throws. */
async function thrownBy(load: () => unknown): Promise<Error> {
  try {
    await load();
  } catch (error) {
    return error as Error;
  }
  throw new Error("nothing was thrown");
}

const PACKAGES = ["typescript", "mezo-kit-absent"];

test.each([
  ["required", () => require("mezo-kit-absent")],
  ["required in part", () => require("mezo-kit-absent/part.js")],
  ["imported", () => import(/* @vite-ignore */ ["mezo-kit", "absent"].join("-"))],
])(
  "a package that is not there when it is %s is told by its name, with all that are to be installed",
  async (_how, load) => {
    const told = explainLoading(await thrownBy(load), "A picture was to be drawn", PACKAGES);
    expect(told).toBeInstanceOf(NotInstalled);
    expect(told).toBeInstanceOf(KitError);
    expect((told as NotInstalled).message).toBe(
      "A picture was to be drawn, but the package mezo-kit-absent is not installed: npm install typescript mezo-kit-absent.",
    );
  },
);

test("other failures of a package, such as that of one it needs itself, are thrown as they are", async () => {
  const other = await thrownBy(() => require("mezo-kit-other"));
  expect(explainLoading(other, "A picture was to be drawn", PACKAGES)).toBe(other);
  const broken = new Error("'typescript' is broken");
  expect(explainLoading(broken, "A picture was to be drawn", PACKAGES)).toBe(broken);
});
