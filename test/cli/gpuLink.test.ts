import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { delimiter, dirname, join } from "node:path";
import { describe, expect, test } from "vitest";
import { emptyFolder } from "../standIn.ts";
import { ownKit, PACKAGE, program, root, run, write } from "./ownKit.ts";

const manifest = readFileSync(join(root, "node_modules", PACKAGE, "package.json"), "utf8");
const ADDON = "lib/napi-v8/tfjs_binding.node";

/** The folder of a TensorFlow whose files are empty. */
function emptyTensorFlow(): string {
  const folder = emptyFolder();
  const names = ["libtensorflow_cc.so.2", "libtensorflow_framework.so.2", "include/tensorflow/c/eager/c_api.h"];
  for (const name of names) write(join(folder, name), "");
  return folder;
}

/** A compiler's script that has the file it is to write in "$out". */
const compiler = (script: string): string => program(`while [ "$1" != -o ]; do shift; done; out=$2\n${script}`);

const hasCompiler = spawnSync("cc", ["--version"]).status === 0;
const UNDEFINED = "extern int of_another_version; int *place = &of_another_version;";

function expectRefusal(args: readonly string[], env: NodeJS.ProcessEnv, sentence: RegExp): void {
  const kit = ownKit({ "package.json": manifest, [ADDON]: "the old one" });
  const { status, stdout, said } = run(kit, ["gpu-link", ...args], env);
  expect(said).toMatch(sentence);
  expect(said).toMatch(/^[^\n]+\.\n$/);
  expect([status, stdout]).toEqual([1, ""]);
  const place = join(kit, "node_modules", PACKAGE, dirname(ADDON));
  expect(readdirSync(place)).toEqual(["tfjs_binding.node"]);
  expect(readFileSync(join(place, "tfjs_binding.node"), "utf8")).toBe("the old one");
}

describe("mezo gpu-link says in one sentence what keeps it from linking, and leaves the addon that is there:", () => {
  test.each<[string, readonly string[], NodeJS.ProcessEnv, RegExp]>([
    ["no folder", [], {}, /no folder was named that holds one: npx mezo gpu-link </],
    ["a wrong folder", [emptyFolder()], {}, /no libtensorflow_framework\.so\.2 lies there/],
    [
      "no compiler",
      [emptyTensorFlow()],
      { CXX: "no-such-compiler" },
      /there is no C\+\+ compiler no-such-compiler: install g\+\+/,
    ],
    [
      "an error of the compiler's",
      [emptyTensorFlow()],
      { CXX: compiler("echo In file included from x >&2; echo 'x.h:1:2: error: no type TFE' >&2; exit 1") },
      /program failed: x\.h:1:2: error: no type TFE; install that TensorFlow anew/,
    ],
    [
      "an addon that does not load",
      [emptyTensorFlow()],
      { CXX: compiler('echo nothing > "$out"') },
      /was compiled for the TensorFlow in \S+, but does not work \(.*(file too short|invalid ELF header).*\): install/,
    ],
  ])("%s", (_what, args, env, sentence) => expectRefusal(args, env, sentence));

  test.skipIf(!hasCompiler)("libraries of different versions", () => {
    const CXX = compiler(`echo '${UNDEFINED}' | cc -shared -fPIC -x c - -o "$out"`);
    const sentence =
      /but its libraries are of different versions \(undefined symbol: of_another_version\): install it anew into an empty/;
    expectRefusal([emptyTensorFlow()], { CXX }, sentence);
  });

  test("a package that is not installed", () => {
    const { status, said } = run(ownKit(undefined), ["gpu-link", emptyTensorFlow()]);
    expect(said).toBe(
      `TensorFlow was to be linked, but the package ${PACKAGE} is not installed: npm install --ignore-scripts ${PACKAGE}.\n`,
    );
    expect(status).toBe(1);
  });
});

