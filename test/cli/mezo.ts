import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";

/** What a finished command has left. */
export interface Ended {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
  readonly cwd: string;
}

/** A new empty folder. */
export const folder = (): string => mkdtempSync(join(tmpdir(), "cli-"));

const root = resolve(import.meta.dirname, "../..");

const program = (name: string): readonly string[] =>
  name.startsWith("bench/") ? [join(root, "test/bench/run.mjs"), name.slice(6)] : [join(root, `dist/cli/${name}.js`)];

/** Runs one of the kit's programs to its end, in a folder of its own unless one is given. */
export function command(name: string, args: readonly string[], cwd: string = folder()): Ended {
  const result = spawnSync(process.execPath, [...program(name), ...args], { cwd, encoding: "utf8" });
  return { ...result, cwd };
}

/** Runs the command line as the `"$0" "$@"` of a shell's script, in a folder. */
export function inShell(script: string, args: readonly string[], cwd: string): Ended {
  const result = spawnSync("sh", ["-c", script, process.execPath, ...program("main"), ...args], {
    cwd,
    encoding: "utf8",
  });
  return { ...result, cwd };
}

/** Runs the command line in a folder of its own. */
export const mezo = (...args: string[]): Ended => command("main", ["--threads", "1", ...args]);

/** A command that is under way; `ended` resolves when it is over. */
export interface Started {
  readonly child: ChildProcess;
  readonly cwd: string;
  readonly ended: Promise<Ended>;
}

/** Starts the command line in a folder of its own. */
export const started = (...args: string[]): Started => startedIn(folder(), ...args);

/** Starts the command line in a folder. */
export function startedIn(cwd: string, ...args: string[]): Started {
  const child = spawn(process.execPath, [...program("main"), ...args, "--threads", "1"], { cwd });
  const texts = { stdout: "", stderr: "" };
  for (const name of ["stdout", "stderr"] as const)
    child[name].on("data", (bytes) => {
      texts[name] += bytes;
    });
  const ended = new Promise<Ended>((done) => child.on("close", (status) => done({ status, ...texts, cwd })));
  return { child, cwd, ended };
}
