import { spawnSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, expect, test } from "vitest";
import { findTensorFlow, type Library } from "../../src/tensor/tensorflow/library.ts";
import { emptyFolder } from "../standIn.ts";
import { ownKit, PACKAGE, root, run } from "./ownKit.ts";

const given = process.env.MEZO_TENSORFLOW;
const why = !given
  ? " (skipped: MEZO_TENSORFLOW names no folder with TensorFlow)"
  : spawnSync("g++", ["--version"]).status === 0
    ? ""
    : " (skipped: there is no g++)";

/** A kit with the real package, which is not linked yet. */
function unlinkedKit(): string {
  const kit = ownKit({});
  const from = join(root, "node_modules", PACKAGE);
  const parts = readdirSync(from).filter((name) => !["lib", "deps", "build"].includes(name));
  for (const name of parts) cpSync(join(from, name), join(kit, "node_modules", PACKAGE, name), { recursive: true });
  return kit;
}

/** A folder of links to a TensorFlow, with headers of another version. */
function withOtherHeaders({ files, headers }: Library): string {
  const folder = emptyFolder();
  for (const [i, name] of ["libtensorflow_cc.so.2", "libtensorflow_framework.so.2"].entries())
    symlinkSync(files[i]!, join(folder, name));
  const replaced = ["", "tensorflow", "tensorflow/core", "tensorflow/core/public"];
  for (const below of replaced) {
    mkdirSync(join(folder, "include", below), { recursive: true });
    for (const name of readdirSync(join(headers, below)))
      if (!replaced.includes(join(below, name)) && name !== "version.h")
        symlinkSync(join(headers, below, name), join(folder, "include", below, name));
  }
  const version = readFileSync(join(headers, "tensorflow/core/public/version.h"), "utf8");
  const changed = version.replace(/(define TF_GRAPH_DEF_VERSION) \d+/, "$1 1395");
  writeFileSync(join(folder, "include/tensorflow/core/public/version.h"), changed);
  return folder;
}

describe.skipIf(why)(`mezo gpu-link${why}`, () => {
  test("links the addon to a TensorFlow through links to it, says of which version and folder it is, and the kit runs on it", () => {
    const library = findTensorFlow(given!);
    const kit = unlinkedKit();
    const links = emptyFolder();
    for (const file of library.files) symlinkSync(file, join(links, file.split("/").at(-1)!));
    symlinkSync(library.headers, join(links, "include"));
    const { status, stdout, said } = run(kit, ["gpu-link", links]);
    expect([status, said]).toEqual([0, ""]);
    expect(stdout).toMatch(
      /^TensorFlow 2\.\d+\.\d+ of \S+ is linked and uses .*\.\nnpm ci .* link it again after them\.\n$/,
    );
    expect(stdout).toContain(library.folder);
    const place = join(kit, "node_modules", PACKAGE, "lib/napi-v8");
    expect(readdirSync(place).sort()).toEqual(["linked.json", "tfjs_binding.node"]);
    const script = `import { useBackend } from ${JSON.stringify(join(kit, "dist/index.js"))};
      console.log(await useBackend("tensorflow"));`;
    const ended = spawnSync(process.execPath, ["--input-type=module", "-e", script], { encoding: "utf8" });
    expect(ended).toMatchObject({ stdout: "tensorflow\n", stderr: "", status: 0 });
    const column = run(kit, ["backends"])
      .stdout.split("\n")
      .map((row) => row.split("│")[3]?.trim());
    expect(column.join("")).toContain(`linked from${library.folder}`);
  });

  test("refuses headers of another version than the library's, and leaves nothing behind", () => {
    const kit = unlinkedKit();
    const { status, stdout, said } = run(kit, ["gpu-link", withOtherHeaders(findTensorFlow(given!))]);
    expect(said).toMatch(
      /^The headers in \S+ are of another version \(graphs of 1395\) than TensorFlow 2\.[^\n]+\.\n$/,
    );
    expect([status, stdout]).toEqual([1, ""]);
    expect(existsSync(dirname(join(kit, "node_modules", PACKAGE, "lib/napi-v8/x")))).toBe(true);
    expect(readdirSync(join(kit, "node_modules", PACKAGE, "lib/napi-v8"))).toEqual([]);
  });
});
