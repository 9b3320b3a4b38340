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
    ["steps: 120, keepBest", "steps: 4, keepBest"],
    ["{ seed: 1 }", "{ seed: 1, train: 64, dev: 32, test: 64 }"],
    ['"tuned"', JSON.stringify(join(folder, "tuned"))],
    ['"replayed"', JSON.stringify(join(folder, "replayed"))],
    ['"tickets.csv"', `${JSON.stringify(join(folder, "tickets.csv"))}, train: 8, dev: 4, test: 4`],
    ['"refunds.csv"', `${JSON.stringify(join(folder, "refunds.csv"))}, train: 8, dev: 4, test: 4`],
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
    const texts = Array.from({ length: 16 }, (_, i) => `ticket number ${i} is ${i % 2 ? "fine" : "late"}`);
    const write = (name: string, header: string, labels: readonly [string, string]): void =>
      writeFileSync(join(folder, name), [header, ...texts.map((text, i) => `${text},${labels[i % 2]}`), ""].join("\n"));
    write("tickets.csv", "text,label", ["angry", "happy"]);
    write("refunds.csv", "text,refunded", ["no", "yes"]);
    writeFileSync(join(folder, "readme.ts"), `${program(folder)}\nexport { answers, refunds };\nmodel.dispose();\n`);
    const { answers, refunds } = (await import(join(folder, "readme.ts"))) as {
      answers: readonly { label: string; probability: number }[];
      refunds: { train: readonly unknown[] };
    };
    expect(printed[0]).toMatch(/Zero-shot[\s\S]*MeZO/);
    expect(String(printed[1])).toMatch(/\w/);
    expect(["angry", "happy"]).toContain(answers[0]!.label);
    for (const name of ["tuned", "replayed"]) expect(existsSync(join(folder, name, "model.safetensors"))).toBe(true);
    expect(refunds.train).toHaveLength(8);
  } finally {
    vi.restoreAllMocks();
    rmSync(folder, { recursive: true });
  }
});
