import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { tinyData, tinyModel } from "../tiny.ts";
import { command } from "./mezo.ts";

const typed = (...args: string[]): ReturnType<typeof command> => command("main", args);

describe("mezo inspect", () => {
  test("says on one screen what a model is, its layers' tensors together, with the beginning of its template", () => {
    const model = tinyModel();
    writeFileSync(join(model, "chat_template.jinja"), "{{ bos_token }}\n".repeat(20));
    const { status, stdout, stderr } = typed("inspect", model);
    expect(stderr).toBe("");
    expect(status).toBe(0);
    expect(stdout).toMatch(/^Family +opt, continues texts$/m);
    expect(stdout).toMatch(/^Config .*hidden_size 16/m);
    expect(stdout).toMatch(/^Tokens +reads 64 at most; begin token 2 \(0 in the paper's code\), no end token$/m);
    expect(stdout).toMatch(/^Tokenizer +WordLevel, 19 tokens$/m);
    expect(stdout).toMatch(/^The kit +loads it\.$/m);
    expect(stdout).toMatch(/^model\.decoder\.layers\.\*\.fc1\.weight +0–1 +F32 \[32, 16\] +1,024$/m);
    expect(stdout).toMatch(/^all +36 tensors +[\d,]+$/m);
    expect(stdout).toMatch(/^ {2}… 15 more lines \(--all\)$/m);
    expect(stdout.split("\n").length).toBeLessThan(45);
    expect(typed("inspect", model, "--all").stdout).toMatch(
      /^model\.decoder\.layers\.1\.fc1\.weight +F32 \[32, 16\] +512$/m,
    );
  });

  test("says why the kit refuses a model, as values too where they are asked for", () => {
    const model = tinyModel({ config: { model_type: "t5" } });
    expect(typed("inspect", model).stdout).toMatch(
      /^The kit +refuses it: .*\s"t5",\s+which\s+the\s+kit\s+cannot\s+build:/m,
    );
    const { status, stdout } = typed("inspect", model, "--json");
    expect(status).toBe(0);
    const found = JSON.parse(stdout);
    expect(found.refusals).toHaveLength(1);
    expect(found.tensors).toContainEqual({
      ...{ name: "model.decoder.layers.1.fc1.weight", dtype: "F32", shape: [32, 16], size: 512 },
    });
  });
});

describe("mezo show", () => {
  const subject = ["--model", tinyModel(), "--data", tinyData(), "--train", "24", "--dev", "6", "--test", "6"];

  test("has every token of a row with its id, and each option's log-probability, the right one marked", () => {
    const { status, stdout } = typed("show", ...subject, "--row", "3", "--shots", "2");
    expect(status).toBe(0);
    expect(stdout).toMatch(/^SST-2, test row 3 of 6, put to tiny-opt-\w+: \d+ tokens$/m);
    expect(stdout).toMatch(/^0 "<s>" 0 {2}1 "/m);
    expect(stdout).toMatch(/" (terrible|great)" +│ right.*│ \d+ "(terrible|great)" [45] -\d+\.\d{4} +│ -\d+\.\d{4} │/);
    expect(stdout).toMatch(/^The model chooses " (terrible|great)", by .*: (right|wrong)\.$/m);
    const { prompt, options, row } = JSON.parse(
      typed("show", ...subject, "--row", "3", "--shots", "2", "--json").stdout,
    );
    expect(row).toBe(3);
    expect(stdout).toContain(`${prompt.length} tokens`);
    for (const { mean } of options) expect(stdout).toContain(mean.toFixed(4));
  });

  test("elides the middle of a long prompt, unless all of it is asked for", () => {
    const long = ["show", "--data", tinyData(), "--train", "24", "--dev", "6", "--test", "6", "--shots", "12"];
    const { stdout } = typed(...long);
    const [, tokens] = /: (\d+) tokens$/m.exec(stdout)!;
    expect(stdout).toContain(`… ${Number(tokens) - 80} more tokens (--all shows them) …`);
    expect(stdout).not.toMatch(/(^| {2})60 "/m);
    expect(typed(...long, "--all").stdout).toMatch(/(^| {2})60 "/m);
    expect(typed("show", ...subject, "--row", "7").stderr).toMatch(/which has 6: choose one from 1 to 6/);
  });
});
