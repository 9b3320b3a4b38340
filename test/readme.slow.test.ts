import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { expect, test, vi } from "vitest";

const root = resolve(import.meta.dirname, "..");

/** The README's code as one program, its training cut to four steps and its files in a folder of their own. */
function program(folder: string): string {
  const blocks = [...readFileSync(join(root, "README.md"), "utf8").matchAll(/^```ts\n([\s\S]*?)^```$/gm)];
  const cells = blocks.map(([, block]) => block!).filter((block) => !block.startsWith("export async function"));
  const changes: readonly (readonly [from: string, to: string])[] = [
    ["steps: 400, evaluateEvery: 200", "steps: 4"],
    ["{ seed: 1 }", "{ seed: 1, train: 64, dev: 32, test: 64 }"],
    ['"tuned"', JSON.stringify(join(folder, "tuned"))],
    ['"tickets.csv"', `${JSON.stringify(join(folder, "tickets.csv"))}, train: 8, dev: 4, test: 4`],
  ];
  return changes.reduce((text, [from, to]) => {
    expect(text).toContain(from);
    return text.replace(from, () => to);
  }, cells.join("\n"));
}

test("the README's code runs, one block after the other as in a notebook", async () => {
  mkdirSync(join(root, ".cache"), { recursive: true });
  const folder = mkdtempSync(join(root, ".cache/readme-"));
  const printed: string[] = [];
  vi.spyOn(console, "log").mockImplementation((text: string) => void printed.push(text));
  try {
    const rows = Array.from({ length: 16 }, (_, i) => `ticket number ${i} is ${i % 2 ? "fine" : "late"},${i % 2}`);
    writeFileSync(join(folder, "tickets.csv"), ["text,label", ...rows, ""].join("\n"));
    writeFileSync(join(folder, "readme.ts"), `${program(folder)}\nexport { tickets };\nmodel.dispose();\n`);
    const { tickets } = (await import(join(folder, "readme.ts"))) as { tickets: { train: readonly unknown[] } };
    expect(printed[0]).toMatch(/Zero-shot[\s\S]*MeZO/);
    expect(printed[1]).toMatch(/\w/);
    expect(existsSync(join(folder, "tuned/model.safetensors"))).toBe(true);
    expect(tickets.train).toHaveLength(8);
  } finally {
    vi.restoreAllMocks();
    rmSync(folder, { recursive: true });
  }
});