/** A package that behaves as the real one with TensorFlow 2.99, which sees a GPU or does not, and says so on stderr. */
const stand = (isUsingGpuDevice: boolean, said: string): Record<string, string> => ({
  "package.json": manifest.replace("dist/index.js", "index.js"),
  "index.js": `
    const tf = require("@tensorflow/tfjs-core");
    const util = require("node:util");
    require("node:fs").writeSync(2, ${JSON.stringify(said)});
    if (!util.isNullOrUndefined(undefined) || !util.isArray([])) throw new Error("Node has no isArray");
    const wanted = { TF_FORCE_GPU_ALLOW_GROWTH: "true", TF_CPP_MIN_LOG_LEVEL: "2", NVIDIA_TF32_OVERRIDE: process.env.WANTED_TF32 ?? "0" };
    const is = JSON.parse(require("node:child_process").execFileSync(process.execPath, ["-p", "JSON.stringify(process.env)"]));
    for (const name in wanted) if (is[name] !== wanted[name]) throw new Error(name + " is " + is[name]);
    class Stand extends tf.KernelBackend {
      binding = { TF_Version: "2.99.0" };
      isUsingGpuDevice = ${isUsingGpuDevice};
    }
    tf.registerBackend("tensorflow", () => new Stand());
    tf.setBackend("tensorflow");`,
});

describe("mezo backends says what the tensorflow backend runs on:", () => {
  const line = (kit: string, env: NodeJS.ProcessEnv = {}): string => {
    const { stdout, said } = run(kit, ["backends"], env);
    expect(said).not.toMatch(/oneDNN/);
    const text = stdout
      .split("\n")
      .map((row) => row.split("│")[3]?.trim() ?? "")
      .join(" ");
    return /TensorFlow 2\.99.*?(?= {2}|$)|TensorFlow cannot.*?\.(?= |$)/.exec(text)?.[0] ?? text;
  };
  const withCard = {
    PATH: `${dirname(program("echo NVIDIA H200, 143771, 143161", "nvidia-smi"))}${delimiter}${process.env.PATH}`,
    CUDA_VISIBLE_DEVICES: "0",
  };
  const chatter = "I0000 port.cc:153] oneDNN custom operations are on.\n";

  test("the version, the GPU and its memory", () => {
    expect(line(ownKit(stand(true, chatter)), withCard)).toBe(
      "TensorFlow 2.99.0, NVIDIA H200, 140.4 GiB, 139.8 GiB free",
    );
  });

  test("the processor, and TensorFlow's own reason", () => {
    const said = `${chatter}I0000 cudart_stub.cc:31] Could not find cuda drivers on your machine, GPU will not be used.\n`;
    const text = "TensorFlow 2.99.0 on the processor (no GPU: Could not find cuda drivers on your machine)";
    expect(line(ownKit(stand(false, said)))).toBe(text);
  });

  test("and the folder that it was linked from, unless another version has taken its place since", () => {
    const note = (version: string): Record<string, string> => ({
      ...stand(true, chatter),
      "lib/napi-v8/linked.json": JSON.stringify({ version, folder: "/opt/tf", isOnGpu: true }),
    });
    expect(line(ownKit(note("2.99.0")), withCard)).toMatch(/ free; linked from \/opt\/tf$/);
    expect(line(ownKit(note("2.9.1")), withCard)).toMatch(/ free$/);
  });

  test("why there is none", () => {
    expect(line(ownKit(undefined))).toMatch(/^TensorFlow cannot be used here: neither .* is installed/);
    const missing = {
      ...stand(true, ""),
      "index.js": 'throw new Error("The addon can not be found at path: x.\\nPlease rebuild");',
    };
    expect(line(ownKit(missing))).toMatch(
      /installed without TensorFlow's library, which npx mezo gpu-link <folder> links\.$/,
    );
    const gone = {
      ...stand(true, ""),
      "index.js": 'throw new Error("libtensorflow_cc.so.2: cannot open shared object file");',
    };
    expect(line(ownKit(gone))).toMatch(
      /does not load the library it is linked to \(libtensorflow_cc.*\): npx mezo gpu-link <folder> links another\.$/,
    );
  });

  test("TF32 is for whoever asks for it", () => {
    const asked = { ...withCard, NVIDIA_TF32_OVERRIDE: "1", WANTED_TF32: "1" };
    expect(line(ownKit(stand(true, "")), asked)).toMatch(/NVIDIA H200/);
  });
});
