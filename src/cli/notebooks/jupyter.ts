import { spawn, spawnSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { delimiter, dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { Command } from "commander";
import { KitError } from "../../error.ts";
import { LEAN_HEAP } from "../../measure/process.ts";
import { parseCommand, runCommand } from "../commandLine.ts";

const PROJECT = resolve(dirname(fileURLToPath(import.meta.url)), "../../..");

/** Jupyter's programs in the order in which they are tried: Lab, Notebook, and the names that Debian gives them. */
const PROGRAMS: readonly (readonly string[])[] = [["jupyter-lab"], ["jupyter-notebook"], ["jupyter", "notebook"]];

/** Jupyter's description of the kernel; absolute paths, since an editor may start it without a PATH. */
const spec = {
  argv: [process.execPath, ...LEAN_HEAP, fileURLToPath(new URL("kernel.js", import.meta.url)), "{connection_file}"],
  display_name: "TypeScript",
  language: "typescript",
  interrupt_mode: "signal",
  env: { MEZO_LIVE: "1" },
};

/** The folder where Jupyter and VS Code look for a user's kernels. */
function userFolder({ JUPYTER_DATA_DIR, APPDATA = "", XDG_DATA_HOME } = process.env): string {
  if (JUPYTER_DATA_DIR) return JUPYTER_DATA_DIR;
  if (process.platform === "win32") return join(APPDATA, "jupyter");
  if (process.platform === "darwin") return join(homedir(), "Library", "Jupyter");
  return join(XDG_DATA_HOME ?? join(homedir(), ".local", "share"), "jupyter");
}

function install(folder: string): string {
  const file = join(folder, "kernels", "tslab", "kernel.json");
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, `${JSON.stringify(spec, null, 1)}\n`);
  return file;
}

async function main(argv: readonly string[]): Promise<void> {
  const parser = new Command("npm run notebook --")
    .description("Opens the notebooks in Jupyter, with the TypeScript kernel of this project.")
    .option(
      "--install [folder]",
      "only puts the kernel where VS Code and other Jupyters of this user find it, or into a folder for JUPYTER_PATH",
    )
    .argument("[arguments...]", "for Jupyter, such as --no-browser or a notebook")
    .allowUnknownOption();
  const { options, args } = parseCommand<{ install?: string | true }>(parser, argv);
  if (options.install === true)
    return void process.stdout.write(
      `${install(userFolder())}\nVS Code and Jupyter list the kernel TypeScript after a restart.\n`,
    );
  if (options.install) return void process.stdout.write(`${install(resolve(options.install))}\n`);
  const folder = join(PROJECT, ".jupyter");
  install(folder);
  const program = PROGRAMS.find(([name, ...rest]) => spawnSync(name!, [...rest, "--version"]).status === 0);
  if (!program)
    throw new KitError(
      "Jupyter was to be opened, but none is on the PATH: install one with pip install jupyterlab, or Debian's jupyter-notebook.\nVS Code needs none: npm run notebook -- --install, then choose the kernel TypeScript. Without either: npm run notebooks.",
    );
  const [name, ...rest] = program;
  const path = [folder, process.env.JUPYTER_PATH].filter(Boolean).join(delimiter);
  const child = spawn(name!, [...rest, ...args], {
    cwd: PROJECT,
    stdio: "inherit",
    env: { ...process.env, JUPYTER_PATH: path },
  });
  process.on("SIGINT", () => {}); // Jupyter asks whether to stop
  process.exitCode = await new Promise<number>((done) => child.once("close", (code) => done(code ?? 1)));
}

await runCommand(main);
