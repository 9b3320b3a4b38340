import { spawnSync } from "node:child_process";
import { chmodSync, cpSync, mkdirSync, readdirSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { emptyFolder } from "../standIn.ts";

/** The repository. */
export const root: string = resolve(import.meta.dirname, "../..");
/** The package whose addon is linked. */
export const PACKAGE = "@tensorflow/tfjs-node-gpu";

/** A copy of the built kit, with packages of its own: the repository's, but for the one that is linked, which `files` make up. */
export function ownKit(files: Readonly<Record<string, string>> | undefined): string {
  const kit = emptyFolder();
  cpSync(join(root, "dist"), join(kit, "dist"), { recursive: true });
  for (const name of ["package.json", "data"]) symlinkSync(join(root, name), join(kit, name));
  const modules = join(root, "node_modules");
  const scoped = readdirSync(join(modules, "@tensorflow")).map((name) => `@tensorflow/${name}`);
  mkdirSync(join(kit, "node_modules/@tensorflow"), { recursive: true });
  for (const name of [...readdirSync(modules).filter((name) => name !== "@tensorflow"), ...scoped])
    if (!name.startsWith("@tensorflow/tfjs-node")) symlinkSync(join(modules, name), join(kit, "node_modules", name));
  for (const [name, text] of Object.entries(files ?? {})) write(join(kit, "node_modules", PACKAGE, name), text);
  return kit;
}

/** Writes a file and the folders above it; gives its path. */
export function write(file: string, text: string): string {
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, text);
  return file;
}

/** An executable shell script. */
export function program(text: string, name = "program"): string {
  const file = write(join(emptyFolder(), name), `#!/bin/sh\n${text}\n`);
  chmodSync(file, 0o755);
  return file;
}

/** What a command has left. */
export interface Left {
  readonly status: number | null;
  readonly stdout: string;
  /** What is said on stderr, without the note that it is being compiled. */
  readonly said: string;
}

/** Runs a command of such a kit. */
export function run(kit: string, args: readonly string[], env: NodeJS.ProcessEnv = {}): Left {
  const { status, stdout, stderr } = spawnSync(process.execPath, [join(kit, "dist/cli/main.js"), ...args], {
    encoding: "utf8",
    env: { ...process.env, ...env },
  });
  return { status, stdout, said: stderr.replace(/^Compiling .*\n/, "") };
}
